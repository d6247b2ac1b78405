"""Expected curves of the voxels of a scan under a mixture of tissues, and their posterior SD."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_mixture import TissueMixture

__all__ = ["tissue_curves_of"]

_CHUNK = 8192  # voxels


def tissue_curves_of(
    problem: SeparationProblem,
    mixture: TissueMixture,
    crew: Crew,
    log_prior: Tensor | None = None,
    *,
    kept: str = "voxels",
) -> tuple[Tensor, Tensor]:
    """Return both tracers' expected curves and their posterior SD, shape (2, X, Y, Z, T) [scale].

    Args:
        problem: The scan.
        mixture: Of the person's tissues.
        crew: Who computes.
        log_prior: Logarithm of the weights of components in each voxel of the mask, shape (N, M);
            those of the mixture if None.
        kept: Name by which the crew keeps pieces.
    """
    frames = problem.mixture.shape[-1]
    x, std = (torch.zeros((2, *problem.mixture.shape)) for _ in range(2))
    spread = torch.as_tensor(mixture.estimate.frame_basis)
    parts = problem.mask.flatten().nonzero()[:, 0].split(_CHUNK)
    flat, levels = problem.mixture.flatten(0, 2), problem.noise.flatten()

    def part_of(index: int) -> tuple[Tensor | None, ...]:
        own = None
        if log_prior is not None:
            own = log_prior[index * _CHUNK : (index + 1) * _CHUNK].clone()
        return flat[parts[index]], levels[parts[index]], own

    found = crew.each(_expected, (mixture, spread), len(parts), part_of, kept)
    for part, result in zip(parts, found, strict=True):
        for i in range(2):
            x[i].view(-1, frames)[part] = torch.as_tensor(result["x"][i])
            std[i].view(-1, frames)[part] = torch.as_tensor(result["std"][i])
    return x, std


def _expected(
    shared: tuple[TissueMixture, Tensor], mixture: Tensor, noise: Tensor, own: Tensor | None
) -> dict[str, np.ndarray]:
    """Return the expected curves of some voxels and their SD, shape (2, N, T) each."""
    tissues, spread = shared
    estimate, frames = tissues.estimate, mixture.shape[1]
    white = estimate.whitened(mixture.double()).float()
    shares, _ = tissues.responsibilities(white, noise, own)
    found = tissues.moments(white, noise, shares, spread=spread)
    assert found.variance is not None
    sd = found.variance.sqrt().reshape(-1, 2, frames).movedim(1, 0).contiguous()
    x = torch.stack(list(estimate.curves(found.mean)))
    return {"x": x.numpy(), "std": sd.numpy()}
