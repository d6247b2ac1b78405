"""Results of the methods whose posterior is a Gaussian, and how their misfits are told."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

from betaplus.core.seeds import generator
from betaplus.kinetics.method import Task
from betaplus.physics.least_squares import factor, ordered_sum

__all__ = ["gaussian_results", "status"]

_AUTOCORRELATION_LIMIT = 3.5  # standard deviations of white noise
_CHI2_LIMIT = 5.0  # standard deviations, where the noise level is known
_DRAWS = 21  # number of the stream of posterior draws


def gaussian_results(
    task: Task,
    items: np.ndarray,
    mean: Tensor,
    covariance: Tensor,
    bounds: tuple[Tensor, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Return ``mean``, ``std``, ``quantiles`` and, where asked for, ``samples``.

    Args:
        task: Levels of the quantiles, number of draws, seed.
        items: Global indices of the curves, shape (n,).
        mean: Shape (n, P).
        covariance: Shape (n, P, P). A variance of 0 means held at a bound: SD NaN, quantiles and
            draws the mean. NaN means unknown: all but mean and median are NaN.
        bounds: Lowest and highest values, shape (P,), that quantiles and draws are clipped to.
    """
    variance = covariance.diagonal(dim1=-2, dim2=-1)
    sd = variance.clamp(min=0.0).sqrt()
    z = torch.from_numpy(ndtri(np.array(task.quantiles, dtype=np.float64)))
    quantiles = mean[:, :, None] + torch.where(z == 0.0, 0.0, sd[:, :, None] * z)
    out = {
        "mean": mean,
        "std": torch.where(variance > 0, sd, torch.nan),
        "quantiles": _clipped(quantiles.transpose(1, 2), bounds).transpose(1, 2),
    }
    if task.samples:
        draws = _clipped(_draws(task, items, mean, covariance), bounds)
        out["samples"] = draws.transpose(1, 2)
    return out


def status(residual: Tensor, frames: Tensor, chi2: Tensor, fine: Tensor) -> np.ndarray:
    """Return 1 for ok and 4 for misfit, shape (n,) uint8.

    A misfit is not `fine`, or its residuals hang together from frame to frame, or its chi-square
    is large.

    Args:
        residual: Standardised residuals, 0 in frames that were not used, shape (n, T).
        frames: Frames used, shape (n,).
        chi2: Chi-square over its degrees of freedom, NaN where there are none, shape (n,).
        fine: What the method itself thinks, shape (n,).
    """
    together = ordered_sum(residual[:, 1:] * residual[:, :-1])
    z = together / ordered_sum(residual * residual) * frames.sqrt()
    fine = fine & ~(z > _AUTOCORRELATION_LIMIT)
    fine &= ~(chi2 > 1.0 + _CHI2_LIMIT * (2.0 / frames).sqrt())
    return np.where(fine.numpy(), 1, 4).astype(np.uint8)


def _clipped(values: Tensor, bounds: tuple[Tensor, Tensor] | None) -> Tensor:
    if bounds is None:
        return values
    return torch.minimum(torch.maximum(values, bounds[0]), bounds[1])


def _draws(task: Task, items: np.ndarray, mean: Tensor, covariance: Tensor) -> Tensor:
    """Normal draws, shape (n, samples, P)."""
    n, p = mean.shape
    z = np.empty((n, task.samples, p))
    for row, item in zip(z, items, strict=True):
        row[:] = generator(task.seed, int(item), _DRAWS).standard_normal(row.shape)
    size = covariance.diagonal(dim1=-2, dim2=-1)
    unit = torch.where(size > 0, size, 1.0).sqrt()
    root, _ = factor(covariance / (unit[:, :, None] * unit[:, None, :]), 1e-12)
    root = torch.where(torch.isnan(covariance), torch.nan, root * unit[:, :, None])
    return mean[:, None] + ordered_sum(root[:, None] * torch.from_numpy(z)[:, :, None, :])
