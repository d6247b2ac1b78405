"""Coverage as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.reconstruct.coverage.intervals import KINDS

__all__ = ["best_classical", "coverage_table", "heads_table"]


def coverage_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_coverage` as Markdown."""
    return _table(
        result,
        "# Coverage of reconstruct",
        " one slice of 32 x 32 voxels of 8 mm in one ring of crystals, drawn as the training"
        f" volumes of `brain2d-coarse`, {result['counts']} prompts.",
        "## Blocks of 3 x 3 voxels, which know nothing of the truth",
    )


def heads_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_heads` as Markdown."""
    text = _table(
        result,
        "# Coverage of reconstruct: heads",
        " heads in the teaching scanner, 128 x 128 x 16 voxels of 2 mm, 1 % of the counts, prior"
        " `brain2d-osem`.",
        "## Blocks of 14 mm, which know nothing of the truth",
    )
    lines = [
        "",
        "## Blocks of 10 mm",
        "",
        *_rows(result["NRMSE"], result["small blocks"]),
        "",
        "## Voxels",
        "",
        "Share of the head's voxels whose truth lies where one more draw would, without any"
        " calibration [%]:",
        "",
        f"| method | {' | '.join(_levels(result))} |",
        "|---" * (1 + len(_levels(result))) + "|",
        *(
            f"| `{method}` | " + " | ".join(f"{100 * share:.1f}" for share in held.values()) + " |"
            for method, held in result["voxels"].items()
        ),
    ]
    return text + "\n".join(lines) + "\n"


def _levels(result: Mapping[str, Any]) -> list[str]:
    held = next(iter(result["voxels"].values()))
    return [f"{100 * float(level):g} %" for level in held]


def _table(result: Mapping[str, Any], title: str, what: str, blocks: str) -> str:
    known, judged = result["scans"]
    quick = " Quick run: too little to judge by." if result["quick"] else ""
    lines = [
        title,
        "",
        f"{judged} scans of people {result['judged'][0]} to {result['judged'][1]}, calibrated on"
        f" {known} of people {result['calibration'][0]} to {result['calibration'][1]}; simulation:"
        f"{what} 90 % intervals of means; lengths in units of the mean of a scan.{quick}",
        "",
        "## Tissues, where the truth has them",
        "",
        *_rows(result["NRMSE"], result["methods"]),
        "",
        blocks,
        "",
        *_rows(result["NRMSE"], result["blocks"]),
    ]
    settings = "; ".join(
        f"`{m}` " + ", ".join(f"{k} {v:g}" for k, v in s.items())
        for m, s in result["settings"].items()
    )
    return "\n".join([*lines, "", f"Settings: {settings}."]) + "\n"


def _rows(errors: Mapping[str, float], methods: Mapping[str, Any]) -> list[str]:
    lines = [
        "| method | NRMSE [%] | interval | held [%] | interval score | over the best classical |"
        " width (median) |",
        "|---" * 7 + "|",
    ]
    best = best_classical(methods)
    for method, found in methods.items():
        for kind in KINDS:
            if kind in found:
                row = found[kind]
                lines.append(
                    f"| `{method}` | {errors[method]:.1f} | {kind}"
                    f" | {100 * row['coverage']:.1f} | {row['score']:.3f}"
                    f" | {row['score'] / best:.2f} | {row['width']:.3f} |"
                )
    lines.append("")
    for method, found in methods.items():
        if "raw" in found:
            ratio = found["error over SD"]
            lines.append(f"RMSE of means over the SD of draws of `{method}`: {ratio:.1f}.")
    return lines


def best_classical(methods: Mapping[str, Any]) -> float:
    """Return the least interval score of methods without draws, of whichever kind."""
    return min(
        found[kind]["score"]
        for found in methods.values()
        for kind in KINDS
        if "raw" not in found and kind in found
    )
