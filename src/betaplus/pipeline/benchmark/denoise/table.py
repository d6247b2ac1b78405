"""The benchmark of `denoise` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["denoise_table"]

_METHODS = ("noisy", "gaussian", "best gaussian", "nlm", "mmse")
_SIZES = ((0.0, 10.0), (10.0, 15.0), (15.0, 25.0), (25.0, 200.0))  # mm


def denoise_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_denoise` as Markdown."""
    lines = ["# Benchmark of denoising", ""]
    if result["quick"]:
        lines += ["Quick run: too little to judge by.", ""]
    lines += [
        f"{result['bundle']}; simulated bodies that no training saw, {result['people']} in each"
        f" group, voxels of {result['voxel']:g} mm. Reference: the same reconstruction without"
        " noise. Filters were tuned on other bodies, dose by dose; *best gaussian* has the width"
        " that is best for the very image. PSNR, SSIM and NRMSE in the body, means over people;"
        " peak: the largest value of the reference.",
        "",
    ]
    for group in result["groups"]:
        rows = [row for row in result["rows"] if row["group"] == group]
        lines += [f"## {group}", "", *_errors(rows, result["doses"]), ""]
        lines += [*_organs(rows, result["doses"]), "", *_lesions(rows, result["doses"]), ""]
    return "\n".join(lines)


def _errors(rows: Sequence[Mapping[str, Any]], doses: Sequence[float]) -> list[str]:
    lines = [
        "| dose | method | PSNR [dB] | SSIM | NRMSE [%] | liver COV [%] (reference) |",
        "|---|---|---|---|---|---|",
    ]
    for dose in doses:
        for method in _METHODS:
            found = _of(rows, dose, method)
            if not found:
                continue
            cov = _mean([row["liver_cov"] for row in found])
            known = _mean([row["reference_cov"] for row in found])
            lines.append(
                f"| 1/{1 / dose:.0f} | {method} | {_mean([r['psnr'] for r in found]):.2f} |"
                f" {_mean([r['ssim'] for r in found]):.4f} |"
                f" {_mean([r['nrmse'] for r in found]):.2f} | {cov:.1f} ({known:.1f}) |"
            )
    return lines


def _organs(rows: Sequence[Mapping[str, Any]], doses: Sequence[float]) -> list[str]:
    lines = [
        "Bias of SUVmean over organs [%] (over 10 mL and .3 of the liver's uptake): median, and"
        " the largest in absolute value.",
        "",
        "| method | " + " | ".join(f"1/{1 / dose:.0f}" for dose in doses) + " |",
        "|---" * (len(doses) + 1) + "|",
    ]
    for method in _METHODS:
        cells = []
        for dose in doses:
            found = [
                (abs(b), b, name)
                for r in _of(rows, dose, method)
                for name, b in r["organs"].items()
            ]
            if not found:
                continue
            worst = max(found)
            cells.append(f"{np.median([b for _, b, _ in found]):+.1f}, {worst[1]:+.1f} {worst[2]}")
        if cells:
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _lesions(rows: Sequence[Mapping[str, Any]], doses: Sequence[float]) -> list[str]:
    lines = [
        "Bias of SUVpeak of lesions by diameter [%]: mean (number).",
        "",
        "| dose | method | " + " | ".join(f"{low:g}-{high:g} mm" for low, high in _SIZES) + " |",
        "|---" * (len(_SIZES) + 2) + "|",
    ]
    for dose in doses:
        for method in _METHODS:
            found = [lesion for r in _of(rows, dose, method) for lesion in r["lesions"]]
            if not found:
                continue
            cells = []
            for low, high in _SIZES:
                values = [x["peak"] for x in found if low <= x["diameter"] < high]
                cells.append(f"{_mean(values):+.1f} ({len(values)})" if values else "")
            lines.append(f"| 1/{1 / dose:.0f} | {method} | " + " | ".join(cells) + " |")
    return lines


def _of(rows: Sequence[Mapping[str, Any]], dose: float, method: str) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["dose"] == dose and row["method"] == method]


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
