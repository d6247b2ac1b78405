"""Parts `images` and `passes` of the benchmark of `patlak` as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.gate import gate_lines
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE, SPREAD, image_gates, spread_ratios
from betaplus.pipeline.benchmark.patlak.summary import region_spread, summarise
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.wording import dose_name, grid_name, opening

__all__ = ["at_dose_lines", "images_table", "region_lines"]


def images_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_images` as Markdown."""
    rows: Sequence[Row] = result["rows"]
    anatomies = list(dict.fromkeys(row["anatomy"] for row in rows))
    size = grid_name(result["shape"])
    people = ", ".join(f"{p['name']} (seed {p['seed']})" for p in result["people"])
    lines = opening("Patlak maps", result)
    lines += [
        f"Simulation: {people}; {size} voxels of {result['voxel']:g} mm. Reference: the Patlak maps"
        " of the same frames without noise. " + _tuning_words(result),
        "",
        "## What has a target",
        "",
        *gate_lines(image_gates(result)),
        "",
    ]
    for anatomy in anatomies:
        own = select(rows, anatomy=anatomy)
        lines += [f"## {anatomy}", ""]
        for name in ("Ki", "V0"):
            lines += [f"{name} NRMSE in the body.", ""]
            lines += [*_dose_lines(own, result["methods"], result["doses"], name), ""]
        lines += ["At 1/10:", "", *at_dose_lines(select(own, dose=GATED_DOSE), result["methods"])]
        lines += ["", *region_lines(own, result, GATED_DOSE), ""]
    lines += _spread_lines(rows)
    lines += _settings_lines(result)
    return "\n".join(lines)


def at_dose_lines(rows: Sequence[Row], methods: Sequence[str]) -> list[str]:
    """Return all figures of the methods at one dose, as a table."""
    lines = [
        "| method | Ki NRMSE | Ki PSNR [dB] | Ki SSIM | V0 NRMSE | V0 PSNR [dB] | V0 SSIM |"
        " lesion recovery | lesion CNR | time [s] |",
        "|---" * 10 + "|",
    ]
    for method in methods:
        of_method = select(rows, method=method)
        if of_method:
            s = summarise(of_method)
            lines.append(
                f"| {method} | {s.Ki:.3f} | {s.psnr:.1f} | {s.ssim:.3f} | {s.V0:.3f} |"
                f" {s.V0_psnr:.1f} | {s.V0_ssim:.3f} | {s.recovery:.3f} ({s.lesions}) |"
                f" {s.cnr:.1f} | {s.seconds:.0f} |"
            )
    return lines


def region_lines(rows: Sequence[Row], result: Mapping[str, Any], dose: float) -> list[str]:
    """Return bias and SD of regions at a dose, over draws: medians of methods, as a table."""
    lines = [
        "Regions over 10 mL: median over regions and people of the size of the bias and of the SD"
        " of region means over draws, against the Patlak maps without noise; and, for Ki, the"
        " median bias against the true Ki (k4 > 0 pulls it down whatever the method) [%].",
        "",
        "| method | Ki bias | Ki SD | bias against true Ki | V0 bias | V0 SD |",
        "|---" * 6 + "|",
    ]
    for method in result["methods"]:
        found = _spreads(rows, result, dose, method)
        if found["Ki"]:
            cells = [
                _median([abs(x["bias"]) for x in found["Ki"]], "{:.1f}"),
                _median([x["sd"] for x in found["Ki"]], "{:.1f}"),
                _median([x["true_bias"] for x in found["Ki"]], "{:+.1f}"),
                _median([abs(x["bias"]) for x in found["V0"]], "{:.1f}"),
                _median([x["sd"] for x in found["V0"]], "{:.1f}"),
            ]
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _spreads(
    rows: Sequence[Row], result: Mapping[str, Any], dose: float, method: str
) -> dict[str, list[dict[str, float]]]:
    found: dict[str, list[dict[str, float]]] = {"Ki": [], "V0": []}
    for subject in dict.fromkeys(row["subject"] for row in rows):
        draws = select(rows, method=method, dose=dose, subject=subject)
        if draws:
            for name, values in found.items():
                spread = region_spread(draws, result["reference"][subject], name)
                values.extend(spread.values())
    return found


