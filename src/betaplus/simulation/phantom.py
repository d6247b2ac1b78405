"""A phantom: a label map with names and a place in the world."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Phantom"]


@dataclass(frozen=True, eq=False)
class Phantom:
    """A label map.

    Attributes:
        labels: Label of each voxel, shape (X, Y, Z), an unsigned integer; 0 is air.
        affine: Voxel to world matrix (RAS), shape (4, 4) [mm].
        names: Label to region name, of the labels that are there.
    """

    labels: np.ndarray
    affine: np.ndarray
    names: dict[int, str]

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Edges of a voxel [mm]."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel(self) -> float:
        """Edge of a voxel along the first axis [mm]."""
        return self.voxel_size[0]
