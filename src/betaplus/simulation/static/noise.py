"""The image that a scanner would give of an activity: blurred, and noisy as its dose is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.noise import add_image_noise, noise_at_dose

__all__ = ["blurred", "image_noise"]

# Nominal: at full dose liver of SUV 2.2 has a coefficient of variation of 10 %.
_LEVEL = 0.14  # sqrt(SUV)
_FLOOR = 0.3  # SUV: what crosses every voxel without being emitted there
_FWHM = 5.0  # mm


def blurred(activity: np.ndarray, voxel: Sequence[float], fwhm: float) -> np.ndarray:
    """Return an image through a Gaussian of a width [mm], float32; 0 leaves it."""
    if fwhm <= 0:
        return np.asarray(activity, dtype=np.float32)
    from scipy.ndimage import gaussian_filter

    sigma = [sigma_of_fwhm(fwhm) / v for v in voxel]
    return np.asarray(gaussian_filter(activity, sigma, mode="constant", output=np.float32))


def image_noise(
    activity: np.ndarray,
    mu: np.ndarray,
    voxel: Sequence[float],
    dose_fraction: float,
    seed: int,
) -> np.ndarray:
    """Return an image with noise, shape (X, Y, Z) float32 [SUV].

    The standard deviation goes with the root of activity and of dose, and the noise is correlated
    over 5 mm. It is a stand-in: attenuation, scanner and reconstruction do not enter, as they do in
    `betaplus.simulation.surrogate`.

    Args:
        activity: Blurred, noise-free [SUV].
        mu: Attenuation at 511 keV [1/mm].
        voxel: Voxel edges [mm].
        dose_fraction: Fraction of the counts.
        seed: Chooses the noise.
    """
    level = noise_at_dose(_LEVEL, dose_fraction)
    sd = level * np.sqrt(np.maximum(activity, 0.0) + _FLOOR * (mu > 0))
    return add_image_noise(activity, sd, 0, voxel, _FWHM, seed).astype(np.float32)