def _dose_lines(
    rows: Sequence[Row], methods: Sequence[str], doses: Sequence[float], name: str
) -> list[str]:
    lines = [
        "| method | " + " | ".join(_dose(dose) for dose in doses) + " |",
        "|---" * (len(doses) + 1) + "|",
    ]
    for method in methods:
        values = [
            getattr(summarise(select(rows, method=method, dose=dose)), name) for dose in doses
        ]
        cells = ["" if math.isnan(value) else f"{value:.3f}" for value in values]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _spread_lines(rows: Sequence[Row]) -> list[str]:
    lines = []
    doses = list(dict.fromkeys(row["dose"] for row in rows))
    for dose in doses:
        for anatomy in dict.fromkeys(row["anatomy"] for row in rows):
            gibbs = select(rows, method="gibbs", dose=dose, anatomy=anatomy)
            ratios = spread_ratios(gibbs)
            if ratios:
                held = sum(SPREAD[0] <= value <= SPREAD[1] for value in ratios.values())
                low, high = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
                lines.append(
                    f"| {_dose(dose)} | {anatomy} | {np.median(list(ratios.values())):.2f} |"
                    f" {ratios[low]:.2f} ({low}) | {ratios[high]:.2f} ({high}) |"
                    f" {held} of {len(ratios)} |"
                )
    if not lines:
        return []
    return [
        "## SD of gibbs",
        "",
        "Voxels of a region: RMSE of Ki over the mean SD; the part coverage judges region means.",
        "",
        f"| dose | anatomy | median | lowest | highest | within {SPREAD[0]:g} to {SPREAD[1]:g} |",
        "|---" * 6 + "|",
        *lines,
        "",
    ]


def _settings_lines(result: Mapping[str, Any]) -> list[str]:
    if not result["tuning"]:
        return []
    lines = [
        "## Settings found on the tuning people",
        "",
        "| anatomy | method | " + " | ".join(_dose(dose) for dose in result["doses"]) + " |",
        "|---" * (len(result["doses"]) + 2) + "|",
    ]
    pairs = dict.fromkeys((t["anatomy"], t["method"]) for t in result["tuning"])
    for anatomy, method in pairs:
        cells = []
        for dose in result["doses"]:
            found = [
                t
                for t in result["tuning"]
                if (t["anatomy"], t["method"], t["dose"]) == (anatomy, method, dose)
            ]
            cells.append(_settings(found[0]) if found else "")
        lines.append(f"| {anatomy} | {method} | " + " | ".join(cells) + " |")
    open_ended = [
        f"{t['anatomy']} {t['method']} {_dose(t['dose'])} ({', '.join(ends)})"
        for t in result["tuning"]
        if (ends := [name for name, held in t["bracketed"].items() if not held])
    ]
    said = "; ".join(open_ended) if open_ended else "none"
    return [*lines, "", f"Settings whose best lies at the end of what was tried: {said}.", ""]


def _settings(found: Mapping[str, Any]) -> str:
    parts = [v if isinstance(v, str) else f"{k} {v:g}" for k, v in found["settings"].items()]
    return f"{', '.join(parts)}: {found['score']:.3f}"


def _tuning_words(result: Mapping[str, Any]) -> str:
    chosen = result["chosen"]
    if not result["tuning"]:
        return "Settings: the defaults of each method."
    scores = ", ".join(f"{name} {value:.3f}" for name, value in chosen["scores"].items())
    seeds = ", ".join(f"{t['anatomy']} {t['seed']}" for t in result["tuned_on"])
    return (
        f"Settings: tuned on other people (seeds: {seeds}) for each anatomy, those of classical"
        " methods for each dose too and those of learned ones at 1/10, unless a name"
        f" says defaults. Chosen there by Ki NRMSE at 1/10: *{chosen['method']}* ({scores})."
    )


def _median(values: Sequence[float], form: str) -> str:
    known = [value for value in values if not math.isnan(value)]
    return form.format(float(np.median(known))) if known else ""


def _dose(dose: float) -> str:
    return "full" if dose == 1.0 else dose_name(dose)
