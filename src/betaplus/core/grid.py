"""Where the voxels of an image are in the scanner."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError

__all__ = ["ImageGrid"]


@dataclass(frozen=True, kw_only=True)
class ImageGrid:
    """An image grid along the scanner's axes.

    Attributes:
        shape: Voxels along x, y, z.
        voxel_size: Their edges [mm].
        centre: Centre of the grid [mm]; 0, 0, 0 is the centre of the scanner.
    """

    shape: tuple[int, int, int]
    voxel_size: tuple[float, float, float]
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise UsageError(
                f"an image grid of shape {self.shape}", "expected three numbers from 1"
            )
        if len(self.voxel_size) != 3 or not all(0.0 < v < math.inf for v in self.voxel_size):
            raise UsageError(f"voxels of {self.voxel_size} mm", "expected three lengths above 0")
        if len(self.centre) != 3 or not all(math.isfinite(c) for c in self.centre):
            raise UsageError(f"a grid at {self.centre} mm", "expected three numbers")

    @property
    def first(self) -> tuple[float, float, float]:
        """Centre of the first voxel [mm]."""
        x, y, z = (
            c - 0.5 * (n - 1) * v
            for c, n, v in zip(self.centre, self.shape, self.voxel_size, strict=True)
        )
        return x, y, z

    @property
    def affine(self) -> np.ndarray:
        """Voxel to world of a patient head first and supine, shape (4, 4) [mm], RAS+."""
        affine = np.diag([*(-v for v in self.voxel_size), 1.0])
        x, y, z = self.first
        affine[:3, 3] = -x, -y, -z
        return affine

    def axis(self, i: int) -> np.ndarray:
        """Return the centres of voxels along an axis [mm]."""
        return self.first[i] + np.arange(self.shape[i]) * self.voxel_size[i]
