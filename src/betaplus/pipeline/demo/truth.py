"""Posteriors beside the truth they should cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.io.nifti import open_nifti
from betaplus.io.tsv import column_numbers, read_table

__all__ = ["Agreement", "agreement", "read_truth_maps", "read_truth_table", "region_truth"]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How the posteriors of one parameter meet the truth.

    Attributes:
        coverage: Share of the true values between the 5 % and the 95 % quantile; 0.9 would be
            right if the truth came from the prior.
        error: Median of |median - truth| / truth.
        spread: Median of SD / truth.
        correlation: Pearson correlation of posterior medians with the truth.
    """

    coverage: float
    error: float
    spread: float
    correlation: float


def read_truth_maps(
    paths: Mapping[str, Path], names: tuple[str, ...], mask: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the true value of each parameter in the voxels of a mask, name to shape (N,)."""
    maps = {name: open_nifti(paths[f"truth/{name}"]).read() for name in names}
    return {name: values[mask].astype(np.float64) for name, values in maps.items()}


def read_truth_table(path: Path) -> dict[str, np.ndarray]:
    """Return the true parameters of curves, name to shape (N,)."""
    columns = read_table(path)
    del columns["region"]
    return {name: column_numbers(column, name, path.name) for name, column in columns.items()}


def region_truth(
    truth: Mapping[str, np.ndarray], labels: np.ndarray, names: Mapping[int, str]
) -> dict[str, dict[str, float]]:
    """Return the mean true value of each parameter in each region.

    Args:
        truth: Parameter to values in the voxels, shape (N,).
        labels: Label of those voxels, shape (N,).
        names: Label to region.
    """
    return {
        region: {p: float(values[labels == label].mean()) for p, values in truth.items()}
        for label, region in names.items()
        if (labels == label).any()
    }


def agreement(
    posterior: Posterior, truth: Mapping[str, np.ndarray], mask: np.ndarray | None = None
) -> dict[str, Agreement]:
    """Return how the posterior of each parameter meets the truth.

    Args:
        posterior: Of an image or of curves.
        truth: Parameter to true values, shape (N,).
        mask: For an image, the voxels, shape (X, Y, Z).
    """

    def inside(values: np.ndarray) -> np.ndarray:
        return np.asarray(values if mask is None else values[mask], dtype=np.float64)

    out = {}
    for name, true in truth.items():
        if name not in posterior.parameters:
            continue
        marginal = posterior[name]
        low, middle, high = (inside(marginal.quantiles[q]) for q in (0.05, 0.5, 0.95))
        known = np.isfinite(true) & (true > 0) & np.isfinite(middle)
        scale = true[known]
        several = known.sum() > 2
        out[name] = Agreement(
            coverage=float(((low <= true) & (true <= high))[known].mean()),
            error=float(np.median(np.abs(middle[known] - scale) / scale)),
            spread=float(np.nanmedian(inside(marginal.std)[known] / scale)),
            correlation=float(np.corrcoef(middle[known], scale)[0, 1]) if several else np.nan,
        )
    return out
