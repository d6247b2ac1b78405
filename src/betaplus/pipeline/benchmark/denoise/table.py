"""Part `images` of the benchmark of `denoise` as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.denoise.gates import (
    FILTERS,
    SIZES,
    gates,
    lesions_between,
    organ_biases,
)
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.wording import dose_name, opening

__all__ = ["images_table"]

_METHODS = ("noisy", *FILTERS, "mmse")


def images_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_images` as Markdown."""
    last = result["first_person"] + result["people"] - 1
    lines = opening("Denoised bodies", result)
    lines += [
        f"Simulation. {result['bundle']}; bodies that no training saw, {result['people']} in each"
        f" group (seeds {result['first_person']} to {last}), voxels of {result['voxel']:g} mm."
        " Reference: the same reconstruction without noise. *gaussian* and *nlm* were tuned on"
        f" another body (seed {result['tuned_on']}) of the same scanner, tracer and dose; *best"
        " gaussian* and *best nlm* with the strength that is best for the very image, which no user"
        " could. No training saw a dose near 1/50. PSNR, SSIM and NRMSE in the body, means over"
        " people, peak: the largest value of the reference; *as published*: by the script of Yu et"
        " al. 2025, over the whole volume.",
        "",
        *gates(result),
        "",
    ]
    for group in result["groups"]:
        rows = select(result["rows"], group=group)
        lines += [f"## {group}", "", *_errors(rows, result["doses"]), ""]
        lines += [*_organs(rows, result["doses"]), "", *_organ_tops(rows, result["doses"]), ""]
        lines += [*_lesions(rows, result["doses"]), ""]
    return "\n".join(lines)


def _errors(rows: Sequence[Row], doses: Sequence[float]) -> list[str]:
    lines = [
        "| dose | method | PSNR [dB] | SSIM | NRMSE [%] | liver COV [%] (reference) |"
        " PSNR as published [dB] | SSIM as published |",
        "|---" * 8 + "|",
    ]
    for dose in doses:
        for method in _METHODS:
            found = select(rows, dose=dose, method=method)
            if not found:
                continue
            mean = {
                name: _mean([row[name] for row in found])
                for name in ("psnr", "ssim", "nrmse", "liver_cov", "reference_cov",
                             "published_psnr", "published_ssim")
            }  # fmt: skip
            lines.append(
                f"| {dose_name(dose)} | {method} | {mean['psnr']:.2f} | {mean['ssim']:.4f} |"
                f" {mean['nrmse']:.2f} | {mean['liver_cov']:.1f} ({mean['reference_cov']:.1f}) |"
                f" {mean['published_psnr']:.2f} | {mean['published_ssim']:.4f} |"
            )
    return lines


def _organs(rows: Sequence[Row], doses: Sequence[float]) -> list[str]:
    """Bias of every organ with `mmse`."""
    found = {dose: organ_biases(select(rows, dose=dose, method="mmse")) for dose in doses}
    organs = sorted({organ for biases in found.values() for organ in biases})
    if not organs:
        return []
    lines = [
        "Bias of organs' SUVmean with *mmse* [%]: median over people, and the largest.",
        "",
        "| organ | " + " | ".join(dose_name(dose) for dose in doses) + " |",
        "|---" * (len(doses) + 1) + "|",
    ]
    for organ in organs:
        cells = []
        for dose in doses:
            values = found[dose].get(organ)
            if values is None:
                cells.append("")
                continue
            worst = values[np.abs(values).argmax()]
            cells.append(f"{np.median(values):+.2f}, {worst:+.2f}")
        lines.append(f"| {organ} | " + " | ".join(cells) + " |")
    return lines


def _organ_tops(rows: Sequence[Row], doses: Sequence[float]) -> list[str]:
    lines = [
        "Bias of organs' SUVmax [%]: median over organs and people, and quartiles.",
        "",
        "| method | " + " | ".join(dose_name(dose) for dose in doses) + " |",
        "|---" * (len(doses) + 1) + "|",
    ]
    for method in _METHODS:
        cells = []
        for dose in doses:
            found = [
                bias
                for r in select(rows, dose=dose, method=method)
                for bias in r["organ_tops"].values()
            ]
            if found:
                low, middle, high = np.quantile(found, (0.25, 0.5, 0.75))
                cells.append(f"{middle:+.1f} ({low:+.1f} to {high:+.1f})")
        if cells:
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return lines


def _lesions(rows: Sequence[Row], doses: Sequence[float]) -> list[str]:
    sizes = [f"{low:g}-{high:g} mm" if high < 100 else f"from {low:g} mm" for low, high in SIZES]
    lines = [
        "Bias of hot lesions by diameter [%]: means of SUVmean / SUVmax / SUVpeak (number).",
        "",
        "| dose | method | " + " | ".join(sizes) + " |",
        "|---" * (len(SIZES) + 2) + "|",
    ]
    for dose in doses:
        for method in _METHODS:
            found = select(rows, dose=dose, method=method)
            if not found:
                continue
            cells = []
            for size in SIZES:
                lesions = lesions_between(found, *size)
                means = [
                    np.mean([x[k] for x in lesions]) for k in ("mean", "max", "peak") if lesions
                ]
                text = " / ".join(f"{m:+.1f}" for m in means)
                cells.append(f"{text} ({len(lesions)})" if lesions else "")
            lines.append(f"| {dose_name(dose)} | {method} | " + " | ".join(cells) + " |")
    return lines


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
