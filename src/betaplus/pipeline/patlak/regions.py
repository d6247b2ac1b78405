"""Means of regions with intervals that can be defended, beside what the maps say of them.

The estimate of a region is the mean of least squares over it, which is also what least squares of
the region's mean curve give: it has the noise of the frames and nothing else, and noise is known
(`betaplus.patlak.region_noise`). Maps of the other methods are better voxel by voxel, but what a
filter or a prior gets wrong of an organ it gets wrong all over it: their means are told apart, and
draws of a posterior do not tell how wrong those are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from scipy.ndimage import find_objects

from betaplus.patlak.fitting import MAPS, PatlakFit
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.region_noise import RegionNoise

__all__ = ["ESTIMATE", "QUANTILES", "outside", "region_columns", "region_remarks"]

QUANTILES = {"q05": 0.05, "q95": 0.95}
"""Ends of the interval, of a normal distribution."""

ESTIMATE = {
    "": "mean of least squares over the region",
    "-sd": "its SD, from the noise of the frames and how far that is correlated",
    "-q05": "lower end of its 90 % interval",
    "-q95": "upper end of its 90 % interval",
    "-maps": "mean over the region of the maps that were made",
}
"""What the columns of a map are, by the ends of their names."""

_NAMED = 3  # regions of a remark


def region_columns(fit: PatlakFit, labels: np.ndarray, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the columns of a table: ``region``, ``volume_ml``, then those of Ki, then of V0.

    Those are ``Ki``, the mean of least squares over the region, its SD ``Ki-sd`` and 90 % interval
    ``Ki-q05`` to ``Ki-q95``, and ``Ki-maps``, the mean of the method's maps. Frames weigh as they
    do for the method (all alike for ``ls``).

    Args:
        fit: The maps.
        labels: Region of each voxel, shape (X, Y, Z).
        names: Label to name; regions without a voxel in the mask are left out.
    """
    problem = fit.study.problem
    mask = problem.mask.numpy()
    here = set(np.unique(labels[mask]).tolist())
    kept = [label for label in names if label in here]
    number = np.zeros(mask.shape, np.uint16 if len(kept) < 2**16 else np.int32)
    for i, label in enumerate(kept, start=1):  # 1 is the first region of the table
        number[mask & (labels == label)] = i
    sds = _sds(fit, number)
    bins = number[mask]
    del number
    counts = np.bincount(bins, minlength=len(kept) + 1)[1:]

    def means(volume: np.ndarray) -> np.ndarray:
        sums = np.bincount(bins, volume[mask], minlength=len(kept) + 1)[1:]
        return np.asarray(sums / np.maximum(counts, 1))

    x, y, z = fit.study.image.voxel_size
    columns: dict[str, Any] = {
        "region": [names[label] for label in kept],
        "volume_ml": counts * x * y * z / 1000.0,
    }
    least, scale = problem.least_squares().numpy(), problem.scale.numpy()
    for channel, name in enumerate(MAPS):
        mean, sd = means(least[channel]) * scale[channel], sds[:, channel]
        columns |= {name: mean, f"{name}-sd": sd}
        for label, q in QUANTILES.items():
            columns[f"{name}-{label}"] = mean + NormalDist().inv_cdf(q) * sd
        columns[f"{name}-maps"] = means(fit.maps[name])
    return columns


def outside(columns: Mapping[str, Any], name: str) -> np.ndarray:
    """Return where the maps' mean is outside the interval of least squares, shape (N,) bool.

    Args:
        columns: From `region_columns`.
        name: ``Ki`` or ``V0``.
    """
    said = columns[f"{name}-maps"]
    return np.asarray((said < columns[f"{name}-q05"]) | (said > columns[f"{name}-q95"]))


def region_remarks(columns: Mapping[str, Any], method: str) -> list[str]:
    """Return a remark for each map whose means of regions are not what the frames say.

    Args:
        columns: From `region_columns`.
        method: Name of the method.
    """
    remarks = []
    for name in MAPS:
        off = outside(columns, name)
        if not off.any():
            continue
        away = np.abs(columns[f"{name}-maps"] - columns[name]) / columns[f"{name}-sd"]
        worst = sorted(np.flatnonzero(off), key=lambda i: -away[i])
        told = "; ".join(_told(columns, name, i) for i in worst[:_NAMED])
        more = f"; and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
        remarks.append(
            f"the {name} map of {method} is off for {len(worst)} of {off.size} regions, whose mean"
            " lies outside the 90 % interval of least squares over the region (of a map without"
            f" error about one in ten would): {told}{more}; the table of regions has both"
        )
    return remarks


def _told(columns: Mapping[str, Any], name: str, i: int) -> str:
    mean, low, high, maps = (columns[name + end][i] for end in ("", "-q05", "-q95", "-maps"))
    return (
        f"{columns['region'][i]} (maps say {maps:.3g}, least squares over the region says"
        f" {mean:.3g}, {low:.3g} to {high:.3g})"
    )


def _sds(fit: PatlakFit, number: np.ndarray) -> np.ndarray:
    """Return the SD of the mean of least squares over each region, shape (N, 2), as the maps."""
    problem = fit.study.problem
    boxes: Sequence[Any] = find_objects(number)
    if not boxes:
        return np.zeros((0, 2))
    variance = noise_map(problem)
    noise = RegionNoise(problem, variance.numpy(), noise_correlation(problem, variance))
    found = [noise.sd(number[box] == i, box) for i, box in enumerate(boxes, start=1)]
    return np.array(found) * problem.scale.numpy()
