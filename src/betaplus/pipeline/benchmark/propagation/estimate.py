"""What a way says of Ki."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """Ki of voxels and of regions, and the SD that a way states of them [mL/cm3/min].

    Attributes:
        voxel: Shape (n,).
        voxel_sd: Likewise.
        region: Shape (regions,).
        region_sd: Likewise.
    """

    voxel: np.ndarray
    voxel_sd: np.ndarray
    region: np.ndarray
    region_sd: np.ndarray

    @staticmethod
    def of_draws(draws: np.ndarray, regions: np.ndarray) -> Estimate:
        """Return mean and SD of draws, shape (K, n); `regions` holds shares, (regions, n)."""
        means = draws @ regions.T
        return Estimate(draws.mean(0), draws.std(0, ddof=1), means.mean(0), means.std(0, ddof=1))
