"""Figures of part `images` that have a target: gain over filters, organs, lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.denoise.targets import (
    LESION_BIAS,
    LESION_DOSE,
    PSNR_GAIN,
    organ_bias,
)
from betaplus.pipeline.benchmark.gate import verdict
from betaplus.pipeline.benchmark.rows import Row, select
from betaplus.pipeline.benchmark.wording import dose_name

__all__ = ["FILTERS", "SIZES", "gain_over_filters", "gates", "lesions_between", "organ_biases"]

FILTERS = ("gaussian", "best gaussian", "nlm", "best nlm")
SIZES = ((0.0, 8.0), (8.0, 12.0), (12.0, 15.0), (15.0, 200.0))
"""Diameters of lesions that are taken together [mm]; the second is around 10 mm."""


def gates(result: Mapping[str, Any]) -> list[str]:
    """Return the lines of the summary, as Markdown."""
    doses, groups = result["doses"], result["groups"]
    lines = [
        "## What has a target", "",
        f"Gain of *mmse* in PSNR over the best of the four filters [dB], mean over people; target"
        f" {PSNR_GAIN:g} or more.", "",
        _header("group", doses),
    ]  # fmt: skip
    for group in groups:
        cells = []
        for dose in doses:
            gain = gain_over_filters(select(result["rows"], group=group, dose=dose))
            cells.append(f"{gain:+.2f} {verdict(gain, PSNR_GAIN, least=True)}")
        lines.append(f"| {group} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Bias of organs' SUVmean with *mmse* [%]: the organ with the largest median over people,"
        " and organs within the target of 1 % (3 % at 1/100). Of the noisy image, whose mean bias"
        " is 0, it says what noise alone does to so few people.", "",
        _header("group", doses, "method"),
    ]  # fmt: skip
    for group in groups:
        for method in ("noisy", "mmse"):
            of_method = select(result["rows"], group=group, method=method)
            cells = [_organ_cell(select(of_method, dose=d), d, method) for d in doses]
            lines.append(f"| {group} | {method} | " + " | ".join(cells) + " |")
    dose = min(doses, key=lambda d: abs(d - LESION_DOSE))
    lines += [
        "",
        f"Bias of SUVpeak of hot lesions with *mmse* at {dose_name(dose)} [%]: mean, median, the"
        f" largest, their number; target {LESION_BIAS:g} for the mean of those of 15 mm and more.",
        "",
        "| group | 8-12 mm | 15 mm and more | |",
        "|---|---|---|---|",
    ]
    for group in groups:
        rows = select(result["rows"], group=group, dose=dose, method="mmse")
        small, large = (lesions_between(rows, *size) for size in (SIZES[1], SIZES[-1]))
        mean = float(np.mean([x["peak"] for x in large])) if large else float("nan")
        lines.append(
            f"| {group} | {_spread(small)} | {_spread(large)} | {verdict(mean, LESION_BIAS)} |"
        )
    return lines


def gain_over_filters(rows: Sequence[Row]) -> float:
    """Return the mean over people of PSNR with `mmse` less that with the best filter [dB]."""
    by_person: dict[int, dict[str, float]] = {}
    for row in rows:
        by_person.setdefault(row["person"], {})[row["method"]] = row["psnr"]
    gains = [
        found["mmse"] - max(found[name] for name in FILTERS if name in found)
        for found in by_person.values()
    ]
    return float(np.mean(gains)) if gains else float("nan")


def organ_biases(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Return organ to its biases over people [%]."""
    found: dict[str, list[float]] = {}
    for row in rows:
        for organ, bias in row["organs"].items():
            found.setdefault(organ, []).append(bias)
    return {organ: np.array(values) for organ, values in found.items()}


def lesions_between(rows: Sequence[Row], low: float, high: float) -> list[Mapping[str, Any]]:
    """Return the hot lesions of some diameters [mm]."""
    every = [lesion for row in rows for lesion in row["lesions"]]
    return [x for x in every if x["contrast"] > 1.0 and low <= x["diameter"] < high]


def _organ_cell(rows: Sequence[Row], dose: float, method: str) -> str:
    found = {organ: float(np.median(values)) for organ, values in organ_biases(rows).items()}
    if not found:
        return ""
    worst = max(found, key=lambda organ: abs(found[organ]))
    held = sum(abs(bias) <= organ_bias(dose) for bias in found.values())
    cell = f"{found[worst]:+.1f} {worst}, {held} of {len(found)}"
    return f"{cell} {verdict(found[worst], organ_bias(dose))}" if method == "mmse" else cell


def _spread(lesions: Sequence[Mapping[str, Any]]) -> str:
    if not lesions:
        return ""
    peaks = np.array([x["peak"] for x in lesions])
    worst = peaks[np.abs(peaks).argmax()]
    return f"{peaks.mean():+.1f}, {np.median(peaks):+.1f}, {worst:+.1f} ({peaks.size})"


def _header(first: str, doses: Sequence[float], *more: str) -> str:
    names = [first, *more, *(dose_name(d) for d in doses)]
    return "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|"
