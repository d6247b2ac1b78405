"""Consistency models: training from data, distillation from a denoiser, sampling in a few passes.

Song et al., ICML 2023; improved training of Song and Dhariwal, ICLR 2024 (arXiv 2310.14189): no
average of the target network, pseudo-Huber loss, a growing number of levels, log-normal weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Generator, Tensor

from betaplus.generative.denoiser import Denoised, leading, ode_step
from betaplus.generative.samplers import Callback, DataStep
from betaplus.generative.schedules import SIGMA_MAX, SIGMA_MIN, interval_weights, karras_levels

__all__ = ["consistency_loss", "draw_intervals", "multistep"]

_Consistency = Callable[[Tensor, Tensor], Tensor]


def draw_intervals(
    n: int,
    shape: Sequence[int],
    generator: Generator,
    device: torch.device | str = "cpu",
    *,
    lowest: float = SIGMA_MIN,
    highest: float = SIGMA_MAX,
    uniform: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Draw neighbours (higher, lower) among n Karras levels, each of the given shape.

    Which neighbours is weighted by `interval_weights`; a share `uniform` is of all alike.
    """
    rising = karras_levels(n, lowest, highest).flip(0)
    weights = (1.0 - uniform) * interval_weights(rising) + uniform / (n - 1)
    chosen = torch.multinomial(
        weights, int(torch.Size(shape).numel()), True, generator=generator
    ).reshape(*shape)
    return rising[chosen + 1].float().to(device), rising[chosen].float().to(device)


def consistency_loss(
    consistency: _Consistency,
    clean: Tensor,
    noise: Tensor,
    higher: Tensor,
    lower: Tensor,
    there: Tensor | None = None,
    teacher: Denoised | None = None,
) -> Tensor:
    """Return the loss of consistency training, or of distillation where there is a teacher.

    Args:
        consistency: (x, sigma) to clean data.
        clean: Data: vectors (B, S, D), images (B, C, X, Y) or volumes.
        noise: Standard normal, likewise.
        higher: Noise levels, one an item of the loss: (B, S) for vectors, (B,) for images.
        lower: The next lower ones.
        there: 1 for places that exist, broadcast with the data; all do without it.
        teacher: Denoiser whose ODE leads from the higher to the lower level; without one the same
            data and noise are used at both, which is right on average.
    """
    x = clean + leading(higher, clean) * noise
    with torch.no_grad():
        if teacher is None:
            below = clean + leading(lower, clean) * noise
        else:
            below = ode_step(teacher, x, higher, lower)
        target = consistency(below, lower)
    there = torch.ones_like(clean[:1]) if there is None else there
    difference = (consistency(x, higher) - target) * there
    axes = tuple(range(higher.ndim, clean.ndim))
    c = 0.00054 * there.expand_as(clean).sum(axes).sqrt()
    huber = (difference.square().sum(axes) + c * c).sqrt() - c
    return (huber / (higher - lower)).mean()


def multistep(
    consistency: _Consistency,
    levels: Tensor | Sequence[float],
    noises: Iterable[Tensor],
    *,
    data_step: DataStep | None = None,
    callback: Callback | None = None,
    start: Tensor | None = None,
) -> Tensor:
    """Return draws: one pass from each noise level, noise added anew before each.

    Args:
        consistency: (x, sigma) to clean data; sigma has shape ().
        levels: Falling noise levels, one a pass.
        noises: Standard normal of the shape of x, one a pass.
        data_step: On every clean estimate.
        callback: Told of every pass.
        start: x at levels[0], instead of noise; `noises` has then one fewer.
    """
    noises = iter(noises)
    clean: Tensor | None = None
    for index, sigma in enumerate(float(level) for level in levels):
        if index == 0 and start is not None:
            x = start
        else:
            noise = next(noises)
            x = sigma * noise if clean is None else clean + sigma * noise
        level = x.new_tensor(sigma)
        clean = consistency(x, level)
        if data_step is not None:
            clean = data_step(clean, level, index)
        if callback is not None:
            callback(index, len(levels), level, clean)
    if clean is None:
        raise ValueError("no noise levels, expected at least one")
    return clean
