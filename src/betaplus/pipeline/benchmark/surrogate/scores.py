"""Noise of an organ over realisations, and of the surrogate beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["LIMIT", "TOLERANCE", "OrganNoise", "compare", "organ_masks", "organ_noise"]

LIMIT = 10.0
"""Least volume of an organ that is judged [mL]."""
TOLERANCE = 0.15
"""Ratio from 1 that is agreed on."""
_ENDS = 30.0  # mm at either end of the bed that are left out
_LEAST = 60  # voxels

OrganNoise = dict[str, float]


def organ_masks(
    labels: np.ndarray, names: Mapping[int, str], voxel: Sequence[float]
) -> dict[str, np.ndarray]:
    """Return the voxels of each organ over 10 mL, those beside another region left out.

    Where that leaves too few, all voxels of the organ count.
    """
    from scipy.ndimage import binary_erosion

    ends = int(np.ceil(_ENDS / voxel[2]))
    out = {}
    for label, name in names.items():
        whole = labels == label
        whole[..., :ends] = whole[..., whole.shape[2] - ends :] = False
        if whole.sum() * np.prod(voxel) / 1000.0 < LIMIT:
            continue
        inner = binary_erosion(whole)
        out[name] = inner if inner.sum() >= _LEAST else whole
    return out


def organ_noise(images: np.ndarray, masks: Mapping[str, np.ndarray]) -> dict[str, OrganNoise]:
    """Return mean, SD, skewness and autocorrelation of each organ's noise.

    The SD is the root of the mean variance over the organ's voxels; autocorrelations are those of
    neighbours along x and y (their mean) and z, one and two voxels apart.

    Args:
        images: Realisations, shape (R, X, Y, Z), R at least 3.
        masks: Of each organ, shape (X, Y, Z).
    """
    r = len(images)
    mean = images.mean(0, dtype=np.float64).astype(np.float32)
    noise = images - mean
    out = {}
    for name, mask in masks.items():
        e = noise[:, mask].astype(np.float64)
        variance = float((e * e).sum() / (r - 1) / mask.sum())
        third = float((e**3).mean()) * r * r / ((r - 1) * (r - 2))
        found = {"mean": float(mean[mask].mean(dtype=np.float64)), "sd": variance**0.5}
        found["skewness"] = third / variance**1.5
        for lag in (1, 2):
            along = [_correlation(noise, mask, axis, lag) for axis in range(3)]
            found[f"across{lag}"] = 0.5 * (along[0] + along[1])
            found[f"along{lag}"] = along[2]
        out[name] = found
    return out


def compare(reference: Mapping[str, OrganNoise], other: Mapping[str, OrganNoise],
            voxel: Sequence[float]) -> list[dict[str, Any]]:  # fmt: skip
    """Return a row per organ: surrogate over reference, and their correlation lengths [mm].

    The correlation length is the full width at half maximum of the Gaussian autocorrelation that
    has the one of neighbours, across and along the axis: their geometric mean.
    """
    rows = []
    for name, a in reference.items():
        b = other[name]
        lengths = [
            float(np.sqrt(_width(n["across1"], voxel[0]) * _width(n["along1"], voxel[2])))
            for n in (a, b)
        ]
        rows.append(
            {
                "organ": name,
                "mean": a["mean"],
                "sd": a["sd"],
                "mean_ratio": b["mean"] / a["mean"],
                "sd_ratio": b["sd"] / a["sd"],
                "length": lengths[0],
                "length_ratio": lengths[1] / lengths[0],
                "skewness": a["skewness"],
                "skewness_surrogate": b["skewness"],
                **{k: a[k] for k in ("across1", "along1", "across2", "along2")},
                **{f"{k}_surrogate": b[k] for k in ("across1", "along1", "across2", "along2")},
            }
        )
    return rows


def _correlation(noise: np.ndarray, mask: np.ndarray, axis: int, lag: int) -> float:
    both = mask & np.roll(mask, -lag, axis)
    shifted = np.roll(noise, -lag, axis + 1)
    a, b = noise[:, both].astype(np.float64), shifted[:, both].astype(np.float64)
    power = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / power if power > 0.0 else 0.0


def _width(correlation: float, step: float) -> float:
    """Return the FWHM of a Gaussian autocorrelation [mm]; at least that of 2 % at one voxel."""
    return float(step * np.sqrt(-np.log(16.0) / np.log(np.clip(correlation, 0.02, 0.999))))
