"""What the networks are trained on: a batch of a `Dataset` to a loss."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from betaplus.generative.conditional import ConditionalField
from betaplus.generative.consistency import consistency_loss, draw_intervals
from betaplus.generative.denoiser import consistency_function, denoise
from betaplus.generative.flow import ConditionalFlow
from betaplus.generative.samplers import trajectory
from betaplus.generative.schedules import SIGMA_MAX, SIGMA_MIN, discretisation, karras_levels

__all__ = ["Batch", "consistency_training_loss", "denoising_loss", "distillation_loss", "flow_loss"]

Batch = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]
"""Tokens, counts, features, free places and draws."""

_MEAN, _SD = -0.4, 1.4  # of the log noise level of the denoiser
_FEWEST_STEPS, _POINTS = 12, 4  # of a trajectory, and points of it that are learned from
_HUBER = 0.1


def denoising_loss(network: ConditionalField, batch: Batch, generator: Generator) -> Tensor:
    """Return EDM's loss (Karras et al., NeurIPS 2022), weighted to be 1 for an untrained network.

    That is for data N(0, I), which the network is right about before it is trained.
    """
    *told, free, x = batch
    condition = network.condition(*told, free)
    there = free[:, None]
    level = torch.randn(x.shape[:2], generator=generator).to(x.device)
    sigma = (_MEAN + _SD * level).exp().clamp(SIGMA_MIN, SIGMA_MAX)
    noise = torch.randn(x.shape, generator=generator).to(x.device) * there
    found = denoise(
        lambda u, c: network(u, c, condition) * there, x + sigma[..., None] * noise, sigma
    )
    weight = (1.0 + sigma * sigma) / (sigma * sigma)
    error = (found - x).square() * there
    return (weight * error.sum(-1) / there.sum(-1)).mean()


def distillation_loss(
    network: ConditionalField,
    teacher: ConditionalField,
    batch: Batch,
    generator: Generator,
) -> Tensor:
    """Return how far the network is from the ends of the teacher's probability-flow ODE.

    Every curve gets trajectories from pure noise to the end, and the network is asked for that end
    from a few points of each: what consistency distillation (Song et al., ICML 2023) reaches by
    small steps, without the error that its own targets carry from step to step.
    """
    *told, free, x = batch
    there = free[:, None]
    condition = network.condition(*told, free)
    with torch.no_grad():
        taught = teacher.condition(*told, free)

        def denoised(y: Tensor, sigma: Tensor) -> Tensor:
            return denoise(lambda u, c: teacher(u, c, taught) * there, y, sigma)

        steps = _FEWEST_STEPS + int(torch.randint(5, (1,), generator=generator))
        levels = karras_levels(steps + 1).float().to(x.device)
        noise = torch.randn(x.shape, generator=generator).to(x.device) * there
        path = trajectory(denoised, levels, noise)
        points, at = [noise * SIGMA_MAX], [torch.full(x.shape[:2], SIGMA_MAX, device=x.device)]
        for _ in range(_POINTS - 1):
            chosen = torch.randint(steps, x.shape[:2], generator=generator).to(x.device)
            where = chosen[None, ..., None].expand(1, *x.shape)
            points.append(torch.gather(path, 0, where)[0])
            at.append(levels[chosen])
    found = consistency_function(
        lambda u, c: network(u, c, condition) * there,
        torch.cat(points, 1),
        torch.cat(at, 1),
        SIGMA_MIN,
    )
    end = path[-1].repeat(1, _POINTS, 1)
    error = ((found - end) * there).square().sum(-1) / there.sum(-1)
    return ((error + _HUBER**2).sqrt() - _HUBER).mean()


def consistency_training_loss(
    network: ConditionalField, batch: Batch, generator: Generator, progress: float
) -> Tensor:
    """Return the loss of consistency training without a teacher (Song and Dhariwal, ICLR 2024)."""
    *told, free, x = batch
    there = free[:, None]
    condition = network.condition(*told, free)
    noise = torch.randn(x.shape, generator=generator).to(x.device) * there
    levels = discretisation(progress)
    higher, lower = draw_intervals(levels, x.shape[:2], generator, x.device)

    def consistency(y: Tensor, sigma: Tensor) -> Tensor:
        return consistency_function(
            lambda u, c: network(u, c, condition) * there, y, sigma, SIGMA_MIN
        )

    return consistency_loss(consistency, x, noise, higher, lower, there)


def flow_loss(network: ConditionalFlow, batch: Batch, generator: Generator) -> Tensor:
    """Return minus the mean log density; places that are not free are standard normal."""
    *told, free, x = batch
    context = network.condition(*told, free)
    normal = torch.randn(x.shape, generator=generator).to(x.device)
    return -network.log_density(torch.where(free[:, None] > 0, x, normal), context).mean()
