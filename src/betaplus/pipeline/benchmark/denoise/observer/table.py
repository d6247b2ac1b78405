"""Part `observer` of the benchmark of `denoise` as Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from betaplus.pipeline.benchmark.denoise.methods import METHODS
from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.wording import dose_name, opening

__all__ = ["area_error", "observer_table"]


def observer_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_observer` as Markdown."""
    lines = opening("Observer", result)
    lines += [
        f"Simulation, FDG in a Quadra. {result['bundle']}; spheres at known places of one body"
        f" (seed {result['person']}), {result['draws']} noise draws with and {result['draws']}"
        f" without, boxes of {result['box']} voxels of {result['voxel']:g} mm, noise of the whole"
        " body. Area under the ROC curve of a channelised Hotelling observer (10 dense"
        f" difference-of-Gaussian channels in cubes of {result['seen']} voxels, mean of 50 random"
        " halves), with the standard error of so few images (Hanley and McNeil 1982); methods are"
        " compared on the same noise, so that their differences are more certain. Nothing can add"
        " to what the noisy image tells of a known lesion.",
        "",
        "| region | diameter | contrast | dose | " + " | ".join(METHODS) + " |",
        "|---" * (4 + len(METHODS)) + "|",
    ]
    keys = ("region", "diameter", "contrast", "dose")
    cases = dict.fromkeys(tuple(row[key] for key in keys) for row in result["rows"])
    for case in cases:
        region, diameter, contrast, dose = case
        of_case = select(result["rows"], **dict(zip(keys, case, strict=True)))
        cells = []
        for method in METHODS:
            (auc,) = [row["auc"] for row in select(of_case, method=method)]
            cells.append(f"{auc:.3f} ({area_error(auc, result['draws']):.3f})")
        lines.append(
            f"| {region} | {diameter:g} mm | {contrast:g} | {dose_name(dose)} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def area_error(auc: float, images: int) -> float:
    """Return the standard error of an area under a ROC curve.

    Hanley and McNeil, Radiology 143, 29 (1982), for as many images with a lesion as without.
    """
    q1, q2 = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
    total = auc * (1.0 - auc) + (images - 1) * (q1 + q2 - 2.0 * auc**2)
    return math.sqrt(max(total, 0.0)) / images
