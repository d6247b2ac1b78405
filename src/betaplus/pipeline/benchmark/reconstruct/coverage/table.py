"""Coverage as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.reconstruct.coverage.intervals import KINDS

__all__ = ["best_classical", "coverage_table"]

_DRAWN = ("gibbs", "dds")


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_coverage` as Markdown."""
    known, judged = result["scans"]
    quick = " Quick run: too little to judge by." if result["quick"] else ""
    lines = [
        "# Coverage of reconstruct",
        "",
        f"{judged} scans of people {result['judged'][0]} to {result['judged'][1]}, calibrated on"
        f" {known} of people {result['calibration'][0]} to {result['calibration'][1]}; simulation:"
        " one slice of 32 x 32 voxels of 8 mm in one ring of crystals, drawn as the training"
        f" volumes of `brain2d-coarse`, {result['counts']} prompts. 90 % intervals of the means of"
        f" tissues; lengths in units of the mean of a scan.{quick}",
        "",
        "| method | NRMSE [%] | interval | held [%] | interval score | over the best classical |"
        " width (median) |",
        "|---" * 7 + "|",
    ]
    best = best_classical(result["methods"])
    for method, found in result["methods"].items():
        for kind in KINDS:
            if kind in found:
                row = found[kind]
                lines.append(
                    f"| `{method}` | {result['NRMSE'][method]:.1f} | {kind}"
                    f" | {100 * row['coverage']:.1f} | {row['score']:.3f}"
                    f" | {row['score'] / best:.2f} | {row['width']:.3f} |"
                )
    lines.append("")
    for method in _DRAWN:
        if method in result["methods"]:
            found = result["methods"][method]
            lines.append(
                f"RMSE of means over the SD of draws of `{method}`: {found['error over SD']:.1f}."
            )
    settings = "; ".join(
        f"`{m}` " + ", ".join(f"{k} {v:g}" for k, v in s.items())
        for m, s in result["settings"].items()
    )
    return "\n".join([*lines, "", f"Settings: {settings}."]) + "\n"


def best_classical(methods: Mapping[str, Any]) -> float:
    """Return the least interval score of methods without draws, of whichever kind."""
    return min(
        found[kind]["score"]
        for method, found in methods.items()
        for kind in KINDS
        if method not in _DRAWN and kind in found
    )
