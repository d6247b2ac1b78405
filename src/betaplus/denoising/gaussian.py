r"""A Gaussian filter whose width suits the noise of the image.

Where uptake changes over a length L, a filter of width f leaves an error of bias that grows as
(f / L)^4, and one of noise that falls as r^2 v / f^3, with r the noise relative to the uptake and v
the volume over which it is correlated. Their sum is least for

.. math:: f = c\,(r^2\, v\, L^4)^{1/7}

(the usual balance of kernel smoothing in three dimensions: Silverman, Density Estimation, 1986,
section 4.3). c has no unit: on two simulated bodies at 4 mm, whose SD of noise was known, the
filter of least error had 0.91 to 0.96 at 1/4, 1/20 and 1/100 of a usual dose.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["GRAIN", "TRUNCATE", "GaussianSettings", "gaussian", "matched_fwhm", "noise_left"]

GRAIN = 4.0
"""Cube root of the volume that noise is correlated over, at least [mm]: that of the surrogate of a
Quadra, 3.6 to 4.8 by the width that it is measured at; nominal for others."""

TRUNCATE = 4.0
"""Where the kernel ends [SD]."""

_LENGTH = 10.0  # L [mm]: nominal
_LEAST = 0.05  # of the image's energy is uptake at least


@dataclass(frozen=True, kw_only=True)
class GaussianSettings:
    """Settings of the Gaussian filter.

    Attributes:
        fwhm: Full width at half maximum [mm]; chosen by the noise if None; 0 does nothing.
        strength: c, which the width is chosen by.
    """

    fwhm: float | None = None
    strength: float = 0.9

    def __post_init__(self) -> None:
        if self.fwhm is not None and not (math.isfinite(self.fwhm) and 0 <= self.fwhm <= 200):
            raise UsageError(f"Gaussian filter: fwhm of {self.fwhm:g} mm", "expected 0 to 200")
        if not (math.isfinite(self.strength) and 0 <= self.strength <= 100):
            raise UsageError(f"Gaussian filter: strength {self.strength:g}", "expected 0 to 100")


def gaussian(
    image: np.ndarray,
    sd: np.ndarray | float,
    voxel: Sequence[float],
    settings: GaussianSettings = GaussianSettings(),
    *,
    mask: np.ndarray | None = None,
    grain: float | None = None,
) -> np.ndarray:
    """Return a filtered image, shape (X, Y, Z) float32 [SUV]; at its borders voxels are reflected.

    Args:
        image: Noisy, shape (X, Y, Z) [SUV].
        sd: Of the noise at each voxel, likewise [SUV], or one number; used where the width is
            chosen by it.
        voxel: Voxel edges [mm].
        settings: Of the filter.
        mask: Voxels that the noise is taken from, likewise, and the only ones that change, though
            others are looked at. All if None.
        grain: As in `matched_fwhm`.

    Raises:
        InputError: If shapes differ or a voxel is no finite number.
    """
    from scipy.ndimage import gaussian_filter1d

    y = np.asarray(image, np.float32)
    if y.ndim != 3 or y.size == 0:
        raise InputError(f"image of shape {y.shape}", "expected one volume (X, Y, Z)")
    if not np.isfinite(y).all():
        raise InputError("the image holds a voxel that is not finite", "expected numbers")
    if mask is not None and np.shape(mask) != y.shape:
        raise InputError(f"image {y.shape} and mask {np.shape(mask)}", "expected one grid")
    fwhm = settings.fwhm
    if fwhm is None:
        fwhm = settings.strength * matched_fwhm(y, sd, voxel, mask=mask, grain=grain)
    out = y.copy()
    for axis, edge in enumerate(voxel):
        sigma = sigma_of_fwhm(fwhm) / edge
        if sigma > 0 and y.shape[axis] > 1:
            out = gaussian_filter1d(out, sigma, axis=axis, mode="reflect", truncate=TRUNCATE)
    return out if mask is None else np.where(mask, out, y)


def matched_fwhm(
    image: np.ndarray,
    sd: np.ndarray | float,
    voxel: Sequence[float],
    *,
    mask: np.ndarray | None = None,
    grain: float | None = None,
) -> float:
    """Return the width (r^2 v L^4)^(1/7) for a strength of 1 [mm]; 0 without noise.

    Args:
        image: Noisy, shape (X, Y, Z) [SUV].
        sd: Of the noise at each voxel, likewise [SUV], or one number.
        voxel: Voxel edges [mm].
        mask: Voxels to measure in, likewise; all if None.
        grain: Cube root of v, the integral of the noise's autocorrelation [mm]; if None `GRAIN`,
            and along longer voxels their edge.

    Raises:
        InputError: If shapes differ, the mask is empty, or an SD is below 0 or not finite.
        UsageError: If the grain is not above 0.
    """
    noise = np.broadcast_to(np.asarray(sd, np.float32), np.shape(image)) if not np.ndim(sd) else sd
    if np.shape(noise) != np.shape(image):
        raise InputError(f"image {np.shape(image)} and SD {np.shape(noise)}", "expected one grid")
    keep = np.ones(np.shape(image), bool) if mask is None else np.asarray(mask, bool)
    if grain is not None and not (math.isfinite(grain) and grain > 0):
        raise UsageError(f"noise correlated over {grain:g} mm", "expected a length above 0")
    if not keep.any():
        raise InputError("no voxel lies in the mask", "expected one or more")
    found, spread = (
        float(np.square(np.asarray(x)[keep], dtype=np.float64).sum()) for x in (image, noise)
    )
    if not math.isfinite(spread) or np.min(noise) < 0:
        raise InputError("an SD of noise is below 0 or not finite", "expected 0 or above")
    if spread == 0.0 or found == 0.0:
        return 0.0
    ratio = spread / max(found - spread, _LEAST * found)
    return (ratio * math.prod(_grains(voxel, grain)) * _LENGTH**4) ** (1.0 / 7.0)


def noise_left(voxel: Sequence[float], fwhm: float, grain: float | None = None) -> float:
    """Return the share of the noise's variance that a Gaussian filter leaves.

    As if the noise were white noise through a Gaussian of SD s that correlates it over the grain,
    (4 pi)^(1/2) s along each axis; the filter's adds to its square.

    Args:
        voxel: Voxel edges [mm].
        fwhm: Of the filter, full width at half maximum [mm].
        grain: As in `matched_fwhm`.
    """
    sigma = sigma_of_fwhm(fwhm)
    own = [g / math.sqrt(4.0 * math.pi) for g in _grains(voxel, grain)]
    return math.prod(s / math.hypot(s, sigma) for s in own)


def _grains(voxel: Sequence[float], grain: float | None) -> list[float]:
    return [max(float(v), GRAIN) if grain is None else float(grain) for v in voxel]
