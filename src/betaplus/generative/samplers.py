"""Samplers: plain functions of a denoiser and noise that is handed in, so that they are seeded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from betaplus.generative.denoiser import Denoised, ode_step

__all__ = ["adaptive_reverse_sde", "ancestral", "trajectory"]

_LAST_STEPS = 24  # of the probability flow, where an adaptive sampler runs out of tries


def trajectory(denoised: Denoised, levels: Tensor, noise: Tensor) -> Tensor:
    """Return the probability-flow ODE's path from the first of falling noise levels.

    Args:
        denoised: The denoiser.
        levels: Shape (n,); twice n - 1 network calls.
        noise: Standard normal, shape (B, S, D).

    Returns:
        x at each level, shape (n, B, S, D).
    """
    x = levels[0] * noise
    path = [x]
    for sigma, lower in itertools.pairwise(levels):
        x = ode_step(denoised, x, sigma.reshape(1, 1), lower.reshape(1, 1))
        path.append(x)
    return torch.stack(path)


def ancestral(denoised: Denoised, levels: Tensor, noises: Iterator[Tensor]) -> Tensor:
    """Return draws by DDPM's ancestral sampling, in the variable x / sqrt(alpha_bar).

    From sigma to a lower s the posterior of Ho et al. (NeurIPS 2020, equation 7) has mean
    D + (s / sigma)^2 (x - D) and variance s^2 (1 - s^2 / sigma^2).

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,); n network calls.
        noises: Standard normal (B, S, D), one for the start and one a step.
    """
    first = next(noises)
    x = (1.0 + levels[0] ** 2).sqrt() * first  # what N(0, I) data look like at the top
    ends = torch.cat([levels[1:], levels.new_zeros(1)])
    for sigma, lower in zip(levels, ends, strict=True):
        clean = denoised(x, sigma.reshape(1, 1))
        ratio = (lower / sigma) ** 2
        spread = lower * (1.0 - ratio).clamp_min(0.0).sqrt()
        x = clean + ratio * (x - clean) + spread * next(noises)
    return x


def adaptive_reverse_sde(
    denoised: Denoised,
    sigma_max: float,
    sigma_min: float,
    noises: Iterator[Tensor],
    tolerance: float,
    most_steps: int = 4000,
) -> Tensor:
    """Return draws by the reverse SDE with steps that adapt to each item's error.

    dx = -2 sigma score dsigma + sqrt(2 sigma) dw for sigma falling; an Euler-Maruyama step is
    compared with the average of it and a second one from its end with the same noise
    (Jolicoeur-Martineau et al., arXiv 2105.14080). All draws of an item share its step.

    Args:
        denoised: The denoiser.
        sigma_max: Where to start.
        sigma_min: Where to end; a last denoising removes what noise is left.
        noises: Standard normal (B, S, D), one for the start and one a try.
        tolerance: Error of a step relative to 1 + |x|.
        most_steps: Tries at most; what is left then is done by the probability flow.
    """
    x = (1.0 + sigma_max**2) ** 0.5 * next(noises)
    items = x.shape[0]
    sigma = torch.full((items, 1), sigma_max)
    step = 0.05 * sigma
    last = x
    for _ in range(most_steps):
        active = sigma > sigma_min * 1.0001
        if not bool(active.any()):
            break
        lower = torch.where(active, (sigma - step).clamp_min(sigma_min), sigma)
        variance = (sigma**2 - lower**2).clamp_min(0.0)[..., None]
        noise = next(noises) * variance.sqrt()
        there = noise.abs().sum((1, 2)) > 0
        first = x + variance * (denoised(x, sigma) - x) / sigma[..., None] ** 2 + noise
        change = variance * (denoised(first, lower) - first) / lower[..., None] ** 2 + noise
        second = 0.5 * (first + x + change)
        scale = tolerance * (1.0 + torch.maximum(first.abs(), last.abs()))
        error = ((second - first) / scale).square().mean((1, 2)).sqrt()[:, None]
        accept = active & (error <= 1.0) & there[:, None]
        last = torch.where(accept[..., None], first, last)
        x = torch.where(accept[..., None], second, x)
        sigma = torch.where(accept, lower, sigma)
        step = (0.9 * step * error.clamp_min(1e-6) ** -0.9).clamp_max(0.6 * sigma)
    else:
        high, low = sigma ** (1 / 7), sigma_min ** (1 / 7)
        for share in torch.linspace(0, 1, _LAST_STEPS + 1)[1:]:
            lower = (high + share * (low - high)) ** 7
            x, sigma = ode_step(denoised, x, sigma, lower), lower
    return denoised(x, sigma)
