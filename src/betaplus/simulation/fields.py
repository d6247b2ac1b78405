"""Smooth Gaussian random fields: anatomy, variation inside regions, correlated image noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["SpaceField", "gaussian_field", "sigma_of_fwhm"]

_TRUNCATE = 4.0  # standard deviations: where the smoothing kernel ends


def sigma_of_fwhm(fwhm: float) -> float:
    """Return the standard deviation of a Gaussian of the given full width at half maximum."""
    return fwhm / (2.0 * np.sqrt(2.0 * np.log(2.0)))


def gaussian_field(
    shape: Sequence[int], sigma: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """Return white Gaussian noise convolved with a Gaussian kernel, with variance exactly 1.

    The white noise reaches a kernel's length beyond the grid, so that the field is stationary up
    to its border, and the sum is divided by the root of the summed squares of the kernel: the
    marginal standard deviation is 1 at every voxel, not only on average.

    Args:
        shape: Shape of the field.
        sigma: Standard deviation of the kernel along each axis [voxels]; 0 leaves white noise.
        rng: Source of the white noise.

    Returns:
        float64, shape `shape`; its autocorrelation is a Gaussian of sqrt(2) times the kernel's
        width.
    """
    from scipy.ndimage import convolve1d

    kernels = [_kernel(s) for s in sigma]
    margin = [k.size // 2 for k in kernels]
    field = rng.standard_normal([n + 2 * m for n, m in zip(shape, margin, strict=True)])
    for axis, kernel in enumerate(kernels):
        if kernel.size > 1:
            field = convolve1d(field, kernel, axis=axis, mode="constant")
    inner = tuple(slice(m, m + n) for n, m in zip(shape, margin, strict=True))
    return np.ascontiguousarray(field[inner])


class SpaceField:
    """A unit-variance smooth random function of position, the same on every grid.

    Args:
        low: Lower corner of the box where it is defined [mm].
        high: Upper corner [mm].
        fwhm: Width of the smoothing kernel [mm].
        rng: Source of the noise.
    """

    def __init__(
        self, low: Sequence[float], high: Sequence[float], fwhm: float, rng: np.random.Generator
    ) -> None:
        self.spacing = fwhm / 5.0
        self.low = tuple(float(c) for c in low)
        span = np.subtract(high, low)
        shape = [int(n) + 1 for n in np.ceil(span / self.spacing)]
        self.values = gaussian_field(shape, [sigma_of_fwhm(5.0)] * 3, rng).astype(np.float32)

    def __call__(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Return the function at positions [mm]; outside the box, at its border."""
        from scipy.ndimage import map_coordinates

        at = [(c - low) / self.spacing for c, low in zip((x, y, z), self.low, strict=True)]
        return map_coordinates(self.values, at, order=1, mode="nearest", output=np.float32)


def _kernel(sigma: float) -> np.ndarray:
    if sigma <= 0:
        return np.ones(1)
    reach = max(1, int(np.ceil(_TRUNCATE * sigma)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return weights / np.sqrt(np.sum(weights**2))
