"""Lesions, counts and time as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.reconstruct.defaults import fastest
from betaplus.pipeline.benchmark.reconstruct.lesions import MULTIPLE, RADII

__all__ = ["count_lines", "lesion_lines", "speed_lines"]


def lesion_lines(found: Mapping[str, Sequence[Mapping[str, float]]]) -> list[str]:
    """Return contrast recovery and noise by method."""
    if not found:
        return []
    heads = [int(row["seed"]) for row in next(iter(found.values()))]
    radii = ", ".join(f"{r:g}" for r in RADII)
    lines = [
        "",
        f"Hot balls of radius {radii} mm in white matter, {MULTIPLE:g} times its activity, heads"
        f" {heads}, 1 % of the counts, settings as tuned on heads without: contrast recovery (mean,"
        " and least), SD of the error of white matter over its mean:",
        "",
        "| method | recovery [%] | least [%] | noise [%] |",
        "|---|---|---|---|",
    ]
    for name, rows in found.items():
        mean, noise = (float(np.mean([row[key] for row in rows])) for key in ("recovery", "noise"))
        least = min(row["least"] for row in rows)
        lines.append(f"| {name} | {mean:.0f} | {least:.0f} | {noise:.1f} |")
    return lines


def count_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return NRMSE at all counts: defaults against OSEM at its best."""
    if not rows:
        return []
    lines = [
        "",
        f"Head {rows[0]['seed']} at other counts: one draw of `dds` with its defaults, OSEM with"
        " the passes and filter that are best for that very image; NRMSE:",
        "",
        "| counts | OSEM [%] | passes | filter [mm] | `dds` [%] | ratio | seconds |",
        "|---" * 7 + "|",
    ]
    for row in rows:
        osem, dds = row["OSEM"], row["dds"]
        lines.append(
            f"| {100 * row['fraction']:g} % | {osem['NRMSE']:.1f} | {osem['passes']}"
            f" | {osem['filter']:g} | {dds['NRMSE']:.1f} | {dds['NRMSE'] / osem['NRMSE']:.3f}"
            f" | {dds['seconds']:.0f} |"
        )
    return lines


def speed_lines(found: Mapping[str, Any] | None) -> list[str]:
    """Return how long `dds` takes to be as good as the published method."""
    if not found:
        return []
    lines = [
        "",
        f"Head {found['seed']}, 1 % of the counts, one draw, `dds-published` as tuned, `dds` with"
        " its defaults but for what is said:",
        "",
        "| method | settings | NRMSE [%] | seconds |",
        "|---|---|---|---|",
    ]
    for row in found["rows"]:
        text = ", ".join(f"{k} {v}" for k, v in row["settings"].items())
        lines.append(f"| {row['method']} | {text} | {row['NRMSE']:.1f} | {row['seconds']:.1f} |")
    best = fastest(found["rows"])
    if best:
        ratio = best["seconds"] / found["rows"][0]["seconds"]
        lines += ["", f"`dds` has the NRMSE of `dds-published` in {ratio:.2f} of its time."]
    return lines
