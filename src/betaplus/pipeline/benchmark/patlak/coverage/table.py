"""Coverage of intervals of region means as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.patlak.gates import SPREAD
from betaplus.pipeline.benchmark.region_intervals.cases import LEAST_VOLUME
from betaplus.pipeline.benchmark.region_intervals.summary import COVERAGE, RATIO, SPREAD_LEAST
from betaplus.pipeline.benchmark.wording import dose_name, passed

__all__ = ["coverage_table"]

_UNITS = {"Ki": ("1e-3 mL/cm3/min", 1e3), "V0": ("mL/cm3", 1.0)}


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_coverage` as Markdown."""
    plan = result["plan"]
    shape = "x".join(str(n) for n in plan["shape"])
    g = plan["gibbs"]
    lines = [
        "# Intervals of region means of Ki and V0",
        "",
        f"`gibbs` with {result['prior']} in bfloat16, {g['burn']} turns and then {g['samples']}"
        f" draws of {g['inner'] * g['thin']} calls of the prior. {result['studies']} small studies"
        f" ({shape} voxels of {plan['voxel']:g} mm, up to {plan['boxes']} of each body, seeds"
        f" {result['judged'][0]} to {result['judged'][1]}) with one draw of noise each; calibrated"
        f" on {result['studies_known']} of other bodies ({result['calibration'][0]} to"
        f" {result['calibration'][1]}). The truth is the mean over a region of"
        f" {LEAST_VOLUME:g} mL or more in the Patlak map without noise; an indicator is one region"
        " of one study.",
        "",
        "*Organs*: all of an organ that lies in the box. *Spheres*: of 24 mm, cut to the organ that"
        " their middle is in. *Plain*: mean and SD of a method, times a conformal factor of each"
        " dose; SD of `wls`, `gaussian` and `tv` is that of the mean under the noise model, with"
        " its correlation. *Same model*: the error model of `gibbs`, fitted to the method's own"
        " means. Ratios are interval scores of `gibbs` over those of the other, on the regions"
        f" that both have (`tv` sees one study in {plan['rarely']}).",
    ]
    for name, groups in result["maps"].items():
        for group, found in groups.items():
            lines += ["", f"## {name}, {group}", "", *_part(name, found)]
    return "\n".join(lines)


def _part(name: str, found: Mapping[str, Any]) -> list[str]:
    unit, factor = _UNITS[name]
    lines = [
        "| dose | 90 % intervals hold [%] | | score over best plain classical | |"
        " over best of the same model | regions | lesions hold [%] |",
        "|---" * 8 + "|",
    ]
    for dose, one in found["doses"].items():
        ill = "" if one["lesions"] is None else f"{100 * one['lesions']['coverage']:.1f}"
        lines.append(
            f"| {dose_name(float(dose))} | {100 * one['coverage']:.1f} | {passed(one['covered'])} |"
            f" {one['ratio']:.2f} | {passed(one['useful'])} | {one['ratio_same_model']:.2f} |"
            f" {one['regions']} | {ill} |"
        )
    low, high = (f"{100 * edge:.0f}" for edge in COVERAGE)
    lines += [
        "",
        f"Targets: {low}-{high} %; at most {RATIO:g}. Conformal factor"
        f" {found['factor']['factor']:.2f}; all doses together {100 * found['all']['coverage']:.1f}"
        " %.",
        "",
        f"| dose | method | intervals | hold [%] | mean score [{unit}] | median width |"
        " mean abs. error | gibbs / this |",
        "|---" * 8 + "|",
    ]
    for dose, one in found["doses"].items():
        rows = [("gibbs", "modelled", one | {"ratio": 1.0})]
        rows += [(m, "plain", x) for m, x in one["plain"].items()]
        rows += [(m, "same model", x) for m, x in one["same"].items()]
        rows.append(("gibbs", "plain", one["draws_plain"] | {
            "ratio": one["score"] / one["draws_plain"]["score"]}))  # fmt: skip
        for method, kind, x in rows:
            lines.append(
                f"| {dose_name(float(dose))} | {method} | {kind} | {100 * x['coverage']:.1f} |"
                f" {factor * x['score']:.4g} | {factor * x['width']:.4g} |"
                f" {factor * x['error']:.4g} | {x['ratio']:.2f} |"
            )
    return lines + _spreads(found)


def _spreads(found: Mapping[str, Any]) -> list[str]:
    low, high = SPREAD
    doses = list(found["doses"])
    organs = sorted({name for one in found["doses"].values() for name in one["spread"]})
    lines = [
        "",
        f"RMSE over SD (root mean squares over studies; organs in {SPREAD_LEAST} or more), target"
        f" {low:g}-{high:g}; the SD is the half width over that of a normal distribution. Last row:"
        " the same of the draws alone, all regions.",
        "",
        "| organ | " + " | ".join(dose_name(float(d)) for d in doses) + " | all doses | |",
        "|---" * (len(doses) + 3) + "|",
    ]
    for organ in organs:
        cells = [found["doses"][d]["spread"].get(organ) for d in doses]
        whole = found["spread"][organ]["ratio"]
        lines.append(
            f"| {organ} | "
            + " | ".join("" if c is None else f"{c['ratio']:.2f}" for c in cells)
            + f" | {whole:.2f} | {passed(low <= whole <= high)} |"
        )
    raw = [f"{found['doses'][d]['raw_rmse_over_sd']:.1f}" for d in doses]
    return [*lines, "| draws alone | " + " | ".join(raw) + " | | |"]
