r"""How noisy means over regions of Ki and V0 by least squares are.

Least squares of every voxel are linear in the frames: the mean of a region has the SD that noise
of the frames gives it, whatever lies in the region, and no bias from a prior. With w the weights of
the mean, s the SD of a frame of weight 1 (`noise_map`), :math:`\rho` its correlation between voxels
(`NoiseCorrelation`) and M what the frames say of Ki and V0 together,

.. math:: \mathrm{var}\, \bar u_i = \sum_{v v'} w_v s_v\, \rho(v - v')\, w_{v'} s_{v'}\,
    (M^{-1})_{ii} .

White noise through a Gaussian of SD :math:`\sigma` has :math:`\rho(d) = \exp(-d^2 / 4 \sigma^2)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import torch
from scipy.ndimage import correlate1d

from betaplus.patlak.problem import PatlakProblem
from betaplus.physics.blur import GaussianBlur
from betaplus.physics.image_noise import NoiseCorrelation

__all__ = ["RegionNoise", "mean_noise"]

Box: TypeAlias = tuple[slice, slice, slice]

_REACH = 4.3  # of exp(-d^2 / 2 sd^2) in its SD; 1e-4 of it is left there


class RegionNoise:
    """SD of means of u by least squares.

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2].
        correlation: Of the noise.
    """

    def __init__(
        self, problem: PatlakProblem, variance: np.ndarray, correlation: NoiseCorrelation
    ) -> None:
        inverse = torch.linalg.inv(problem.normal.double().movedim(2, 0))
        self._gains = inverse.diagonal(dim1=1, dim2=2).T.sqrt().float().numpy()  # (2, Z)
        self._variance = variance
        self._correlation = correlation

    def sd(self, weight: np.ndarray, box: Box) -> tuple[float, float]:
        """Return the SD of the means of u_1 and u_2 [SUV].

        Args:
            weight: Of voxels in the mean, 0 or more; the mean is over their sum.
            box: The part of the volume that it is given for; elsewhere it is 0.
        """
        w = np.asarray(weight, np.float32)
        w = w / max(float(w.sum(dtype=np.float64)), 1e-30)
        noise = w * np.sqrt(self._variance[box])
        one, two = (_sd(noise * gain[box[2]], self._correlation) for gain in self._gains)
        return one, two


def mean_noise(
    problem: PatlakProblem,
    variance: np.ndarray,
    correlation: NoiseCorrelation,
    weights: Iterable[np.ndarray],
    fwhm: float = 0.0,
) -> np.ndarray:
    """Return the SD of means of u by least squares over whole volumes, shape (N, 2) [SUV].

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2].
        correlation: Of the noise.
        weights: Of the voxels in each mean, shape (X, Y, Z), 0 or more; a mask, for one.
        fwhm: Of a Gaussian that the maps have passed, full width at half maximum [mm]; its adjoint
            goes to the weights.
    """
    mask = problem.mask.numpy()
    blur = GaussianBlur(problem.shape, problem.voxel, fwhm) if fwhm > 0.0 else None
    share = None if blur is None else np.maximum(blur.forward(mask.astype(np.float32)), 1e-6)
    noise = RegionNoise(problem, variance, correlation)
    found = []
    for weight in weights:
        w = np.where(mask, weight, 0.0).astype(np.float32)
        if blur is not None:
            w = mask * blur.forward(w / share)
        box = _box(w)
        found.append(noise.sd(w[box], box))
    return np.array(found, np.float64).reshape(-1, 2)


def _box(w: np.ndarray) -> Box:
    """Return what of a volume is not 0; a voxel of it if all is."""
    ends = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        at = np.flatnonzero((w != 0.0).any(axis=others))
        ends.append(slice(int(at[0]), int(at[-1]) + 1) if at.size else slice(0, 1))
    return ends[0], ends[1], ends[2]


def _sd(x: np.ndarray, correlation: NoiseCorrelation) -> float:
    """Return the SD of the sum of noise of SDs x."""
    beside = x
    for axis, (sigma, edge) in enumerate(zip(correlation.sigma, correlation.voxel, strict=True)):
        sd = math.sqrt(2.0) * sigma / edge  # of rho, in voxels
        reach = min(math.ceil(_REACH * sd), x.shape[axis] - 1)
        if reach:
            steps = np.arange(-reach, reach + 1)
            line = np.exp(-0.5 * (steps / sd) ** 2)
            beside = correlate1d(beside, line, axis=axis, mode="constant")
    return math.sqrt(float(np.sum(x * beside, dtype=np.float64)))
