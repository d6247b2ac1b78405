"""Structural similarity in three dimensions (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004).

SSIM = (2 mx my + C1) (2 sxy + C2) / ((mx^2 + my^2 + C1) (sx^2 + sy^2 + C2)), with local means,
variances and covariance under a Gaussian window of SD 1.5 voxels along each axis, cut at 3.5 SD:
11 x 11 x 11 voxels, weights that sum to 1, variances without the n - 1 correction. C1 = (.01 L)^2,
C2 = (.03 L)^2 for a data range L. These are the window and constants of the paper, with one more
axis. At the edges of the volume voxels are reflected, so that every voxel has a value.
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.masking import inside

__all__ = ["RADIUS", "SIGMA", "TRUNCATE", "ssim", "ssim_map"]

SIGMA = 1.5
"""SD of the window [voxels]."""

TRUNCATE = 3.5
"""Where the window ends [SD]."""

RADIUS = int(TRUNCATE * SIGMA + 0.5)
"""Half the width of the window, less its centre [voxels]."""

_K1, _K2 = 0.01, 0.03


def ssim(
    image: np.ndarray,
    reference: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    data_range: float | None = None,
) -> float:
    """Return the mean of the SSIM map over the mask; windows reach beyond it.

    Args:
        image: The image, shape (X, Y, Z).
        reference: What it should be, likewise.
        mask: Voxels to average over, likewise; all if None.
        data_range: L; the largest voxel of the reference in the mask if None, since activity
            starts at 0.

    Returns:
        1 for equal images; NaN where the data range is not above 0.

    Raises:
        InputError: If shapes differ, the mask is empty, or a voxel within a window is no finite
            number.
    """
    _, r = inside(mask, image=image, reference=reference)
    span = float(r.max()) if data_range is None else float(data_range)
    if not span > 0:
        return math.nan
    keep = np.ones(np.shape(reference), dtype=bool) if mask is None else np.asarray(mask, bool)
    box = _within_reach(keep)
    found = ssim_map(np.asarray(image)[box], np.asarray(reference)[box], span)
    return float(found[keep[box]].mean())


def ssim_map(image: np.ndarray, reference: np.ndarray, data_range: float) -> np.ndarray:
    """Return SSIM at every voxel, float64 in the shape of the images.

    Args:
        image: The image, shape (X, Y, Z) (any number of axes will do).
        reference: What it should be, likewise.
        data_range: L, in the unit of the images.

    Raises:
        InputError: If shapes differ or a voxel is no finite number.
    """
    from scipy.ndimage import gaussian_filter

    x, y = np.asarray(image, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if x.shape != y.shape:
        raise InputError(f"image {x.shape} and reference {y.shape}", "expected one grid")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("a voxel within a window of SSIM is not finite", "expected numbers")

    def local(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, SIGMA, truncate=TRUNCATE, mode="reflect")

    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    mx, my = local(x), local(y)
    power = mx**2 + my**2
    spread = local(x * x)
    spread += local(y * y)
    spread -= power
    product = mx * my
    shared = local(x * y)
    shared -= product
    return (2 * product + c1) * (2 * shared + c2) / ((power + c1) * (spread + c2))


def _within_reach(mask: np.ndarray) -> tuple[slice, ...]:
    """The part of a volume that the windows of a mask reach."""
    box = []
    for axis, n in enumerate(mask.shape):
        others = tuple(a for a in range(mask.ndim) if a != axis)
        line = np.flatnonzero(mask.any(axis=others))
        box.append(slice(max(int(line[0]) - RADIUS, 0), min(int(line[-1]) + 1 + RADIUS, n)))
    return tuple(box)
