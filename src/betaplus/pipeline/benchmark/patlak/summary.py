"""Means over people and draws of what was scored, and bias and SD of regions over draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.rows import Row, select

__all__ = ["Summary", "region_spread", "summarise"]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Means of a method at a dose; people count alike, whatever their number of draws.

    Attributes:
        Ki: NRMSE.
        V0: NRMSE.
        psnr: Of Ki [dB].
        ssim: Of Ki.
        V0_psnr: [dB].
        V0_ssim: Of V0.
        recovery: Of hot lesions, mean over lesions.
        cnr: Likewise; the median.
        lesions: Their number, over people.
        seconds: A run.
        maps: How many.
    """

    Ki: float
    V0: float
    psnr: float
    ssim: float
    V0_psnr: float
    V0_ssim: float
    recovery: float
    cnr: float
    lesions: int
    seconds: float
    maps: int


def summarise(rows: Sequence[Row]) -> Summary:
    """Return the means of rows of one method; NaN where there is nothing."""
    people = sorted({row["subject"] for row in rows})

    def mean(*path: str) -> float:
        each = [[_at(row, path) for row in select(rows, subject=name)] for name in people]
        return float(np.mean([np.mean(values) for values in each])) if each else math.nan

    hot = [lesion for row in rows for lesion in row["lesions"] if lesion["hot"]]
    by_lesion: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        for lesion in row["lesions"]:
            if lesion["hot"]:
                key = (row["subject"], lesion["number"])
                by_lesion.setdefault(key, []).append(lesion["recovery"])
    cnrs = [lesion["cnr"] for lesion in hot if lesion["cnr"] is not None]
    recoveries = [float(np.mean(values)) for values in by_lesion.values()]
    return Summary(
        Ki=mean("Ki", "nrmse"),
        V0=mean("V0", "nrmse"),
        psnr=mean("Ki", "psnr"),
        ssim=mean("Ki", "ssim"),
        V0_psnr=mean("V0", "psnr"),
        V0_ssim=mean("V0", "ssim"),
        recovery=float(np.mean(recoveries)) if recoveries else math.nan,
        cnr=float(np.median(cnrs)) if cnrs else math.nan,
        lesions=len(by_lesion),
        seconds=mean("seconds"),
        maps=len(rows),
    )


def region_spread(
    rows: Sequence[Row], reference: Mapping[str, Any], name: str = "Ki"
) -> dict[str, dict[str, float]]:
    """Return bias and SD of region means over the draws of one person, method and dose.

    Args:
        rows: The draws.
        reference: What the person holds without noise: ``regions`` of each map, ``true_Ki``.
        name: Of the map.

    Returns:
        Region to ``bias`` and ``sd`` [% of the region's value without noise; SD with n - 1, NaN
        for one draw], and for Ki ``true_bias``, of the same mean over draws against the true Ki.
    """
    found = {}
    for region, known in reference["regions"][name].items():
        values = np.array([row[name]["regions"][region] for row in rows])
        if not values.size or not known > 0.0:
            continue
        sd = float(values.std(ddof=1)) if values.size > 1 else math.nan
        found[region] = {
            "bias": 100.0 * (float(values.mean()) / known - 1.0),
            "sd": 100.0 * sd / known,
        }
        true = reference["true_Ki"].get(region, 0.0)
        if name == "Ki":
            found[region]["true_bias"] = (
                100.0 * (float(values.mean()) / true - 1.0) if true > 0.0 else math.nan
            )
    return found


def _at(row: Row, path: Sequence[str]) -> float:
    value: Any = row
    for name in path:
        value = value[name]
    return float(value)
