"""What part `memory` found, as Markdown, with what it is held against."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from betaplus.pipeline.benchmark.gate import Gate, gate_lines
from betaplus.pipeline.benchmark.rows import Row
from betaplus.pipeline.benchmark.wording import grid_name, opening

__all__ = ["MOST_GROWTH", "frames_growth", "memory_gates", "memory_table", "voxel_bytes"]

MOST_GROWTH = 1.15
"""Of the peak, when frames are the larger of the two numbers, the volume the same."""


def frames_growth(rows: Sequence[Row]) -> dict[str, float]:
    """Return format to the peak with most frames over that with fewest, of one volume."""
    found = {}
    for kind in dict.fromkeys(row["format"] for row in rows):
        same = _whole(rows, kind)
        few, many = same[0], same[-1]
        found[kind] = many["peak_bytes"] / few["peak_bytes"]
    return found


def voxel_bytes(rows: Sequence[Row]) -> float:
    """Return by how much the peak grows with a voxel of the volume [bytes]."""
    small = min(rows, key=lambda row: math.prod(row["shape"]))
    large = _whole(rows, small["format"])[0]
    more = math.prod(large["shape"]) - math.prod(small["shape"])
    return (large["peak_bytes"] - small["peak_bytes"]) / more


def memory_gates(result: Mapping[str, Any]) -> list[Gate]:
    """Return the gates of part ``memory``."""
    rows, limit = result["frames"], result["limit_bytes"]
    gates = []
    for kind, growth in frames_growth(rows).items():
        few, many = (_whole(rows, kind)[i]["frames"] for i in (0, -1))
        name = f"{kind}: peak of {many} frames over that of {few}"
        gates.append(Gate(name=name, found=growth, target=MOST_GROWTH))
    for row in result["large"]:
        name = f"{row['method']}, {_grid(row)} x {row['frames']} in zarr: peak [GB]"
        gates.append(Gate(name=name, found=row["peak_bytes"] / 1e9, target=limit / 1e9))
    return gates


def memory_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_memory` as Markdown."""
    rows, limit = result["frames"], result["limit_bytes"]
    lines = opening("Memory of Patlak maps", result)
    lines += [
        f"`betaplus patlak` with {result['threads']} threads, report included"
        f" ({result['machine']}). Peak is the largest resident set of the process; the image's size"
        " is that of its voxels in float32. A torso that follows Patlak's line, with noise.",
        "",
        *gate_lines(memory_gates(result)),
        "",
        "## Frames and volumes",
        "",
        "| volume | format | frames | image [MB] | peak [MB] | planned [MB] |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {_grid(row)} | {row['format']} | {row['frames']} | {row['image_bytes'] / 1e6:.0f} |"
            f" {row['peak_bytes'] / 1e6:.0f} | {row['planned_bytes'] / 1e6:.0f} |"
        )
    lines.append("")
    for kind, growth in frames_growth(rows).items():
        few, many = _whole(rows, kind)[0], _whole(rows, kind)[-1]
        share = (many["peak_bytes"] - few["peak_bytes"]) / (
            many["image_bytes"] - few["image_bytes"]
        )
        lines.append(
            f"- {kind}: {many['frames']} frames take {growth:.2f} times what {few['frames']} take"
            f" ({100 * share:+.0f} % of what the other frames hold)."
        )
    lines += [
        f"- A voxel more takes {voxel_bytes(rows):.0f} bytes more.",
        "",
        "## A whole body at fine voxels",
        "",
        f"A zarr store at {result['voxel']:g} mm; limit {limit / 1e9:.2f} GB (`--max-memory`).",
        "",
        "| method | volume x frames | image [GB] | peak [GB] | planned [GB] | wall [min] |"
        " CPU [min] | read and sums | fit | residuals | write | report |",
        "|---" * 12 + "|",
    ]
    for row in result["large"]:
        stages = row["stages_s"]
        times = [stages.get("read", 0) + stages.get("sums", 0)]
        times += [stages.get(name, 0) for name in ("fit", "residuals", "write", "report")]
        name = " ".join([row["method"], *row["shortened"]])
        lines.append(
            f"| {name} | {_grid(row)} x {row['frames']} | {row['image_bytes'] / 1e9:.2f} |"
            f" {row['peak_bytes'] / 1e9:.2f} | {row['planned_bytes'] / 1e9:.2f} |"
            f" {row['wall_s'] / 60:.1f} | {row['cpu_s'] / 60:.1f} | "
            + " | ".join(f"{seconds:.0f} s" for seconds in times)
            + " |"
        )
    short = {row["method"]: row["shortened"] for row in result["large"]}
    for method, row in result["estimates"].items():
        lines += [
            "",
            f"{method} on {_grid(row)} x {row['frames']}: {row['wall_s'] / 60:.1f} min,"
            f" {row['cpu_s'] / 60:.1f} of CPU, peak {row['peak_bytes'] / 1e9:.2f} GB;"
            f" {row['estimate_s'] / 60:.0f} min of CPU are expected of the whole"
            + (
                f", over {result['most_minutes']:g}: run with {' '.join(short[method])}, in which"
                " as much memory is held."
                if short[method]
                else "."
            ),
        ]
    return "\n".join([*lines, ""])


def _whole(rows: Sequence[Row], kind: str) -> list[Row]:
    """Return the runs of the larger volume in a format, by frames."""
    most = max(math.prod(row["shape"]) for row in rows)
    found = [r for r in rows if r["format"] == kind and math.prod(r["shape"]) == most]
    return sorted(found, key=lambda row: row["frames"])


def _grid(row: Row) -> str:
    return grid_name(row["shape"])
