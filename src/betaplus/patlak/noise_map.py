r"""How noisy the frames of a scan are, and how far noise is correlated, from what lines leave.

What the best line leaves of a voxel's frames is s^2 times a chi-square of `freedom` degrees, 6 for
8 frames: alone it says little. Its root is averaged over a neighbourhood,

.. math:: s(v) = \langle \sqrt{q} \rangle / E[\chi_\nu], \quad
    E[\chi_\nu] = \sqrt{2}\, \Gamma((\nu + 1) / 2) / \Gamma(\nu / 2),

in which the few voxels that no line describes weigh less than in a mean of squares. Noise goes with
the uptake r, about as r^0.7 in images of ordered-subsets expectation maximisation; it is divided
out before the mean, and multiplied in again, so that small hot spots have noise of their own.

The filters of a reconstruction correlate noise. How far is seen in the combination of frames in
which lines cancel, over s: it has a sign, so that an s that is off somewhere does not pass for
correlation, as it does in q.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.patlak.problem import PatlakProblem
from betaplus.physics.blur import GaussianBlur

__all__ = [
    "NoiseCorrelation",
    "deviation",
    "masked_mean",
    "noise_correlation",
    "noise_map",
    "tissue",
    "typical_noise",
]

NEIGHBOURHOOD = 25.0
"""Width over which s is averaged, full width at half maximum [mm]."""

UPTAKE = 10.0
"""Width over which the uptake is averaged that noise is divided by, likewise [mm]."""

EXPONENT = 0.7
"""Of the uptake in the noise; real images have 0.5 to 0.8."""

_SMOOTH = 12.0  # mm: width of the filter before tissue is looked for
_FLOOR = 0.05  # of the mean uptake of the body: uptake at least
_LEAST = 1e-4  # of the mean uptake: s at least
_THIN = 1e-3  # share of a neighbourhood inside the mask: below it there is none
_NO_CORRELATION = 0.05
_FAR = 6.0  # SD beyond which nothing counts for more
_FOUR_PI = 4.0 * math.pi


def noise_map(
    problem: PatlakProblem,
    *,
    fwhm: float = NEIGHBOURHOOD,
    uptake: float = UPTAKE,
    exponent: float = EXPONENT,
) -> Tensor:
    """Return s^2, the variance of a frame of weight 1, shape (X, Y, Z) float32 [SUV^2].

    It is above 0 everywhere in the mask, and 0 elsewhere. Without any noise it is the square of
    1e-4 of the mean uptake.

    Args:
        problem: The scan.
        fwhm: Width of the neighbourhood, full width at half maximum [mm].
        uptake: Width that the uptake is averaged over, likewise [mm].
        exponent: Of the uptake in the noise; 0 takes s to be smooth.

    Raises:
        InputError: If a slice has two frames or fewer, or no voxel is wanted.
    """
    if not bool(problem.mask.any()):
        raise InputError("no voxel is wanted", "expected a mask with one or more")
    wanted = problem.freedom[problem.mask.any(0).any(0)]
    if bool((wanted < 1).any()):
        found = f"{int(wanted.min()) + 2} frames in a slice"
        raise InputError(found, "expected 3 or more from t* on")
    freedom = problem.freedom.double().clamp_min(1.0)
    inside = problem.mask.numpy()
    root = np.sqrt(np.maximum(problem.misfit.numpy(), 0.0)) / _chi_mean(freedom.numpy())
    image = np.abs(masked_mean(problem.least_squares().sum(0).numpy(), inside, problem, uptake))
    mean = float(image[inside].mean(dtype=np.float64))
    weight = np.where(inside, freedom.numpy(), 0.0).astype(np.float32)
    power = np.hypot(image, _FLOOR * mean) ** np.float32(exponent) if mean > 0.0 else 1.0
    s = masked_mean(root / power, weight, problem, fwhm) * power
    least = _LEAST * mean if mean > 0.0 else float(np.finfo(np.float32).tiny) ** 0.25
    return torch.from_numpy(np.where(inside, np.maximum(s, least) ** 2, 0.0).astype(np.float32))


def masked_mean(
    x: np.ndarray, weight: np.ndarray, problem: PatlakProblem, fwhm: float
) -> np.ndarray:
    """Return x through a Gaussian that takes nothing from outside the weights, float32.

    Args:
        x: Shape (X, Y, Z).
        weight: Of voxels, likewise; a mask, for one.
        problem: Of the voxels.
        fwhm: Full width at half maximum [mm]; 0 does nothing.
    """
    weight = np.asarray(weight, np.float32)
    if fwhm == 0.0:
        return np.where(weight > 0.0, x, 0.0).astype(np.float32)
    blur = GaussianBlur(problem.shape, problem.voxel, fwhm)
    share = blur.forward(weight)
    found = blur.forward(np.where(weight > 0.0, x, 0.0) * weight)
    thin = share <= _THIN * max(float(weight.max()), 1e-30)
    return np.where(thin, 0.0, found / np.where(thin, 1.0, share)).astype(np.float32)


def tissue(problem: PatlakProblem, share: float = 0.05) -> np.ndarray:
    """Return the voxels of the mask that are not air, shape (X, Y, Z) bool; the mask if none is.

    A mask of all voxels that are not 0 holds much air, whose noise is not that of tissue. The level
    that uptake is held against does not depend on how much air there is.

    Args:
        problem: The scan.
        share: Of the level of the image, `betaplus.generative.image_prior.uptake_level`.
    """
    mask = problem.mask.numpy()
    static = masked_mean(problem.least_squares().sum(0).numpy(), mask, problem, _SMOOTH)
    if not (static > 0.0).any():
        return np.asarray(mask)
    found = np.asarray(mask & (static > share * uptake_level(static[mask])))
    return found if found.any() else np.asarray(mask)


def deviation(problem: PatlakProblem, variance: Tensor) -> Tensor:
    """Return the SD of u by least squares, the root of M^-1 s^2, shape (2, X, Y, Z) [SUV].

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2].
    """
    inverse = torch.linalg.inv(problem.normal.double().movedim(2, 0))
    gain = inverse.diagonal(dim1=1, dim2=2).T.sqrt().float()
    return gain[:, None, None] * variance.sqrt()


def typical_noise(problem: PatlakProblem, variance: Tensor) -> Tensor:
    """Return the root mean square SD of u_1 and u_2, shape (X, Y, Z) float32 [SUV].

    Args:
        problem: The scan.
        variance: s^2, likewise [SUV^2].
    """
    inverse = torch.linalg.inv(problem.normal.double().movedim(2, 0))
    half = 0.5 * inverse.diagonal(dim1=1, dim2=2).sum(1)
    return (half.float() * variance).sqrt()


@dataclass(frozen=True, kw_only=True)
class NoiseCorrelation:
    """How far noise is correlated, as if it were white noise through a Gaussian.

    Attributes:
        sigma: SD of that Gaussian along each axis [mm]; 0 is white noise.
        voxel: Edges of a voxel [mm].
    """

    sigma: tuple[float, float, float]
    voxel: tuple[float, float, float]

    @property
    def voxels(self) -> float:
        """Voxels that share one noise: the sum of its autocorrelation."""
        return self.lengths(0.0)[1]

    @property
    def length(self) -> float:
        """Edge of the cube that those fill [mm]."""
        return (math.prod(self.voxel) * self.voxels) ** (1.0 / 3.0)

    def left(self, fwhm: float) -> float:
        """Return the share of the noise's variance that a Gaussian filter leaves.

        Args:
            fwhm: Of the filter, full width at half maximum [mm].
        """
        return self.voxels / self.lengths(fwhm / math.sqrt(8.0 * math.log(2.0)))[1]

    def lengths(self, more: float) -> tuple[list[float], float]:
        """Return lengths of correlation [voxels] and their product, after one more Gaussian.

        Args:
            more: Its SD [mm].
        """
        found = [
            max(math.sqrt(_FOUR_PI * (s * s + more * more)) / v, 1.0)
            for s, v in zip(self.sigma, self.voxel, strict=True)
        ]
        return found, math.prod(found)


def noise_correlation(problem: PatlakProblem, variance: Tensor) -> NoiseCorrelation:
    """Return how far noise is correlated.

    It is measured in tissue. Of the two next voxels along an axis, the one is used where the
    correlation is nearer 1/2.

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2].
    """
    white = problem.noise * variance.clamp_min(1e-30).rsqrt()
    where = torch.from_numpy(tissue(problem))
    white = torch.where(where, white.clamp(-_FAR, _FAR), 0.0)
    sigma = [_along(white, where, axis, edge) for axis, edge in enumerate(problem.voxel)]
    return NoiseCorrelation(sigma=(sigma[0], sigma[1], sigma[2]), voxel=problem.voxel)


def _along(white: Tensor, mask: Tensor, axis: int, edge: float) -> float:
    best, least = 0.0, math.inf
    for lag in (1, 2):
        n = mask.shape[axis] - lag
        if n < 1:
            continue
        both = mask.narrow(axis, 0, n) & mask.narrow(axis, lag, n)
        if int(both.sum()) < 8:
            continue
        a, b = (white.narrow(axis, k, n)[both].double() for k in (0, lag))
        rho = float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt())
        if not rho >= _NO_CORRELATION:
            continue
        # rho = exp(-d^2 / 4 sigma^2).
        if abs(rho - 0.5) < least:
            least = abs(rho - 0.5)
            best = 0.5 * lag * edge / math.sqrt(-math.log(min(rho, 0.999)))
    return best


def _chi_mean(freedom: np.ndarray) -> np.ndarray:
    """Return the mean of a chi variable of each number of degrees, float32."""
    logs = [math.lgamma((n + 1) / 2) - math.lgamma(n / 2) for n in freedom]
    return (math.sqrt(2.0) * np.exp(logs)).astype(np.float32)
