"""The reverse stochastic differential equation with steps that adapt to each item's error."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from betaplus.generative.denoiser import Denoised, leading, ode_step
from betaplus.generative.samplers import Callback, DataStep

__all__ = ["adaptive_reverse_sde"]

_LAST_STEPS = 24  # of the probability flow, where tries run out


def adaptive_reverse_sde(
    denoised: Denoised,
    sigma_max: float,
    sigma_min: float,
    noises: Iterable[Tensor],
    tolerance: float,
    most_steps: int = 4000,
    *,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by the reverse SDE with steps that adapt to each item's error.

    dx = -2 sigma score dsigma + sqrt(2 sigma) dw for sigma falling; an Euler-Maruyama step is
    compared with the average of it and a second one from its end with the same noise
    (Jolicoeur-Martineau et al., arXiv 2105.14080). All that belongs to an item, the first axis of
    x, shares its step: here sigma is (B,), for the denoiser, the data step and the callback.

    Args:
        denoised: The denoiser.
        sigma_max: Where to start.
        sigma_min: Where to end; a last denoising removes what noise is left.
        noises: Standard normal (B, ...), one for the start and one a try.
        tolerance: Error of a step relative to 1 + |x|.
        most_steps: Tries at most; what is left then is done by the probability flow.
        data_step: On every clean estimate, with the number of the try as index.
        callback: Told of every try.
        start: x at sigma_max, instead of noise.
    """
    noises = iter(noises)
    x = (1.0 + sigma_max**2) ** 0.5 * next(noises) if start is None else start
    rest = tuple(range(1, x.ndim))
    sigma = torch.full((x.shape[0],), sigma_max, dtype=x.dtype, device=x.device)
    step = 0.05 * sigma
    last = x
    done = 0

    def estimate(x: Tensor, sigma: Tensor) -> Tensor:
        clean = denoised(x, sigma)
        return clean if data_step is None else data_step(clean, sigma, done)

    for done in range(most_steps):
        active = sigma > sigma_min * 1.0001
        if not bool(active.any()):
            break
        lower = torch.where(active, (sigma - step).clamp_min(sigma_min), sigma)
        variance = leading((sigma**2 - lower**2).clamp_min(0.0), x)
        noise = next(noises) * variance.sqrt()
        there = noise.abs().sum(rest) > 0
        clean = estimate(x, sigma)
        if callback is not None:
            callback(done, most_steps, sigma, clean)
        first = x + variance * (clean - x) / leading(sigma, x) ** 2 + noise
        change = variance * (estimate(first, lower) - first) / leading(lower, x) ** 2 + noise
        second = 0.5 * (first + x + change)
        scale = tolerance * (1.0 + torch.maximum(first.abs(), last.abs()))
        error = ((second - first) / scale).square().mean(rest).sqrt()
        accept = active & (error <= 1.0) & there
        last = torch.where(leading(accept, x), first, last)
        x = torch.where(leading(accept, x), second, x)
        sigma = torch.where(accept, lower, sigma)
        step = (0.9 * step * error.clamp_min(1e-6) ** -0.9).clamp_max(0.6 * sigma)
    else:
        high, low = sigma ** (1 / 7), sigma_min ** (1 / 7)
        for share in torch.linspace(0, 1, _LAST_STEPS + 1)[1:]:
            lower = (high + share * (low - high)) ** 7
            x, sigma = ode_step(estimate, x, sigma, lower), lower
    return estimate(x, sigma)
