"""How the posteriors of voxels meet a truth that is known, region by region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["region_accuracy"]

_ESTIMATES = ("mean", "median")


def region_accuracy(
    found: Mapping[str, np.ndarray],
    truth: np.ndarray,
    labels: np.ndarray,
    names: Mapping[int, str],
) -> dict[str, dict[str, Any]]:
    """Return bias and coverage of one parameter in every region and in all voxels.

    The truth of a region is one draw (its voxels differ by a tenth), so the coverage of a region is
    conditional on it: a Bayesian interval that holds 90 % of the truths drawn from the prior need
    not hold 90 % at any one of them, and does not where the data say little and the prior pulls.
    Noise of neighbouring voxels is correlated: binomial standard errors are too small.

    Args:
        found: ``mean``, ``std``, ``median``, ``q05`` and ``q95`` of the posteriors, shape (N,).
        truth: True values, shape (N,); voxels whose truth is not above 0 are left out.
        labels: Region of each voxel, shape (N,).
        names: Label to region.

    Returns:
        Region (and ``all``) to ``voxels``, ``truth`` (median), ``<estimate>_percent`` (median of
        estimate / truth - 1) and ``<estimate>_sd`` (median of (estimate - truth) / SD) for mean
        and median, ``coverage`` (share of truths from the 5 % to the 95 % quantile), ``below`` and
        ``above`` (shares of truths outside).
    """
    truth = np.asarray(truth, dtype=np.float64)
    values = {name: np.asarray(array, dtype=np.float64) for name, array in found.items()}
    known = (truth > 0) & np.isfinite(truth) & (values["std"] > 0)
    for array in values.values():
        known &= np.isfinite(array)
    below, above = truth < values["q05"], truth > values["q95"]
    out: dict[str, dict[str, Any]] = {}
    for region, chosen in {
        "all": known,
        **{name: known & (labels == label) for label, name in names.items()},
    }.items():
        if not chosen.any():
            continue
        true = truth[chosen]
        row: dict[str, Any] = {"voxels": int(chosen.sum()), "truth": float(np.median(true))}
        for name in _ESTIMATES:
            error = values[name][chosen] - true
            row[f"{name}_percent"] = float(100 * np.median(error / true))
            row[f"{name}_sd"] = float(np.median(error / values["std"][chosen]))
        row["below"] = float(below[chosen].mean())
        row["above"] = float(above[chosen].mean())
        row["coverage"] = 1.0 - row["below"] - row["above"]
        out[region] = row
    return out
