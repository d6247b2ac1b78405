"""Samplers: plain functions of a denoiser and noise that is handed in, so that they are seeded.

All work in x = clean + sigma noise, the variable of EDM (Karras et al., NeurIPS 2022); the variable
of DDPM is x sqrt(alpha_bar), see `schedules`. Levels are falling noise levels above 0; after the
last of them the step to 0 is made too, so that what is returned has no noise left.

Every sampler takes

- `noises`: standard normal arrays of the shape of x; the first makes the start, being multiplied by
  sqrt(1 + levels[0]^2), as N(0, I) data look there; the others serve one random step each;
- `start`: x at levels[0] instead, a guess plus levels[0] times noise; `noises` has then only the
  others;
- `data_step`: what is made of every clean estimate before it is used, e.g. a step towards measured
  data (Chung et al., "Decomposed diffusion sampler", ICLR 2024);
- `callback`: told of every step.

The number of network calls is the number of levels, but for `heun` and `trajectory`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from betaplus.generative.denoiser import Denoised, ode_step

__all__ = [
    "Callback",
    "DataStep",
    "ancestral",
    "ddim",
    "dpm_solver",
    "heun",
    "sde_solver",
    "trajectory",
]

DataStep = Callable[[Tensor, Tensor, int], Tensor]
"""(clean, sigma, index) to clean: the estimate made at sigma, the level of that index."""

Callback = Callable[[int, int, Tensor, Tensor], None]
"""(index, n, sigma, clean): step `index` of n, counted from 0, and the estimate made at sigma."""


def trajectory(denoised: Denoised, levels: Tensor, noise: Tensor) -> Tensor:
    """Return the probability-flow ODE's path from the first of falling noise levels.

    Args:
        denoised: The denoiser.
        levels: Shape (n,); twice n - 1 network calls.
        noise: Standard normal, any shape.

    Returns:
        x at each level, shape (n, *noise.shape).
    """
    levels = levels.to(noise)
    x = levels[0] * noise
    path = [x]
    for sigma, lower in itertools.pairwise(levels):
        x = ode_step(denoised, x, sigma, lower)
        path.append(x)
    return torch.stack(path)


def ancestral(
    denoised: Denoised,
    levels: Tensor,
    noises: Iterable[Tensor],
    *,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by DDPM's ancestral sampling.

    From sigma to a lower s the posterior of Ho et al. (NeurIPS 2020, equation 7) has mean
    D + (s / sigma)^2 (x - D) and variance s^2 (1 - s^2 / sigma^2).

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,).
        noises: One for the start and one a step.
        data_step: On every clean estimate.
        callback: Told of every step.
        start: x at levels[0], instead of noise.
    """
    noises = iter(noises)
    x = _first(levels, noises, start)
    for index, (sigma, lower) in enumerate(_steps(levels)):
        clean = _estimate(denoised, data_step, x, sigma, index)
        _tell(callback, index, levels, clean)
        ratio = (lower / sigma) ** 2
        spread = lower * (1.0 - ratio).clamp_min(0.0).sqrt()
        x = clean + ratio * (x - clean) + spread * next(noises)
    return x


def sde_solver(
    denoised: Denoised,
    levels: Tensor,
    noises: Iterable[Tensor],
    *,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by SDE-DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, appendix).

    `ancestral` to second order: it takes the reverse SDE's exact solution for a D that stays, this
    one that for a D which goes on as it did in the step before, E = D + h (D - D') / (2 h') with h
    the steps in -ln sigma. The first step and the one to 0 are of first order.

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,).
        noises: One for the start and one a step.
        data_step: On every clean estimate.
        callback: Told of every step.
        start: x at levels[0], instead of noise.
    """
    noises = iter(noises)
    x = _first(levels, noises, start)
    before: tuple[Tensor, Tensor] | None = None
    for index, (sigma, lower) in enumerate(_steps(levels)):
        clean = _estimate(denoised, data_step, x, sigma, index)
        _tell(callback, index, levels, clean)
        if lower == 0.0:
            return clean
        h = (sigma / lower).log()
        extrapolated = clean
        if before is not None:
            earlier, earlier_h = before
            extrapolated = clean + h / (2.0 * earlier_h) * (clean - earlier)
        ratio = (lower / sigma) ** 2
        spread = lower * (1.0 - ratio).sqrt()
        x = ratio * x + (1.0 - ratio) * extrapolated + spread * next(noises)
        before = clean, h
    return x


def ddim(
    denoised: Denoised,
    levels: Tensor,
    noises: Iterable[Tensor],
    *,
    eta: float = 0.0,
    keep_noise: bool = True,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by DDIM (Song et al., ICLR 2021, equations 12 and 16).

    x_s = D + sqrt(s^2 - t^2) e + t z with the noise e = (x - D) / sigma, fresh noise z, and
    t = eta s sqrt(1 - s^2 / sigma^2). eta 0 is deterministic, eta 1 is `ancestral`.

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,).
        noises: One for the start and, with eta above 0, one a step.
        eta: Share of the noise that is fresh, 0 to 1.
        keep_noise: Whether e is what the denoiser found, as in the decomposed diffusion sampler;
            else what lies between x and the data step's estimate, as in DiffPIR (Zhu et al., CVPRW
            2023). Without a data step the two are one.
        data_step: On every clean estimate.
        callback: Told of every step.
        start: x at levels[0], instead of noise.
    """
    noises = iter(noises)
    x = _first(levels, noises, start)
    for index, (sigma, lower) in enumerate(_steps(levels)):
        level = sigma.to(x)
        found = denoised(x, level)
        clean = found if data_step is None else data_step(found, level, index)
        _tell(callback, index, levels, clean)
        fresh = eta * lower * (1.0 - (lower / sigma) ** 2).clamp_min(0.0).sqrt()
        kept = (lower**2 - fresh**2).clamp_min(0.0).sqrt() / sigma
        x = clean + kept * (x - (found if keep_noise else clean))
        if eta > 0.0:
            x = x + fresh * next(noises)
    return x


