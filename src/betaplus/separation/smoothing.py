"""A scan through a Gaussian filter, and the noise that is left of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.physics.blur import GaussianBlur
from betaplus.separation.problem import SeparationProblem

__all__ = ["noise_left", "smoothed"]

_PER_FWHM = 1.0 / np.sqrt(8.0 * np.log(2.0))
_THIN = 1e-6


def smoothed(problem: SeparationProblem, fwhm: float) -> SeparationProblem:
    """Return the scan with its frames through a Gaussian that takes nothing from outside the mask.

    Args:
        problem: The scan.
        fwhm: Full width at half maximum [mm]; 0 does nothing.

    Raises:
        UsageError: If the width is out of range.
    """
    if not (np.isfinite(fwhm) and 0.0 <= fwhm <= 100.0):
        raise UsageError(f"fwhm is {fwhm:g}", "expected 0 to 100 mm")
    if fwhm == 0.0:
        return problem
    blur = GaussianBlur(problem.shape, problem.voxel, fwhm)
    inside = problem.mask.numpy().astype(np.float32)
    share = blur.forward(inside)
    over = inside / np.maximum(share, _THIN)
    mixture = np.empty(tuple(problem.mixture.shape), np.float32)
    for f in range(mixture.shape[-1]):
        mixture[..., f] = blur.forward(problem.mixture[..., f].numpy() * inside) * over
    left = noise_left(fwhm, problem.noise_fwhm, problem.voxel)
    noise = blur.forward(problem.noise.numpy() ** 2 * inside) * over * left
    return dataclasses.replace(
        problem,
        mixture=torch.from_numpy(mixture),
        noise=torch.from_numpy(np.sqrt(noise)),
        noise_fwhm=float(np.hypot(fwhm, problem.noise_fwhm)),
    )


def noise_left(fwhm: float, noise_fwhm: float, voxel: tuple[float, float, float]) -> float:
    """Return the part of the noise variance that a Gaussian filter leaves.

    Args:
        fwhm: Width of the filter, full width at half maximum [mm].
        noise_fwhm: Width of the Gaussian kernel that correlates the noise [mm]; 0 is white.
        voxel: Edges of a voxel [mm].
    """
    left = 1.0
    for edge in voxel:
        own, both = (_kernel(w, edge) for w in (noise_fwhm, fwhm))
        passed = np.convolve(own, both / both.sum())
        left *= float(np.sum(passed**2) / np.sum(own**2))
    return left


def _kernel(fwhm: float, voxel: float) -> np.ndarray:
    sigma = fwhm * _PER_FWHM / voxel
    if sigma <= 0:
        return np.ones(1)
    reach = max(1, int(np.ceil(4.0 * sigma)))
    return np.asarray(np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2))
