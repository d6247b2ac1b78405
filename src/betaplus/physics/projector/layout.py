"""What the kernels need to know of a scanner and an image grid, in voxels.

Planes of a segment share one obliqueness, so that along a ray their heights differ by a constant.
Where that is a whole number of slices (the grid of half the ring pitch, or a finer one) the kernels
run over planes without looking anything up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner

__all__ = ["Layout", "make_layout"]

_WHOLE = 1e-4  # by which the step between planes may differ from whole slices


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """A scanner in the voxels of a grid.

    Attributes:
        ends: Ends of each bin's line across the bore, x1, y1, x2, y2 [voxels], shape (view,
            radial, 4), float64.
        first: First plane of each segment.
        planes: Planes of each segment.
        low: Height of the first plane's middle [slices].
        stride: Slices between planes.
        rise: Slices that a line climbs from its first to its second end, by segment.
        voxel: Edges of a voxel [mm].
        rise_mm: Rise [mm].
        whole: Whole slices between planes, 0 where they are not.
    """

    ends: np.ndarray
    first: np.ndarray
    planes: np.ndarray
    low: np.ndarray
    stride: np.ndarray
    rise: np.ndarray
    voxel: np.ndarray
    rise_mm: np.ndarray
    whole: np.ndarray


def make_layout(scanner: Scanner, grid: ImageGrid) -> Layout:
    """Return a scanner in the voxels of a grid.

    Raises:
        UsageError: If lines climb more than a slice per voxel, which Joseph's method along x and y
            does not follow, or if the grid reaches the crystals.
    """
    voxel = np.asarray(grid.voxel_size)
    origin = np.asarray(grid.first)
    corner = np.abs(np.stack([origin, origin + (np.asarray(grid.shape) - 1) * voxel]))
    across = float(np.hypot(*(corner.max(0) + 0.5 * voxel)[:2]))
    if across >= scanner.radius and corner[:, :2].max() >= scanner.radius:
        raise UsageError(
            f"an image grid that reaches {corner[:, :2].max():.0f} mm from the axis",
            f"expected less than the {scanner.radius:g} mm to the crystals of {scanner.name}",
        )
    xy = (scanner.detector_xy - origin[:2]) / voxel[:2]
    ends = xy[scanner.pairs].reshape(scanner.views, scanner.radial, 4)
    segments = scanner.michelogram.segments
    rings = np.array([s.mean_difference for s in segments])
    middle = np.array([0.5 * s.start for s in segments]) - 0.5 * (scanner.rings - 1)
    step = np.array([0.5 * s.step for s in segments]) * scanner.ring_pitch / voxel[2]
    whole = np.rint(step)
    fits = (np.abs(step - whole) < _WHOLE * whole).all()
    rise_mm = rings * scanner.ring_pitch
    _check_climb(scanner, grid, float(np.abs(rise_mm).max()))
    return Layout(
        ends=np.ascontiguousarray(ends),
        first=np.array([s.first for s in segments]),
        planes=np.array([s.planes for s in segments]),
        low=(middle * scanner.ring_pitch - origin[2]) / voxel[2],
        stride=step,
        rise=rise_mm / voxel[2],
        voxel=voxel,
        rise_mm=rise_mm,
        whole=(whole if fits else 0 * whole).astype(np.int64),
    )


def _check_climb(scanner: Scanner, grid: ImageGrid, rise: float) -> None:
    """Refuse lines that skip slices inside the grid."""
    x, y, z = grid.voxel_size
    half = min(0.5 * max(grid.shape[0] * x, grid.shape[1] * y), 0.9 * scanner.effective_radius)
    chord = 2.0 * np.sqrt(scanner.effective_radius**2 - half**2)
    slices = rise / (chord / np.sqrt(2.0)) * max(x, y) / z
    if slices > 2.0:
        raise UsageError(
            f"lines of {scanner.name} that climb {slices:.1f} slices per voxel",
            "expected at most 2",
            "choose a smaller max_ring_difference, thicker slices or smaller voxels across",
        )
