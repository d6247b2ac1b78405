"""Volumes as they are drawn: turned to the subject's axes, cropped, with ends for their colours."""

from __future__ import annotations

import numpy as np

__all__ = ["bounding_box", "canonical", "colour_range"]

_ROBUST = 99.5  # percentile of a map at which its colours end
_MOST = 95.0  # percentile that most voxels are below
_FAR = 5.0  # times that value: where the few above it would leave the others without colours
_MARGIN = 2  # voxels around the mask


def canonical(volume: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a volume with axes that run right, anterior and superior, and its affine.

    Args:
        volume: Shape (X, Y, Z) or (X, Y, Z, ...).
        affine: Voxel to world matrix, shape (4, 4) [mm].
    """
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    volume = np.asarray(volume)
    affine = np.asarray(affine, dtype=np.float64)
    turn = io_orientation(affine)
    return apply_orientation(volume, turn), affine @ inv_ornt_aff(turn, volume.shape[:3])


def colour_range(
    values: np.ndarray, vmin: float | None = None, vmax: float | None = None
) -> tuple[float, float]:
    """Return where the colours of a map begin and end.

    Args:
        values: Of the voxels drawn, of any shape; those that are no numbers are left out.
        vmin: Lower end; by default 0, or the 0.5th percentile of a map that goes below 0.
        vmax: Upper end; by default the 99.5th percentile, or twice the 95th where that is far
            beyond it: of a vessel, for example.
    """
    values = values[np.isfinite(values)]
    if values.size == 0:
        return vmin or 0.0, (vmin or 0.0) + 1.0 if vmax is None else vmax
    least = float(np.percentile(values, 100 - _ROBUST))
    low = vmin if vmin is not None else min(least, 0.0)
    high = float(np.percentile(values, _ROBUST)) if vmax is None else vmax
    most = float(np.percentile(values, _MOST))
    if vmax is None and most > max(low, 0.0) and high > _FAR * most:
        high = 2.0 * most
    return low, high if high > low else low + (abs(low) or 1.0)


def bounding_box(keep: np.ndarray) -> list[slice]:
    """Return the slices that hold a mask with a margin; everything if it is empty."""
    box = []
    for axis, n in enumerate(keep.shape):
        line = np.flatnonzero(keep.any(axis=tuple(a for a in range(3) if a != axis)))
        if line.size == 0:
            return [slice(0, m) for m in keep.shape]
        box.append(slice(max(int(line[0]) - _MARGIN, 0), min(int(line[-1]) + 1 + _MARGIN, n)))
    return box
