"""Consistency models: training from data, distillation from a denoiser, sampling in a few passes.

Song et al., ICML 2023; improved training of Song and Dhariwal, ICLR 2024 (arXiv 2310.14189): no
average of the target network, pseudo-Huber loss, a growing number of levels, log-normal weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from betaplus.generative.denoiser import Denoised, ode_step
from betaplus.generative.schedules import interval_weights, karras_levels

__all__ = ["consistency_loss", "draw_intervals", "multistep"]

_Consistency = Callable[[Tensor, Tensor], Tensor]


def draw_intervals(
    n: int, shape: Sequence[int], generator: Generator, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """Draw neighbours (higher, lower) among n Karras levels, each of the given shape.

    Which neighbours is weighted by `interval_weights`.
    """
    rising = karras_levels(n).flip(0)
    chosen = torch.multinomial(
        interval_weights(rising), int(torch.Size(shape).numel()), True, generator=generator
    ).reshape(*shape)
    return rising[chosen + 1].float().to(device), rising[chosen].float().to(device)


def consistency_loss(
    consistency: _Consistency,
    clean: Tensor,
    noise: Tensor,
    higher: Tensor,
    lower: Tensor,
    there: Tensor,
    teacher: Denoised | None = None,
) -> Tensor:
    """Return the loss of consistency training, or of distillation where there is a teacher.

    Args:
        consistency: (x, sigma) to clean vectors.
        clean: Data, shape (B, S, D).
        noise: Standard normal, likewise.
        higher: Noise levels, shape (B, S).
        lower: The next lower ones.
        there: 1 for places that exist, shape (B, 1, D).
        teacher: Denoiser whose ODE leads from the higher to the lower level; without one the same
            data and noise are used at both, which is right on average.
    """
    x = clean + higher[..., None] * noise
    with torch.no_grad():
        if teacher is None:
            below = clean + lower[..., None] * noise
        else:
            below = ode_step(teacher, x, higher, lower)
        target = consistency(below, lower)
    difference = (consistency(x, higher) - target) * there
    c = 0.00054 * there.sum(-1).sqrt()
    huber = (difference.square().sum(-1) + c * c).sqrt() - c
    return (huber / (higher - lower)).mean()


def multistep(
    consistency: _Consistency,
    sigmas: Sequence[float],
    noises: Sequence[Tensor],
) -> Tensor:
    """Return draws: one pass from each noise level, noise added anew before each.

    Args:
        consistency: (x, sigma) to clean vectors.
        sigmas: Falling noise levels, one a pass.
        noises: Standard normal, one (B, S, D) a pass.
    """
    x = torch.zeros_like(noises[0])
    for sigma, noise in zip(sigmas, noises, strict=True):
        level = torch.full((1, noise.shape[1]), sigma, dtype=x.dtype, device=x.device)
        x = consistency(x + sigma * noise, level)
    return x
