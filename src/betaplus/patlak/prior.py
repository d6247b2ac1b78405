"""A prior of static images as the denoiser of u_1 and u_2, on the grid of the scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from betaplus.core.crew import Crew
from betaplus.generative.image_prior import ImagePrior, uptake_level
from betaplus.generative.volume_denoiser import volume_denoiser
from betaplus.patlak.noise_map import masked_mean
from betaplus.patlak.problem import PatlakProblem

__all__ = ["Denoiser", "prior_denoiser"]

Denoiser = Callable[[Tensor, float], Tensor]
"""(maps, sigma) to the estimate of maps without noise of that SD, shape (K, X, Y, Z) [SUV]."""

_SMOOTH = 12.0  # mm: width of the filter before the level of an image is taken
_SIMILAR = 1e-3  # voxels that differ by no more are the prior's own


def prior_denoiser(prior: ImagePrior | Denoiser, problem: PatlakProblem, crew: Crew) -> Denoiser:
    """Return a prior as a denoiser of maps; one that is a denoiser already as it is.

    Voxels outside the prior's range are resampled; only the correction is, so that what lies
    between the prior's voxels stays as it was. A prior of images over their own level is told the
    level of the static image u_1 + u_2. A prior of one image takes both maps for images of their
    own; one of two knows what goes with what.

    Args:
        prior: The prior.
        problem: The scan.
        crew: Who computes tiles or slices.
    """
    if not isinstance(prior, ImagePrior):
        return prior
    volumes = volume_denoiser(prior, crew=crew)
    static = problem.least_squares().sum(0).numpy()
    level = 1.0
    if prior.unit == "uptake":
        mask = problem.mask.numpy()
        level = uptake_level(masked_mean(static, mask, problem, _SMOOTH)[mask])
    grid = _grid(prior, problem)

    joint = prior.denoiser.size.outputs == 2

    def denoise(maps: Tensor, sigma: float) -> Tensor:
        noisy = (maps[None] if joint else maps[:, None]) / level
        told = torch.tensor(sigma / level, dtype=maps.dtype)
        if grid is None:
            return volumes(noisy, told).reshape(maps.shape) * level
        coarse = functional.interpolate(noisy, grid, mode="trilinear")
        change = volumes(coarse, told) - coarse
        fine = functional.interpolate(change, maps.shape[1:], mode="trilinear")
        return maps + level * fine.reshape(maps.shape)

    return denoise


def _grid(prior: ImagePrior, problem: PatlakProblem) -> tuple[int, ...] | None:
    """Return the shape of the grid that the prior works on; None for the problem's own."""
    valid: Any = prior.bundle.config.validity.get("voxel size [mm]", [prior.voxel, prior.voxel])
    low, high = float(valid[0]) * (1 - _SIMILAR), float(valid[1]) * (1 + _SIMILAR)
    if all(low <= edge <= high for edge in problem.voxel):
        return None
    return tuple(
        max(1, round(n * edge / prior.voxel))
        for n, edge in zip(problem.shape, problem.voxel, strict=True)
    )
