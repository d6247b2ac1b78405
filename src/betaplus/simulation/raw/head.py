"""A head in a scanner: its tissues on a grid along the scanner's axes.

The head lies first and supine. A point of the phantom, in its own RAS coordinates [mm], is at that
point less `HEAD_CENTRE` in the world of the scanner's images, whose origin is the scanner's centre.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.core.seeds import generator
from betaplus.physics.threads import available_cores, each
from betaplus.simulation.anatomy import LABELS, Anatomy, Space
from betaplus.simulation.fields import SpaceField
from betaplus.simulation.phantom import Phantom

__all__ = [
    "HEAD_CENTRE",
    "Head",
    "average",
    "coarse_phantom",
    "finer",
    "make_head",
    "scanner_grid",
]

HEAD_CENTRE = (0.0, -16.0, 10.0)
"""Point of the phantom that is put in the scanner's centre [mm, RAS]: at the height of putamen and
thalamus, in the middle of the cerebrum."""

_BOX = ((-90.0, 90.0), (-124.0, 96.0), (-np.inf, 98.0))  # mm, RAS: no head reaches further
_FIELD_BOX = ((-130.0, -150.0, -140.0), (130.0, 120.0, 120.0))
_WITHIN = 0.10  # standard deviation of the logarithm of K1 inside a region
_WITHIN_FWHM = 14.0  # mm
_SLAB = 64  # slices labelled at a time
_REACH = 6.0  # mm: further than this no point's label depends on another point
_DRAW = 20

_EDGE = 2.0  # mm: of a voxel across
_MOST = 64  # voxels from the axis to the edge
_SLICES = {"teaching": 16}


def scanner_grid(scanner: Scanner) -> ImageGrid:
    """Return the grid that a head in a scanner is meant to be reconstructed on.

    Voxels of 2 mm across, 128 x 128 where that fits into the bore, and slices of half the ring
    pitch: 127 for the mMR, 16 for the teaching scanner.
    """
    half = int(min(_MOST, 0.98 * scanner.radius / np.sqrt(2.0) / _EDGE))
    slices = _SLICES.get(scanner.name, 2 * scanner.rings - 1)
    return ImageGrid(
        shape=(2 * half, 2 * half, slices), voxel_size=(_EDGE, _EDGE, scanner.ring_pitch / 2.0)
    )


def finer(grid: ImageGrid) -> ImageGrid:
    """Return the same block of space in voxels of half the edges."""
    x, y, z = (2 * n for n in grid.shape)
    a, b, c = (v / 2.0 for v in grid.voxel_size)
    return ImageGrid(shape=(x, y, z), voxel_size=(a, b, c), centre=grid.centre)


def average(image: np.ndarray) -> np.ndarray:
    """Return the mean of each 2 x 2 x 2 voxels, shape (X / 2, Y / 2, Z / 2), float32."""
    x, y, z = (n // 2 for n in image.shape)
    return image.reshape(x, 2, y, 2, z, 2).mean(axis=(1, 3, 5), dtype=np.float64).astype(np.float32)


@dataclass(frozen=True, eq=False, kw_only=True)
class Head:
    """A head on a grid of the scanner.

    Attributes:
        grid: The grid.
        labels: Label of each voxel (`LABELS`), shape (X, Y, Z) uint8; 0 is air.
        delivery: K1 of each voxel over that of its region, shape (X, Y, Z) float32: log-normal with
            mean 1, correlated over 14 mm.
    """

    grid: ImageGrid
    labels: np.ndarray
    delivery: np.ndarray


def make_head(grid: ImageGrid, seed: int = 0, threads: int | None = None) -> Head:
    """Return the head of a seed; it is the same head on every grid.

    Args:
        grid: The grid, in the scanner's axes.
        seed: Chooses the head.
        threads: Threads; the cores available if None. Results do not depend on it.
    """
    anatomy = Anatomy(seed)
    axes = [c - grid.axis(i) for i, c in enumerate(HEAD_CENTRE)]  # RAS axes run against x, y, z
    inside = [_between(a, *limits) for a, limits in zip(axes, _BOX, strict=True)]
    across = [a[part].astype(np.float32) for a, part in zip(axes[:2], inside[:2], strict=True)]
    spacing = float(np.mean(grid.voxel_size))
    margin = int(np.ceil(_REACH / grid.voxel_size[2])) + 1
    labels = np.zeros(grid.shape, dtype=np.uint8)
    box = labels[inside[0], inside[1]]

    def fill(low: int, high: int) -> None:
        first, last = max(low - margin, 0), min(high + margin, grid.shape[2])
        heights = axes[2][first:last].astype(np.float32)
        points = np.meshgrid(*across, heights, indexing="ij")
        found = anatomy.labels(Space(*points, spacing))
        box[:, :, low:high] = found[:, :, low - first : high - first]

    z = inside[2]
    slabs = [(low, min(low + _SLAB, z.stop)) for low in range(z.start, z.stop, _SLAB)]
    if box.size:
        each(fill, slabs, available_cores() if threads is None else threads)
    return Head(grid=grid, labels=labels, delivery=_delivery(axes, labels, seed))


def coarse_phantom(head: Head, grid: ImageGrid) -> Phantom:
    """Return the labels that most of the 2 x 2 x 2 voxels have, with the world of the grid."""
    x, y, z = grid.shape
    blocks = head.labels.reshape(x, 2, y, 2, z, 2)
    best, most = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.uint8)
    for label in (0, *LABELS):
        votes = (blocks == label).sum(axis=(1, 3, 5), dtype=np.uint8)
        wins = votes > most
        best[wins], most[wins] = label, votes[wins]
    present = set(np.unique(best).tolist())
    names = {i: name for i, name in LABELS.items() if i in present}
    return Phantom(best, grid.affine, names)


def _between(axis: np.ndarray, low: float, high: float) -> slice:
    """Return the range of a falling or rising axis that lies between two ends."""
    found = np.flatnonzero((axis >= low) & (axis <= high))
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


def _delivery(axes: list[np.ndarray], labels: np.ndarray, seed: int) -> np.ndarray:
    field = SpaceField(*_FIELD_BOX, _WITHIN_FWHM, generator(seed, item=0, draw=_DRAW))
    out = np.zeros(labels.shape, dtype=np.float32)
    for z in range(labels.shape[2]):
        i, j = np.nonzero(labels[:, :, z])
        if i.size:
            height = np.full(i.size, axes[2][z])
            values = _WITHIN * field(axes[0][i], axes[1][j], height) - 0.5 * _WITHIN**2
            out[i, j, z] = np.exp(values)
    return out
