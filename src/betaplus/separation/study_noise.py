r"""How noisy the frames of a scan are, by voxel and by frame, from what its own curves leave.

The curves of a scan lie near a space of few dimensions, which its frames show without a model of
tracers: the combinations of frames of which a filter in space leaves most, against what it takes
out (minimum noise fractions: Green et al., IEEE Trans Geosci Remote Sens 1988, 26:65-74). What a
voxel's frames have beside them is noise,

.. math:: r = (I - H)\, W^{1/2} m, \quad E[r_f^2] = s^2 (1 - h_f),

with H the projection onto p such directions, in the weights of frames, and h its diagonal. Weights
begin with the count model :math:`w_f \propto D_f / (\bar m_f + c)` and are corrected by what is
found, frame by frame, until they stay as they are; a frame of which H takes up most keeps to it.
s is averaged over a neighbourhood, as a root, so that the few voxels whose curves are unlike all
others weigh less; it goes with the uptake, which is divided out before and multiplied in again.
Noise so found does not depend on what a method makes of the scan: chi-square of a method's residual
against it means something.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.physics.blur import GaussianBlur

__all__ = ["NoiseEstimate", "estimate_noise", "tissue_of"]

NEIGHBOURHOOD = 25.0
"""Width over which s is averaged, full width at half maximum [mm]."""

UPTAKE = 10.0
"""Width over which the uptake is averaged that noise is divided by, likewise [mm]."""

EXPONENT = 0.6
"""Of the uptake in the noise: .5 where counts alone matter, .7 after ordered subsets."""

_SMOOTH = 10.0  # mm: of the filter that noise does not pass
_MOST_DIRECTIONS = 10
_LEAST_LEFT = 3  # frames less directions
_CLEAR = 1.4  # times what the filter leaves of noise: it leaves more of a direction with signal
_ROUNDS = 8
_VOXELS = 60_000  # that are looked at for weights
_BOUND = 0.3  # 1 - h: below it a frame is taken up by the directions and tells little of noise
_LEAST_FREE = 1e-3
_HALF_NORMAL = math.sqrt(2.0 / math.pi)  # mean modulus
_MOST = 10.0  # by which weights may depart from the count model
_FLOOR = 0.02  # of the largest mean: activity that noise is taken to be of at least
_AIR = 0.05  # of the level of the image
_FAINT = 0.05  # of the mean uptake: uptake at least
_LEAST = 1e-4  # of the mean uptake: s at least
_THIN = 1e-3
_FAR = 6.0  # SD beyond which nothing counts for more
_NO_CORRELATION = 0.05
_PER_FWHM = 1.0 / math.sqrt(8.0 * math.log(2.0))
_CHUNK = 65536


@dataclass(frozen=True, eq=False, kw_only=True)
class NoiseEstimate:
    """The noise of a scan.

    Attributes:
        weights: w, shape (T,) float64, mean 1.
        noise: s, shape (X, Y, Z) float32 [unit of the mixture]; 0 outside the mask.
        sigma: SD of the Gaussian that correlates noise, along each axis [mm]; 0 is white.
        together: Voxels that share one noise: the sum of its autocorrelation.
        directions: p.
        departure: Weights of the count model over those found, shape (T,), of geometric mean 1.
    """

    weights: np.ndarray
    noise: np.ndarray
    sigma: tuple[float, float, float]
    together: float
    directions: int
    departure: np.ndarray

    @property
    def fwhm(self) -> float:
        """Width of that Gaussian, mean of the axes, full width at half maximum [mm]."""
        return float(np.mean(self.sigma)) / _PER_FWHM


def tissue_of(
    static: np.ndarray, mask: np.ndarray, voxel: tuple[float, float, float]
) -> np.ndarray:
    """Return the voxels of a mask that are not air, shape (X, Y, Z) bool; the mask if none is.

    Args:
        static: Sum of the frames, shape (X, Y, Z).
        mask: Voxels wanted, likewise.
        voxel: Edges of a voxel [mm].
    """
    smooth = _masked_mean(static, mask.astype(np.float32), voxel, 12.0)
    if not (smooth[mask] > 0.0).any():
        return mask
    found = np.asarray(mask & (smooth > _AIR * uptake_level(smooth[mask])))
    return found if found.any() else mask


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
    frames = mixture.shape[-1]
    if frames <= _LEAST_LEFT:
        raise InputError(f"{frames} frames", f"expected more than {_LEAST_LEFT}")
    mean = np.array([mixture[..., f][tissue].mean(dtype=np.float64) for f in range(frames)])
    level = float(mean.max())
    if not level > 0.0:
        raise InputError("the mean of the tissue is nowhere above 0", "expected activity")
    counted = duration / (np.maximum(mean, 0.0) + _FLOOR * level)
    counted = counted / counted.mean()
    static = np.tensordot(mixture, (duration / duration.sum()).astype(np.float32), 1)
    power = _power(static, mask, voxel, exponent)
    seen = np.flatnonzero(tissue)
    seen = seen[:: max(len(seen) // _VOXELS, 1)]
    flat = mixture.reshape(-1, frames)
    signal = _signal_space(mixture, tissue, seen, voxel)
    directions = signal.shape[1]
    sample = flat[seen] / power.reshape(-1)[seen, None]
    weights = counted
    for _ in range(_ROUNDS):
        left = _left_over(signal, weights)
        r = (sample * np.sqrt(weights).astype(np.float32)) @ left.astype(np.float32)
        free = np.diag(left)
        # a mean of moduli: the noise of a frame is not alike in all voxels, w is for most of them
        found = (np.abs(r).mean(0, dtype=np.float64) / _HALF_NORMAL) ** 2 / free.clip(_LEAST_FREE)
        ratio = found / np.exp(np.average(np.log(found), weights=free))
        weights = np.clip(weights / ratio, counted / _MOST, counted * _MOST)
        weights = weights / weights.mean()
    sure = np.minimum(free / _BOUND, 1.0)
    weights = counted * (weights / counted) ** sure
    weights = weights / weights.mean()
    left = _left_over(signal, weights)
    root = np.zeros(mask.shape, np.float32)
    white = np.zeros(mask.shape, np.float32)
    inside = np.flatnonzero(mask)
    projector = (np.sqrt(weights)[:, None] * left).astype(np.float32)
    contrast = left[:, int(np.argmax(np.diag(left)))]
    contrast = (np.sqrt(weights) * contrast / np.linalg.norm(contrast)).astype(np.float32)
    for first in range(0, len(inside), _CHUNK):
        part = inside[first : first + _CHUNK]
        r = flat[part] @ projector
        root.reshape(-1)[part] = np.sqrt(np.einsum("nt,nt->n", r, r))
        white.reshape(-1)[part] = flat[part] @ contrast
    freedom = frames - directions
    s = _masked_mean(
        root / (_chi_mean(freedom) * power), mask.astype(np.float32), voxel, NEIGHBOURHOOD
    )
    least = _LEAST * float(np.abs(static[mask]).mean())
    s = np.where(mask, np.maximum(s * power, max(least, 1e-20)), 0.0).astype(np.float32)
    sigma = _correlation(white, s, tissue, voxel)
    lengths = [
        max(math.sqrt(4.0 * math.pi) * one / edge, 1.0)
        for one, edge in zip(sigma, voxel, strict=True)
    ]
    departure = counted / weights
    return NoiseEstimate(
        weights=weights,
        noise=s,
        sigma=sigma,
        together=math.prod(lengths),
        directions=directions,
        departure=departure / np.exp(np.log(departure).mean()),
    )


def _power(
    static: np.ndarray, mask: np.ndarray, voxel: tuple[float, float, float], exponent: float
) -> np.ndarray:
    """Return the uptake to a power, of mean about 1, float32."""
    uptake = np.abs(_masked_mean(static, mask.astype(np.float32), voxel, UPTAKE))
    mean = float(uptake[mask].mean(dtype=np.float64)) or 1.0
    return ((np.hypot(uptake, _FAINT * mean) / mean) ** np.float32(exponent)).astype(np.float32)


def _signal_space(
    mixture: np.ndarray, tissue: np.ndarray, seen: np.ndarray, voxel: tuple[float, float, float]
) -> np.ndarray:
    """Return directions that hold the curves of tissue, shape (T, p) [unit of the mixture].

    Args:
        mixture: Shape (X, Y, Z, T).
        tissue: Shape (X, Y, Z).
        seen: Indices of those of its voxels that are looked at.
        voxel: Edges of a voxel [mm].
    """
    weight = tissue.astype(np.float32)
    blur = GaussianBlur(tissue.shape, voxel, _SMOOTH)
    share = blur.forward(weight).reshape(-1)[seen]
    frames = mixture.shape[-1]
    passed = np.stack(
        [
            blur.forward(mixture[..., f] * weight).reshape(-1)[seen] / np.maximum(share, _THIN)
            for f in range(frames)
        ],
        axis=1,
    ).astype(np.float64)
    taken = mixture.reshape(-1, frames)[seen] - passed
    size = np.sqrt(np.mean(taken * taken, axis=0)) + 1e-30
    inside, outside = ((x / size).T @ (x / size) / len(x) for x in (passed, taken))
    outside = outside + 1e-9 * np.eye(frames)
    root = np.linalg.cholesky(outside)
    half = np.linalg.solve(root, inside)
    ratio, vectors = np.linalg.eigh(np.linalg.solve(root, half.T))
    floor = float(np.median(ratio[: (frames + 1) // 2]))
    clear = int((ratio > _CLEAR * floor).sum())
    count = min(max(clear, 1), _MOST_DIRECTIONS, frames - _LEAST_LEFT)
    return np.asarray(size[:, None] * (root @ vectors[:, -count:]))


def _left_over(signal: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return I - H, shape (T, T), for directions in the weights of frames."""
    top, _ = np.linalg.qr(np.sqrt(weights)[:, None] * signal)
    return np.asarray(np.eye(len(weights)) - top @ top.T)


