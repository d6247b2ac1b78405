"""Noise at a dose: how large it is, and how it is correlated in space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.fields import gaussian_field, sigma_of_fwhm

__all__ = ["add_image_noise", "noise_at_dose", "noise_sd"]


def noise_at_dose(level: float, dose_fraction: float) -> float:
    """Return the noise level l when only a fraction of the counts is kept: l / sqrt(fraction).

    Activities stay those of the full dose, as when events are dropped from a list-mode file.

    Raises:
        UsageError: If the fraction is not above 0.
    """
    if not (np.isfinite(dose_fraction) and dose_fraction > 0):
        raise UsageError(f"dose fraction is {dose_fraction:g}", "expected a number above 0")
    return level / float(np.sqrt(dose_fraction))


def noise_sd(
    clean: np.ndarray, level: float | np.ndarray, gain: np.ndarray, floor: float
) -> np.ndarray:
    """Return sigma = l sqrt((C + c0) g), shape (..., T).

    Args:
        clean: Noise-free frame means C, shape (..., T) [Bq/mL].
        level: l [sqrt(Bq/mL min)], broadcast to (..., T).
        gain: g of `betaplus.physics.noise.noise_gain`, shape (T,) [1/min].
        floor: c0 of `betaplus.physics.noise.noise_floor` [Bq/mL].
    """
    return level * np.sqrt((np.maximum(clean, 0.0) + floor) * gain)


def add_image_noise(
    image: np.ndarray,
    sd: np.ndarray,
    frame: int,
    voxel: Sequence[float],
    fwhm: float,
    seed: int,
) -> np.ndarray:
    """Return one frame with Gaussian noise correlated by a Gaussian kernel.

    The correlated field has variance exactly 1 at every voxel (`gaussian_field`) and is then
    multiplied by `sd`: smoothing changes the texture, never the marginal standard deviation. Frames
    are independent; negative voxels stay, as in an unbiased reconstruction.

    Args:
        image: Noise-free frame, shape (X, Y, Z).
        sd: Marginal standard deviation, shape (X, Y, Z).
        frame: Index of the frame, which has its own generator.
        voxel: Voxel edges [mm].
        fwhm: Width of the kernel [mm]; the autocorrelation is sqrt(2) times as wide.
        seed: Seed of the scan.
    """
    sigma = [sigma_of_fwhm(fwhm) / v for v in voxel]
    field = gaussian_field(image.shape, sigma, generator(seed, item=frame, draw=6))
    return image + sd * field
