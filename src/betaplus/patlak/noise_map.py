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

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.patlak.problem import PatlakProblem
from betaplus.physics import image_noise
from betaplus.physics.image_noise import NoiseCorrelation

__all__ = [
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

_FLOOR = 0.05  # of the mean uptake of the body: uptake at least
_LEAST = 1e-4  # of the mean uptake: s at least


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
    chi = np.array([image_noise.chi_mean(n) for n in freedom.tolist()], np.float32)
    root = np.sqrt(np.maximum(problem.misfit.numpy(), 0.0)) / chi
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
    return image_noise.masked_mean(x, weight, problem.voxel, fwhm)


def tissue(problem: PatlakProblem, share: float = 0.05) -> np.ndarray:
    """Return the voxels of the mask that are not air, shape (X, Y, Z) bool; the mask if none is.

    Args:
        problem: The scan.
        share: Of the level of the image, `betaplus.generative.image_prior.uptake_level`.
    """
    static = problem.least_squares().sum(0).numpy()
    return image_noise.not_air(static, problem.mask.numpy(), problem.voxel, uptake_level, share)


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


def noise_correlation(problem: PatlakProblem, variance: Tensor) -> NoiseCorrelation:
    """Return how far noise is correlated, measured in tissue.

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2].
    """
    sd = variance.clamp_min(1e-30).sqrt().numpy()
    return NoiseCorrelation.of(problem.noise.numpy(), sd, tissue(problem), problem.voxel)
