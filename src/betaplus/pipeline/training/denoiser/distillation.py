"""What the network of draws in a few calls minimises: consistency distillation.

Song et al., ICML 2023: from a level of noise and from the next lower one, to which the teacher's
probability-flow ODE leads, the network is to end in the same place. As in the improved training of
Song and Dhariwal, ICLR 2024, the target is the network itself, not an average of its weights, and
levels grow in number; arithmetic is in (z - m) / SD, with m the mean and SD that of z around it: of
about unit variance, as the steps of the teacher's ODE take it to be.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from betaplus.denoising.consistency import ode_end
from betaplus.denoising.draw_network import LEVELS, SPREAD, DrawNetwork
from betaplus.denoising.inputs import Shown
from betaplus.generative.consistency import consistency_loss, draw_intervals
from betaplus.generative.denoiser import Denoised
from betaplus.generative.schedules import discretisation

__all__ = ["distillation_loss"]

_FEWEST, _MOST = 10, 40  # levels, at the beginning and at the end of a run

_UNIFORM = 0.2  # share of items of any level alike: the highest, where draws start, is rare else


def distillation_loss(
    network: DrawNetwork,
    teacher: DrawNetwork,
    batch: dict[str, Tensor],
    done: float,
    generator: Generator,
) -> Tensor:
    """Return the loss of a batch.

    Args:
        network: What learns.
        teacher: Denoiser of z, without gradients.
        batch: ``z``; ``images`` and ``basis``, what is shown; ``told``.
        done: Share of the run that is done.
        generator: On the CPU.
    """
    z = batch["z"]
    seen, told = Shown(images=batch["images"], basis=batch["basis"]), batch["told"]
    mean = teacher.mean(seen, told)
    shown = Shown(images=seen.images, basis=seen.basis, mean=mean)
    higher, lower = draw_intervals(
        discretisation(done, _FEWEST, _MOST), (len(z),), generator, z.device,
        lowest=LEVELS[0] / SPREAD, highest=LEVELS[1] / SPREAD, uniform=_UNIFORM,
    )  # fmt: skip
    noise = torch.randn(z.shape, generator=generator).to(z.device)

    def denoiser(of: DrawNetwork) -> Denoised:
        return lambda x, sigma: of(x, sigma, shown, told)

    def scaled(function: Denoised) -> Denoised:
        return lambda x, sigma: (function(mean + SPREAD * x, SPREAD * sigma) - mean) / SPREAD

    def end(x: Tensor, sigma: Tensor) -> Tensor:
        return ode_end(denoiser(network), x, sigma)

    return consistency_loss(
        scaled(end), (z - mean) / SPREAD, noise, higher, lower, teacher=scaled(denoiser(teacher))
    )
