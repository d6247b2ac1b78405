"""The brain phantom on a voxel grid: labels, names and the affine."""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.simulation.anatomy import LABELS, Anatomy, Space
from betaplus.simulation.head_spread import USUAL, HeadSpread
from betaplus.simulation.phantom import Phantom

__all__ = ["SIZES", "make_brain"]

SIZES = {
    "small": ((40, 48, 32), 4.5),
    "full": ((96, 112, 80), 2.0),
    "large": ((148, 172, 124), 1.3),
    "largest": ((184, 214, 154), 1.05),
}
"""Size to grid shape and voxel edge [mm]. `large` is about the grid of a dedicated brain scanner,
with more than a million voxels inside the head."""

_CENTRE = (0.0, -14.0, 15.0)  # mm: of the field of view
_FIELD = (200.0, 236.0, 176.0)  # mm: of view, where the voxel is given
_SLAB = 16  # voxels: planes labelled at a time
_REACH = 6.0  # mm: further than this no point's label depends on another point


def make_brain(
    size: str = "small",
    seed: int = 0,
    *,
    voxel: float | None = None,
    spread: HeadSpread = USUAL,
    finer: int = 2,
) -> Phantom:
    """Return the head of a seed; all sizes show the same head.

    A voxel takes the label that most of its sub-voxels have. Memory does not grow with the
    number of planes: they are labelled a few at a time, with a margin.

    Args:
        size: Grid, of `SIZES`.
        seed: Chooses the head.
        voxel: Voxel edge in place of a size's [mm]; the grid then covers 200 x 236 x 176 mm.
        spread: How heads differ.
        finer: Sub-voxels along an edge that vote for the voxel's label; 1 takes the label of its
            centre and is eight times as fast as 2.

    Raises:
        UsageError: If the size is unknown or the voxel is not between 0.5 and 20 mm.
    """
    shape, voxel = _grid(size, voxel)
    anatomy = Anatomy(seed, spread)
    labels = np.empty(shape, dtype=np.uint8)
    margin = int(np.ceil(_REACH / voxel)) + 1
    for low in range(0, shape[2], _SLAB):
        high = min(low + _SLAB, shape[2])
        first, last = max(low - margin, 0), min(high + margin, shape[2])
        fine = anatomy.labels(_fine_space(shape, voxel, finer, first, last))
        inner = slice(finer * (low - first), finer * (high - first))
        labels[:, :, low:high] = _vote(fine[:, :, inner], finer)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    affine[:3, 3] = [c - 0.5 * voxel * (n - 1) for c, n in zip(_CENTRE, shape, strict=True)]
    present = set(np.unique(labels).tolist())
    return Phantom(labels, affine, {i: name for i, name in LABELS.items() if i in present})


def _grid(size: str, voxel: float | None) -> tuple[tuple[int, int, int], float]:
    if voxel is not None:
        if not 0.5 <= voxel <= 20.0:
            raise UsageError(f"a voxel of {voxel:g} mm", "expected 0.5 to 20 mm")
        x, y, z = (2 * int(np.ceil(0.5 * f / voxel - 1e-9)) for f in _FIELD)
        return (x, y, z), float(voxel)
    if size not in SIZES:
        raise UsageError(f"size {size!r} is unknown", f"expected one of {', '.join(SIZES)}")
    return SIZES[size]


def _fine_space(
    shape: tuple[int, int, int], voxel: float, finer: int, first: int, last: int
) -> Space:
    """Sub-voxels of the planes from `first` to before `last`."""
    step = voxel / finer
    axes = [
        c + step * (np.arange(n * finer, dtype=np.float32) - 0.5 * (n * finer - 1))
        for c, n in zip(_CENTRE, shape, strict=True)
    ]
    axes[2] = axes[2][finer * first : finer * last]
    x, y, z = (np.asarray(a, dtype=np.float32) for a in np.meshgrid(*axes, indexing="ij"))
    return Space(x, y, z, step)


def _vote(fine: np.ndarray, finer: int) -> np.ndarray:
    if finer == 1:
        return fine
    shape = tuple(n // finer for n in fine.shape)
    blocks = fine.reshape([m for n in shape for m in (n, finer)])
    best = np.zeros(shape, dtype=np.uint8)
    most = np.zeros(shape, dtype=np.uint8)
    for label in (0, *LABELS):
        votes = (blocks == label).sum(axis=(1, 3, 5), dtype=np.uint8)
        wins = votes > most
        best[wins] = label
        most[wins] = votes[wins]
    return best
