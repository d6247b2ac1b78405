"""Means of regions, with the SD and quantiles of draws where there are any."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.patlak.fitting import PatlakFit

__all__ = ["region_columns"]

_QUANTILES = {"q05": 0.05, "q95": 0.95}


def region_columns(fit: PatlakFit, labels: np.ndarray, names: Mapping[int, str]) -> dict[str, Any]:
    """Return the columns of a table: ``region``, ``volume_ml``, then ``Ki`` and ``V0``.

    With draws also ``Ki-sd``, ``Ki-q05`` and ``Ki-q95``, of the means that each draw has.

    Args:
        fit: The maps.
        labels: Region of each voxel, shape (X, Y, Z).
        names: Label to name; regions without a voxel in the mask are left out.
    """
    mask = fit.study.problem.mask.numpy()
    inside = labels[mask]
    kept = [label for label in names if (inside == label).any()]
    position = np.searchsorted(np.array(sorted(kept)), inside) if kept else inside
    known = np.isin(inside, kept)
    bins, order = position[known], {label: i for i, label in enumerate(sorted(kept))}
    counts = np.bincount(bins, minlength=len(kept))
    at = [order[label] for label in kept]

    def means(volume: np.ndarray) -> np.ndarray:
        sums = np.bincount(bins, volume[mask][known].astype(np.float64), minlength=len(kept))
        return (sums / np.maximum(counts, 1))[at]

    x, y, z = fit.study.image.voxel_size
    columns: dict[str, Any] = {
        "region": [names[label] for label in kept],
        "volume_ml": counts[at] * x * y * z / 1000.0,
    }
    for name, volume in fit.maps.items():
        columns[name] = means(volume)
        if fit.draws is not None and len(fit.draws[name]) > 1:
            drawn = np.stack([means(draw) for draw in fit.draws[name]])
            columns[f"{name}-sd"] = drawn.std(0, ddof=1)
            for label, q in _QUANTILES.items():
                columns[f"{name}-{label}"] = np.quantile(drawn, q, axis=0)
    return columns
