r"""The spectrum of the noise of expectation maximisation, from linear theory.

After n (sub-)iterations the logarithm of an image of maximum likelihood expectation maximisation
deviates from that of noise-free data by :math:`\sum_{j<n} (I - F)^j` times the back-projected noise
over the sensitivity, with :math:`F = s^{-1} A^T m^2 \bar y^{-1} A\,x` (Barrett, Wilson and Tsui,
Phys Med Biol 39, 833, 1994). Where things change slowly, F is a filter (Fessler and Rogers, IEEE
TIP 5, 1346, 1996): :math:`\lambda(f) = q H(f)`, with q = x w / a from the information w and the
survival a of `information`, and H the projector followed by its adjoint, which falls as 1 / |f|.
The relative noise then has the spectrum

.. math:: \frac{w}{N a^2} V(f), \qquad V = H \left[\frac{1 - (1 - qH)^n}{qH}\right]^2

where N is the trues of an SUV of 1 in a unit of volume. At first V is n^2 H: one SD in percent
everywhere. Once q H n is large, the SD goes with the square root of the activity, and noise is of
short range. Both limits, and all between, come from q.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["amplitude", "back_projected", "frequencies", "wedges"]

_LENGTH = 300.0  # of a line through a body [mm]: where 1 / |f| ends


def frequencies(shape: Sequence[int], voxel: Sequence[float]) -> tuple[np.ndarray, ...]:
    """Return fx, fy, fz of a real transform (`scipy.fft.rfftn`), to be broadcast [1/mm]."""
    x = np.fft.fftfreq(shape[0], voxel[0])[:, None, None]
    y = np.fft.fftfreq(shape[1], voxel[1])[None, :, None]
    z = np.fft.rfftfreq(shape[2], voxel[2])[None, None, :]
    return x, y, z


def back_projected(f: Sequence[np.ndarray], voxel: Sequence[float], style: ScanStyle) -> np.ndarray:
    r"""Return H(f), the mean over accepted directions of the transform of a line [mm].

    Lines in the plane alone have 1 / (pi f_t); with angles to the plane up to the tangent T,
    arcsin(min(1, T fz / f_t)) / (pi T fz). Joseph's interpolation is a linear one between voxels,
    used forward and back: (2 + cos 2 pi f v) / 3. A modelled resolution enters twice.
    """
    x, y, z = f
    across = np.sqrt(x * x + y * y + (1.0 / (np.pi * _reach(style))) ** 2)
    tilt = style.acceptance * np.abs(z) / across
    small = tilt < 1e-3
    safe = np.where(small, 1.0, tilt)
    shrink = np.where(small, 1.0, np.arcsin(np.minimum(safe, 1.0)) / safe)
    out = shrink / (np.pi * across)
    v = voxel[0]
    fastest = np.maximum(np.abs(x) * v, np.abs(y) * voxel[1])
    out = out * (2.0 + np.cos(2.0 * np.pi * fastest)) / 3.0
    along = (2.0 + np.cos(2.0 * np.pi * z * voxel[2])) / 3.0
    out = out * (1.0 - style.oblique + style.oblique * along)
    if style.psf > 0.0:
        for axis, edge in zip(f, voxel, strict=True):
            out = out * _blur(axis * edge, sigma_of_fwhm(style.psf) / edge) ** 2
    return out


def amplitude(h: np.ndarray, q: float, updates: int) -> np.ndarray:
    """Return the root of V(f) after some sub-iterations, for the q of a place [sqrt(mm)]."""
    eigenvalue = np.minimum(q * h, 1.0)
    small = eigenvalue < 1e-6
    safe = np.where(small, 1.0, eigenvalue)
    grown = -np.expm1(updates * np.log1p(-np.minimum(safe, 1.0 - 1e-12)))
    return np.sqrt(h) * np.where(small, float(updates), grown / safe)


def wedges(f: Sequence[np.ndarray], sectors: int) -> np.ndarray:
    """Return which sector of directions each frequency is measured by, shape (X, Y, 1), integer.

    Lines in the direction (-sin a, cos a) measure frequencies along (cos a, sin a).
    """
    angle = np.mod(np.arctan2(f[1], f[0] + 0.0 * f[1]), np.pi)
    return np.minimum((angle * sectors / np.pi).astype(np.int64), sectors - 1)


def _blur(cycles: np.ndarray, sigma: float) -> np.ndarray:
    """Return the transform of a sampled Gaussian, as `betaplus.physics.blur` has it.

    Narrower than a voxel it passes more of the high frequencies than a continuous one.

    Args:
        cycles: Frequencies [1/voxel].
        sigma: Standard deviation [voxels].
    """
    k = np.arange(1, int(3.5 * sigma + 0.5) + 1)
    weights = np.exp(-0.5 * (k / sigma) ** 2)
    cosines = np.cos(2.0 * np.pi * cycles[..., None] * k) @ weights
    return (1.0 + 2.0 * cosines) / (1.0 + 2.0 * weights.sum())


def _reach(style: ScanStyle) -> float:
    """Return the length over which a line collects counts [mm]."""
    if style.tof <= 0.0:
        return _LENGTH
    # At f = 0 the transform of a Gaussian kernel convolved with itself, over its value at 0.
    return min(_LENGTH, 2.0 * np.sqrt(np.pi) * sigma_of_fwhm(style.tof))
