r"""How noisy the voxels and the frames of a scan are, from what its own curves leave.

Of a voxel's frames that is left which `betaplus.separation.frame_noise` finds beside the curves of
the scan. Its SD is averaged over a neighbourhood, as a root, so that the few voxels whose curves
are unlike all others weigh less; it goes with the uptake, which is divided out before and
multiplied in again. Noise so found does not depend on what a method makes of the scan: chi-square
of a method's residual against it means something.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.physics.image_noise import NoiseCorrelation, chi_mean, masked_mean, not_air
from betaplus.separation.frame_noise import LEAST_LEFT, frame_weights, left_over, signal_space

__all__ = ["NoiseEstimate", "estimate_noise", "tissue_of"]

NEIGHBOURHOOD = 25.0
"""Width over which s is averaged, full width at half maximum [mm]."""

UPTAKE = 10.0
"""Width over which the uptake is averaged that noise is divided by, likewise [mm]."""

EXPONENT = 0.6
"""Of the uptake in the noise: .5 where counts alone matter, .7 after ordered subsets."""

_VOXELS = 60_000  # that are looked at for weights
_FLOOR = 0.02  # of the largest mean: activity that noise is taken to be of at least
_FAINT = 0.05  # of the mean uptake: uptake at least
_LEAST = 1e-4  # of the mean uptake: s at least
_CHUNK = 65536


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseEstimate:
    """The noise of a scan.

    Attributes:
        weights: w, shape (T,) float64, mean 1.
        noise: s, shape (X, Y, Z) float32 [unit of the mixture]; 0 outside the mask.
        correlation: How far it is correlated between voxels.
        directions: p.
        departure: Weights of the count model over those found, shape (T,), of geometric mean 1.
    """

    weights: np.ndarray
    noise: np.ndarray
    correlation: NoiseCorrelation
    directions: int
    departure: np.ndarray

    @property
    def sigma(self) -> tuple[float, float, float]:
        """SD of the Gaussian that correlates noise, along each axis [mm]; 0 is white."""
        return self.correlation.sigma

    @property
    def together(self) -> float:
        """Voxels that share one noise."""
        return self.correlation.voxels

    @property
    def fwhm(self) -> float:
        """Width of that Gaussian, mean of the axes, full width at half maximum [mm]."""
        return self.correlation.fwhm


def tissue_of(
    static: np.ndarray, mask: np.ndarray, voxel: tuple[float, float, float]
) -> np.ndarray:
    """Return the voxels of a mask that are not air, shape (X, Y, Z) bool; the mask if none is.

    Args:
        static: Sum of the frames, shape (X, Y, Z).
        mask: Voxels wanted, likewise.
        voxel: Edges of a voxel [mm].
    """
    return not_air(static, mask, voxel, uptake_level)


def estimate_noise(
    mixture: np.ndarray,
    mask: np.ndarray,
    tissue: np.ndarray,
    duration: np.ndarray,
    voxel: tuple[float, float, float],
    *,
    exponent: float = EXPONENT,
) -> NoiseEstimate:
    """Return the noise of a scan.

    Args:
        mixture: Frame means, not decay-corrected, shape (X, Y, Z, T) float32.
        mask: Voxels wanted, shape (X, Y, Z) bool.
        tissue: Those of them that are not air; weights and correlation are measured there.
        duration: Of the frames, shape (T,) [s].
        voxel: Edges of a voxel [mm].
        exponent: Of the uptake in the noise.

    Raises:
        InputError: If there are too few frames, or the mean of the tissue is not above 0.
    """
    counted = _count_weights(mixture, tissue, duration)
    static = np.tensordot(mixture, (duration / duration.sum()).astype(np.float32), 1)
    power = _power(static, mask, voxel, exponent)
    seen = np.flatnonzero(tissue)
    seen = seen[:: max(len(seen) // _VOXELS, 1)]
    signal = signal_space(mixture, tissue, seen, voxel)
    sample = mixture.reshape(-1, len(duration))[seen] / power.reshape(-1)[seen, None]
    weights = frame_weights(sample, signal, counted)
    root, white = _left(mixture, mask, signal, weights)
    freedom = len(duration) - signal.shape[1]
    s = masked_mean(root / (chi_mean(freedom) * power), mask, voxel, NEIGHBOURHOOD)
    least = _LEAST * float(np.abs(static[mask]).mean())
    s = np.where(mask, np.maximum(s * power, max(least, 1e-20)), 0.0).astype(np.float32)
    departure = counted / weights
    return NoiseEstimate(
        weights=weights,
        noise=s,
        correlation=NoiseCorrelation.of(white, s, tissue, voxel),
        directions=signal.shape[1],
        departure=departure / np.exp(np.log(departure).mean()),
    )


def _count_weights(mixture: np.ndarray, tissue: np.ndarray, duration: np.ndarray) -> np.ndarray:
    """Return the weights of frames by their counts, shape (T,), mean 1."""
    frames = len(duration)
    if frames <= LEAST_LEFT:
        raise InputError(f"{frames} frames", f"expected more than {LEAST_LEFT}")
    mean = np.array([mixture[..., f][tissue].mean(dtype=np.float64) for f in range(frames)])
    level = float(mean.max())
    if not level > 0.0:
        raise InputError("the mean of the tissue is nowhere above 0", "expected activity")
    counted = duration / (np.maximum(mean, 0.0) + _FLOOR * level)
    return np.asarray(counted / counted.mean())


def _power(
    static: np.ndarray, mask: np.ndarray, voxel: tuple[float, float, float], exponent: float
) -> np.ndarray:
    """Return the uptake to a power, of mean about 1, float32."""
    uptake = np.abs(masked_mean(static, mask, voxel, UPTAKE))
    mean = float(uptake[mask].mean(dtype=np.float64)) or 1.0
    return ((np.hypot(uptake, _FAINT * mean) / mean) ** np.float32(exponent)).astype(np.float32)


def _left(
    mixture: np.ndarray, mask: np.ndarray, signal: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the root of the sum of squares that is left of each voxel, and one part of it.

    That part is a combination of frames in which the signal cancels, of the variance of a frame of
    weight 1; both have shape (X, Y, Z), float32, and are 0 outside the mask.
    """
    left = left_over(signal, weights)
    projector = (np.sqrt(weights)[:, None] * left).astype(np.float32)
    contrast = left[:, int(np.argmax(np.diag(left)))]
    contrast = (np.sqrt(weights) * contrast / np.linalg.norm(contrast)).astype(np.float32)
    flat, inside = mixture.reshape(-1, len(weights)), np.flatnonzero(mask)
    root, white = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    for first in range(0, len(inside), _CHUNK):
        part = inside[first : first + _CHUNK]
        r = flat[part] @ projector
        root.reshape(-1)[part] = np.sqrt(np.einsum("nt,nt->n", r, r))
        white.reshape(-1)[part] = flat[part] @ contrast
    return root, white
