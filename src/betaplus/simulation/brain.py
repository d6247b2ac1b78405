"""The brain phantom on a voxel grid: labels, names and the affine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.simulation.anatomy import LABELS, Anatomy, Space

__all__ = ["SIZES", "BrainPhantom", "make_brain"]

SIZES = {
    "small": ((40, 48, 32), 4.5),
    "full": ((96, 112, 80), 2.0),
    "large": ((148, 172, 124), 1.3),
    "largest": ((184, 214, 154), 1.05),
}
"""Size to grid shape and voxel edge [mm]. `large` is about the grid of a dedicated brain scanner,
with more than a million voxels inside the head."""

_CENTRE = (0.0, -14.0, 15.0)  # mm: of the field of view
_FINER = 2  # sub-voxels along an edge that vote for the voxel's label
_SLAB = 16  # voxels: planes labelled at a time
_REACH = 6.0  # mm: further than this no point's label depends on another point


@dataclass(frozen=True, eq=False)
class BrainPhantom:
    """A head as a label map.

    Attributes:
        labels: Label of each voxel, shape (X, Y, Z) uint8; 0 is air.
        affine: Voxel to world matrix (RAS), shape (4, 4) [mm].
        names: Label to region name.
    """

    labels: np.ndarray
    affine: np.ndarray
    names: dict[int, str]

    @property
    def voxel(self) -> float:
        """Edge of a voxel [mm]."""
        return float(self.affine[0, 0])


def make_brain(size: str = "small", seed: int = 0) -> BrainPhantom:
    """Return the head of a seed; all sizes show the same head.

    A voxel takes the label that most of its eight sub-voxels have. Memory does not grow with the
    number of planes: they are labelled a few at a time, with a margin.

    Raises:
        UsageError: If the size is unknown.
    """
    if size not in SIZES:
        raise UsageError(f"size {size!r} is unknown", f"expected one of {', '.join(SIZES)}")
    shape, voxel = SIZES[size]
    anatomy = Anatomy(seed)
    labels = np.empty(shape, dtype=np.uint8)
    margin = int(np.ceil(_REACH / voxel)) + 1
    for low in range(0, shape[2], _SLAB):
        high = min(low + _SLAB, shape[2])
        first, last = max(low - margin, 0), min(high + margin, shape[2])
        fine = anatomy.labels(_fine_space(shape, voxel, first, last))
        inner = slice(_FINER * (low - first), _FINER * (high - first))
        labels[:, :, low:high] = _vote(fine[:, :, inner])
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = [c - 0.5 * voxel * (n - 1) for c, n in zip(_CENTRE, shape, strict=True)]
    present = set(np.unique(labels).tolist())
    return BrainPhantom(labels, affine, {i: name for i, name in LABELS.items() if i in present})


def _fine_space(shape: tuple[int, int, int], voxel: float, first: int, last: int) -> Space:
    """Sub-voxels of the planes from `first` to before `last`."""
    step = voxel / _FINER
    axes = [
        c + step * (np.arange(n * _FINER, dtype=np.float32) - 0.5 * (n * _FINER - 1))
        for c, n in zip(_CENTRE, shape, strict=True)
    ]
    axes[2] = axes[2][_FINER * first : _FINER * last]
    x, y, z = (np.asarray(a, dtype=np.float32) for a in np.meshgrid(*axes, indexing="ij"))
    return Space(x, y, z, step)


def _vote(fine: np.ndarray) -> np.ndarray:
    shape = tuple(n // _FINER for n in fine.shape)
    blocks = fine.reshape([m for n in shape for m in (n, _FINER)])
    best = np.zeros(shape, dtype=np.uint8)
    most = np.zeros(shape, dtype=np.uint8)
    for label in (0, *LABELS):
        votes = (blocks == label).sum(axis=(1, 3, 5), dtype=np.uint8)
        wins = votes > most
        best[wins] = label
        most[wins] = votes[wins]
    return best
