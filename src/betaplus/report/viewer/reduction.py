"""A part of a volume in voxels coarse enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Reduction"]


@dataclass(frozen=True, eq=False)
class Reduction:
    """Means over blocks of voxels of a box.

    Attributes:
        box: The part that is shown, three slices.
        factor: Voxels of a block along each axis.
        affine: Block to world matrix, shape (4, 4) [mm].
    """

    box: tuple[slice, ...]
    factor: tuple[int, int, int]
    affine: np.ndarray

    @classmethod
    def of(cls, box: Sequence[slice], affine: np.ndarray, limit: int) -> Reduction:
        """Return the finest one with at most `limit` blocks and blocks near to cubes.

        Args:
            box: The part that is shown.
            affine: Voxel to world matrix, shape (4, 4) [mm].
            limit: Blocks that may be.
        """
        affine = np.asarray(affine, dtype=np.float64)
        edge = np.linalg.norm(affine[:3, :3], axis=0)
        size = np.array([part.stop - part.start for part in box])
        factor = np.ones(3, dtype=int)
        while np.prod(-(-size // factor)) > max(limit, 1) and (factor < size).any():
            factor[int(np.argmin(np.where(factor < size, edge * factor, np.inf)))] += 1
        corner = np.array([part.start for part in box])
        matrix = affine.copy()
        matrix[:3, 3] += affine[:3, :3] @ (corner + 0.5 * (factor - 1))
        matrix[:3, :3] *= factor
        return cls(tuple(box), (int(factor[0]), int(factor[1]), int(factor[2])), matrix)

    @property
    def voxel(self) -> np.ndarray:
        """Edges of a block, shape (3,) [mm]."""
        return np.asarray(np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def coarser(self) -> bool:
        """Whether a block holds more than one voxel."""
        return max(self.factor) > 1

    def means(self, volume: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of the kept voxels of each block, and which blocks hold any.

        Args:
            volume: Shape (X, Y, Z); values that are no numbers are left out.
            keep: Voxels that count, shape (X, Y, Z) bool.
        """
        values = np.asarray(volume[self.box], dtype=np.float32)
        kept = keep[self.box] & np.isfinite(values)
        count = self._sums(kept.astype(np.float32))
        total = self._sums(np.where(kept, values, np.float32(0)))
        inside = count > 0
        return np.divide(total, count, out=np.zeros_like(total), where=inside), inside

    def fractions(self, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many voxels of each block are kept, and whether any is."""
        count = self._sums(keep[self.box].astype(np.float32))
        return count, count > 0

    def _sums(self, values: np.ndarray) -> np.ndarray:
        for axis, step in enumerate(self.factor):
            if step > 1:
                edges = np.arange(0, values.shape[axis], step)
                values = np.add.reduceat(values, edges, axis=axis)
        return values