def _masked_mean(
    x: np.ndarray, weight: np.ndarray, voxel: tuple[float, float, float], fwhm: float
) -> np.ndarray:
    """Return x through a Gaussian that takes nothing from outside the weights, float32."""
    blur = GaussianBlur(x.shape, voxel, fwhm)
    share = blur.forward(weight)
    found = blur.forward(np.where(weight > 0.0, x, 0.0) * weight)
    thin = share <= _THIN
    return np.where(thin, 0.0, found / np.where(thin, 1.0, share)).astype(np.float32)


def _correlation(
    white: np.ndarray, noise: np.ndarray, tissue: np.ndarray, voxel: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return the SD of the Gaussian that correlates noise, along each axis [mm]."""
    z = np.where(tissue, np.clip(white / np.maximum(noise, 1e-30), -_FAR, _FAR), 0.0)
    found = [_along(z, tissue, axis, edge) for axis, edge in enumerate(voxel)]
    return found[0], found[1], found[2]


def _along(z: np.ndarray, inside: np.ndarray, axis: int, edge: float) -> float:
    """Of the next two voxels, by that whose correlation is nearer 1/2."""
    best, least = 0.0, math.inf
    for lag in (1, 2):
        if inside.shape[axis] <= lag:
            continue
        near = tuple(slice(None, -lag) if a == axis else slice(None) for a in range(3))
        far = tuple(slice(lag, None) if a == axis else slice(None) for a in range(3))
        both = inside[near] & inside[far]
        if int(both.sum()) < 8:
            continue
        a, b = z[near][both].astype(np.float64), z[far][both].astype(np.float64)
        rho = float((a * b).mean() / math.sqrt((a * a).mean() * (b * b).mean() or 1.0))
        if rho >= _NO_CORRELATION and abs(rho - 0.5) < least:
            least = abs(rho - 0.5)
            # rho = exp(-d^2 / 4 sigma^2)
            best = 0.5 * lag * edge / math.sqrt(-math.log(min(rho, 0.999)))
    return best


def _chi_mean(freedom: int) -> float:
    """Return the mean of a chi variable."""
    return math.sqrt(2.0) * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
