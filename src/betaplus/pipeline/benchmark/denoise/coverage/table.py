"""Coverage of intervals of means of regions in a few numbers, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.region_intervals.summary import COVERAGE, RATIO, Rows, figures
from betaplus.pipeline.benchmark.wording import dose_name, opening, passed

__all__ = ["coverage_table", "summary"]

_VOLUMES = ((1.0, 3.0), (3.0, 10.0), (10.0, 30.0), (30.0, 100.0), (100.0, 1e6))  # mL
_DOSES = ((0.0, 1 / 50), (1 / 50, 1 / 20), (1 / 20, 1 / 4), (1 / 4, 2.0))


def summary(rows: Mapping[str, Rows]) -> dict[str, Any]:
    """Return figures of each method over organs, and what has a target.

    Interval scores are compared on the regions that both methods have.

    Args:
        rows: Method to its regions.
    """
    learned = [row for row in rows["mmse"] if not row["lesion"]]
    own = {_key(row): row["score"] for row in learned}
    methods = {}
    for name, found in rows.items():
        organs = [row for row in found if not row["lesion"]]
        shared = float(np.mean([own[_key(row)] for row in organs]))
        of_method = _figures(organs)
        methods[name] = of_method | {"ratio": shared / of_method["score"]}
    plain = {k: m["ratio"] for k, m in methods.items() if k.endswith("plain SD")}
    same = {k: m["ratio"] for k, m in methods.items() if k not in plain and k != "mmse"}
    coverage = methods["mmse"]["coverage"]
    lesions = [row for row in rows["mmse"] if row["lesion"]]
    return {
        "methods": methods,
        "coverage": coverage,
        "covered": COVERAGE[0] <= coverage <= COVERAGE[1],
        "ratio": max(plain.values()),
        "useful": max(plain.values()) <= RATIO,
        "ratio_same_model": max(same.values()),
        "lesions": _figures(lesions) if lesions else None,
        "by_volume": _parts(learned, "volume", _VOLUMES),
        "by_dose": _parts(learned, "dose", _DOSES),
    }


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_coverage` as Markdown."""
    lines = opening("Intervals of means of regions", result)
    judged, known, factor = result["judged"], result["calibration"], result["conformal"]
    lines += [
        f"{result['bundle']}, mmse. Simulation: {result['phantoms']} phantoms of {result['box']}^3"
        f" voxels of {result['voxel']:g} mm, {result['boxes']} each of bodies {judged[0]} to"
        f" {judged[-1]}, with scanner, reconstruction, tracer, dose, post-filter and brightness"
        " drawn as training draws them, one draw of noise each; seeds are the numbers of the"
        f" bodies. Calibrated on bodies {known[0]} to {known[-1]}; conformal factor"
        f" {factor['factor']:.2f} (from people left out in turn, a vote a phantom)."
        " The truth is the mean over a region of 1 mL or more in the image without noise of the"
        " same reconstruction; an indicator is one region of one phantom; lesions apart. Regions"
        " of one body share its anatomy and tracer.",
        "",
        "| | found | target | |",
        "|---|---|---|---|",
        f"| 90 % intervals hold | {100 * result['coverage']:.1f} % | 87-93 % |"
        f" {passed(result['covered'])} |",
        f"| mean interval score over that of the best filter or the noisy image | "
        f"{result['ratio']:.2f} | at most {RATIO:g} | {passed(result['useful'])} |",
        f"| the same, filters with the error model of mmse | {result['ratio_same_model']:.2f} |"
        f" at most {RATIO:g} | {passed(result['ratio_same_model'] <= RATIO)} |",
        "",
        "*Plain SD*: what is known without a denoiser, the error model of volume and voxel noise"
        " alone. Without it, a method has the whole error model, fitted to its own output: noise"
        " of the region's mean by the correlation of what was taken away, border, contrast. Both"
        f" have the same conformal calibration. Filters see one phantom in {result['rarely']};"
        " ratios are on the regions that both have. Strengths were tuned for the interval score on"
        f" calibration people: Gaussian {result['strengths']['gaussian']:g}, NLM"
        f" {result['strengths']['nlm']:g}.",
        "",
        "| method | coverage [%] | mean interval score [SUV] | median width [SUV] |"
        " mean abs. error of the estimate [SUV] | of the output [SUV] | mmse / this | regions |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, m in result["methods"].items():
        lines.append(
            f"| {name} | {100 * m['coverage']:.1f} | {m['score']:.4f} | {m['width']:.4f} |"
            f" {m['error']:.4f} | {m['output_error']:.4f} | {m['ratio']:.2f} | {m['regions']} |"
        )
    if result["lesions"]:
        m = result["lesions"]
        lines.append(
            f"| mmse, lesions | {100 * m['coverage']:.1f} | {m['score']:.4f} | {m['width']:.4f} |"
            f" {m['error']:.4f} | {m['output_error']:.4f} | | {m['regions']} |"
        )
    for title, parts in (("volume [mL]", "by_volume"), ("dose", "by_dose")):
        lines += ["", f"| {title} | regions | coverage [%] | mean interval score [SUV] |",
                  "|---|---|---|---|"]  # fmt: skip
        for part in result[parts]:
            lines.append(
                f"| {_range(part, parts == 'by_dose')} | {part['regions']} |"
                f" {100 * part['coverage']:.1f} | {part['score']:.4f} |"
            )
    return "\n".join(lines)


def _figures(rows: Rows) -> dict[str, Any]:
    truth, output = (np.array([row[k] for row in rows]) for k in ("truth", "denoised"))
    return figures(rows) | {"output_error": float(np.mean(np.abs(output - truth)))}


def _parts(rows: Rows, name: str, ranges: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    parts = []
    for low, high in ranges:
        found = [row for row in rows if low <= row[name] < high]
        if found:
            parts.append({"low": low, "high": high, **_figures(found)})
    return parts


def _key(row: Mapping[str, Any]) -> tuple[int, int, int]:
    return row["person"], row["box"], row["label"]


def _range(part: Mapping[str, Any], dose: bool) -> str:
    if dose:
        low = dose_name(part["low"]) if part["low"] else "1/150"
        high = "1" if part["high"] > 1 else dose_name(part["high"])
        return f"{low} to {high}"
    low, high = part["low"], part["high"]
    return f"{low:g} and more" if high > 1e5 else f"{low:g}-{high:g}"
