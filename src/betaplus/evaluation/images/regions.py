"""Regions of an image: contrast recovery and background variability (NEMA NU 2-2018, section 7).

With C the mean of a region, C_B that of the background and a / a_B their true ratio:

- hot: CRC = 100 (C / C_B - 1) / (a / a_B - 1) [%],
- cold, without activity: CRC = 100 (1 - C / C_B) [%], which is the same formula at a = 0,
- background variability: 100 SD / C_B [%], over the means of K background regions, with K - 1.

C_B is the mean of the background regions' means. Here the truth is a reference image, so that the
true ratio is that of its own means; a region with less activity than the background, but some, has
a CRC by the same formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.masking import inside

__all__ = [
    "RegionMeans",
    "background_variability",
    "cold_recovery",
    "contrast_recovery",
    "region_means",
]

_LEAST_CONTRAST = 1e-6  # true ratios closer to 1 leave nothing to recover


@dataclass(frozen=True, eq=False)
class RegionMeans:
    """What the regions of an image hold, each an array of shape (N,) in the order of the labels.

    Attributes:
        labels: The labels.
        voxels: Number of voxels.
        mean: Mean of the image [its unit].
        sd: SD of the image's voxels, with n - 1; NaN for one voxel [likewise].
    """

    labels: np.ndarray
    voxels: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def region_means(image: np.ndarray, labels: np.ndarray, wanted: Sequence[int]) -> RegionMeans:
    """Return mean and SD of an image in labelled regions.

    Args:
        image: The image, shape (X, Y, Z).
        labels: Label of every voxel, likewise; integers.
        wanted: The labels to take, shape (N,), none of them 0.

    Raises:
        InputError: If shapes differ, a region is empty, or a voxel in one is no finite number.
    """
    asked = np.asarray(wanted, dtype=np.int64)
    order = np.argsort(asked, kind="stable")
    keep = np.isin(labels, asked)
    (values,) = inside(keep, image=image)
    at = order[np.searchsorted(asked[order], np.asarray(labels)[keep])]
    count = np.bincount(at, minlength=asked.size)
    if (count == 0).any():
        raise InputError(f"label {asked[count == 0][0]} has no voxel", "expected one or more")
    mean = np.bincount(at, values, minlength=asked.size) / count
    square = np.bincount(at, (values - mean[at]) ** 2, minlength=asked.size)
    sd = np.sqrt(np.where(count > 1, square / np.maximum(count - 1, 1), np.nan))
    return RegionMeans(asked, count, mean, sd)


def contrast_recovery(region: float, background: float, true_ratio: float) -> float:
    """Return the contrast recovery coefficient of a region [%].

    Args:
        region: Mean of the region.
        background: Mean of the background, in the same unit.
        true_ratio: True activity of the region over that of the background; 0 for a cold one.

    Returns:
        100 where contrast is fully recovered; NaN without background or without true contrast.
    """
    if not background or not math.isfinite(true_ratio) or abs(true_ratio - 1) < _LEAST_CONTRAST:
        return math.nan
    return 100.0 * (region / background - 1.0) / (true_ratio - 1.0)


def cold_recovery(region: float, background: float) -> float:
    """Return 100 (1 - C / C_B), the contrast recovery of a region without activity [%]."""
    return contrast_recovery(region, background, 0.0)


def background_variability(means: Sequence[float]) -> float:
    """Return the SD of background regions' means over their mean [%]; NaN for fewer than two.

    Args:
        means: Mean of each of K background regions; NEMA takes 60 of one size.
    """
    values = np.asarray(means, dtype=np.float64)
    if values.size < 2 or not values.mean():
        return math.nan
    return 100.0 * float(values.std(ddof=1) / values.mean())