def heun(
    denoised: Denoised,
    levels: Tensor,
    noises: Iterable[Tensor],
    *,
    churn: float = 0.0,
    churn_range: tuple[float, float] = (0.0, math.inf),
    churn_noise: float = 1.0,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by EDM's sampler of second order (Karras et al., NeurIPS 2022, algorithm 2).

    Two network calls a step but for the last, which has one. The second estimate of a step is made
    at the next level; `data_step` is told so.

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,).
        noises: One for the start and one a step at which noise is added.
        churn: S_churn: noise added before a step, 0 for none.
        churn_range: S_tmin and S_tmax: levels at which it is.
        churn_noise: S_noise: its standard deviation.
        data_step: On every clean estimate.
        callback: Told of every step.
        start: x at levels[0], instead of noise.
    """
    noises = iter(noises)
    x = _first(levels, noises, start)
    share = min(churn / len(levels), math.sqrt(2.0) - 1.0)
    for index, (level, lower) in enumerate(_steps(levels)):
        sigma = level
        if share > 0.0 and churn_range[0] <= level.item() <= churn_range[1]:
            sigma = level * (1.0 + share)
            x = x + churn_noise * (sigma**2 - level**2).sqrt() * next(noises)
        clean = _estimate(denoised, data_step, x, sigma, index)
        _tell(callback, index, levels, clean)
        if lower == 0.0:
            return clean
        slope = (x - clean) / sigma
        ahead = x + (lower - sigma) * slope
        second = (ahead - _estimate(denoised, data_step, ahead, lower, index + 1)) / lower
        x = x + 0.5 * (lower - sigma) * (slope + second)
    return x


def dpm_solver(
    denoised: Denoised,
    levels: Tensor,
    noises: Iterable[Tensor],
    *,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws by DPM-Solver++(2M) (Lu et al., arXiv 2211.01095, algorithm 2).

    With lambda = -ln sigma and h the step in it, x_s = (s / sigma) x + (1 - s / sigma) E, where
    E = D + h (D - D') / (2 h') extrapolates from the step before, that of D' and h'. The first step
    and the one to 0 are of first order.

    Args:
        denoised: The denoiser.
        levels: Falling noise levels, shape (n,).
        noises: One for the start.
        data_step: On every clean estimate.
        callback: Told of every step.
        start: x at levels[0], instead of noise.
    """
    x = _first(levels, iter(noises), start)
    before: tuple[Tensor, Tensor] | None = None
    for index, (sigma, lower) in enumerate(_steps(levels)):
        clean = _estimate(denoised, data_step, x, sigma, index)
        _tell(callback, index, levels, clean)
        if lower == 0.0:
            return clean
        h = (sigma / lower).log()
        extrapolated = clean
        if before is not None:
            earlier, earlier_h = before
            extrapolated = clean + h / (2.0 * earlier_h) * (clean - earlier)
        ratio = lower / sigma
        x = ratio * x + (1.0 - ratio) * extrapolated
        before = clean, h
    return x


def _first(levels: Tensor, noises: Iterator[Tensor], start: Tensor | None) -> Tensor:
    if len(levels) == 0 or not bool((levels > 0).all() and (levels.diff() < 0).all()):
        raise ValueError(f"noise levels {levels.tolist()}, expected falling ones above 0")
    return (1.0 + levels[0] ** 2).sqrt() * next(noises) if start is None else start


def _steps(levels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    return itertools.pairwise(torch.cat([levels, levels.new_zeros(1)]))


def _estimate(
    denoised: Denoised, data_step: DataStep | None, x: Tensor, sigma: Tensor, index: int
) -> Tensor:
    level = sigma.to(x)
    clean = denoised(x, level)
    return clean if data_step is None else data_step(clean, level, index)


def _tell(callback: Callback | None, index: int, levels: Tensor, clean: Tensor) -> None:
    if callback is not None:
        callback(index, len(levels), levels[index], clean)
