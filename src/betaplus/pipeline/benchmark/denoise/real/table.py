"""Part `real` of the benchmark of `denoise` as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.wording import dose_name, opening

__all__ = ["real_table"]

_METHODS = ("gaussian", "nlm", "mmse")


def real_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_real` as Markdown."""
    lines = opening("Denoising of real images", result)
    lines += [
        f"{result['bundle']}. Noise was added to real images. They are the reference, with noise"
        " and blur of their own; what is taken of it counts as error. IBSI crops (FDG, 3.3 to 5.5"
        " mm) and group templates (2 mm): SD L SUV where the uptake is 1 SUV, rising as uptake to"
        f" the {result['exponent']:g}, of Gamma's distribution, correlated by one half at 3.3 mm;"
        " crops have seeds of their number. BrainWeb 06 (2 mm): the surrogate of a Quadra, seed 6;"
        " reference: its image without noise. Filters: for crops tuned on every sixth of them and"
        " judged, as the network, on the others; for brains the best for the very image. Gain: PSNR"
        " in the body over the noisy image [dB], mean (least). Noise: SD where the uptake is 1 SUV,"
        " on the network's voxels, as the denoiser measures it and as it was added: the real noise"
        " of the crops is in the first only.",
        "",
        "| images | noise | cases | gaussian | nlm | mmse | mmse over the better filter |"
        " bias of the mean: mmse [%] | noise measured / added |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for group, number, rows in _grouped(result["rows"]):
        gains = {m: [r["gain"] for r in rows if r["method"] == m] for m in _METHODS}
        if not gains["mmse"]:
            continue
        mean = {m: float(np.mean(g)) for m, g in gains.items()}
        over = mean["mmse"] - max(mean["gaussian"], mean["nlm"])
        bias = [r["mean_bias"] for r in rows if r["method"] == "mmse"]
        level = [np.median([r[what] for r in rows]) for what in ("measured", "added")]
        cells = [f"{mean[m]:+.1f} ({min(gains[m]):+.1f})" for m in _METHODS]
        lines.append(
            f"| {group} | {_noise(group, number)} | {len(bias)} | {' | '.join(cells)} |"
            f" {over:+.1f} | {np.mean(bias):+.2f} | {level[0]:.2f} / {level[1]:.2f} |"
        )
    lines += ["", *_lesions(result["rows"])]
    return "\n".join(lines)


def _lesions(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    known = [row for row in rows if "lesion_peak" in row]
    if not known:
        return []
    lines = [
        "Tumours of the crops, bias over the image without added noise [%]: median (5th to 95th"
        " percentile).",
        "",
        "| noise | method | SUVmean | SUVpeak | SUVmax |",
        "|---|---|---|---|---|",
    ]
    for group, number, part in _grouped(known):
        for method in ("noisy", *_METHODS):
            cells = []
            for what in ("lesion_mean", "lesion_peak", "lesion_max"):
                low, middle, high = np.percentile(
                    [row[what] for row in part if row["method"] == method], (5, 50, 95)
                )
                cells.append(f"{middle:+.1f} ({low:+.1f} to {high:+.1f})")
            lines.append(f"| {_noise(group, number)} | {method} | {' | '.join(cells)} |")
    return lines


def _grouped(
    rows: Sequence[Mapping[str, Any]],
) -> Iterable[tuple[str, float, list[Mapping[str, Any]]]]:
    """Yield (group, number, rows) in the order in which they come; templates one by one."""
    parts: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for row in rows:
        name = row["case"] if row["group"] == "templates" else row["group"]
        parts.setdefault((name, row["number"]), []).append(row)
    return ((group, number, part) for (group, number), part in parts.items())


def _noise(group: str, number: float) -> str:
    return dose_name(number) if group == "BrainWeb 06" else f"L = {number:g}"
