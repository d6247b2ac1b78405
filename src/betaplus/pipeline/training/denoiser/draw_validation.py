"""How good draws are on held-out boxes: of one, of the mean of four, and whether they spread right.

Beside them the mean that they are drawn around: of its gain the mean of K draws of the right
distribution loses 10 log10(1 + 1/K), 0.97 dB of four, and a draw 3.01 dB.
Spread over error is sqrt((1 + 1/K) mean variance of K draws / mean squared error of their mean),
which is 1 where truth and draws are of one distribution (Fortin et al., J. Hydrometeorol. 2014),
over means of blocks of 4^3 voxels. The mean alone would prefer draws that do not differ; the score
is the fair continuous ranked probability score (Ferro, Q. J. R. Meteorol. Soc. 2014), least for
draws of the right distribution, over voxels and over blocks, in units of the noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.nn import functional

from betaplus.denoising.consistency import MOST_CALLS, levels_of_calls, ode_end
from betaplus.denoising.draw_network import LEVELS, DrawNetwork
from betaplus.denoising.inputs import Shown, context_of
from betaplus.generative.consistency import multistep
from betaplus.generative.denoiser import Denoised
from betaplus.generative.samplers import dpm_solver
from betaplus.generative.schedules import log_levels
from betaplus.pipeline.training.denoiser.validation import Validation

__all__ = ["DrawValidation", "draw_by_consistency", "draw_by_solver", "fair_crps"]

_DRAWS = 4
_STEPS = 10  # of DPM-Solver++; the SD of a Gaussian comes out within 4 %, by DDIM 12 % too small
_BLOCK = 4
_AIR = 0.05  # SUV: below it errors do not count

DrawOf = Callable[[Denoised, Tensor, list[Tensor]], Tensor]
"""(denoiser, mean, one noise a step) to draws; the list is long enough."""


def draw_by_solver(denoised: Denoised, mean: Tensor, noises: list[Tensor]) -> Tensor:
    """Return draws in a few steps of DPM-Solver++."""
    levels = log_levels(_STEPS, LEVELS[0], LEVELS[1])
    return dpm_solver(denoised, levels, (), start=mean + LEVELS[1] * noises[0])


def draw_by_consistency(denoised: Denoised, mean: Tensor, noises: list[Tensor]) -> Tensor:
    """Return draws in as many calls as `consistency` makes at most."""
    levels = levels_of_calls(MOST_CALLS)
    return multistep(
        lambda z, sigma: ode_end(denoised, z, sigma), levels, noises[1:],
        start=mean + levels[0] * noises[0],
    )  # fmt: skip


def fair_crps(draws: Tensor, truth: Tensor) -> Tensor:
    """Return the fair CRPS of K draws at each place, shape of `truth`.

    Args:
        draws: Shape (K, ...), K over 1.
        truth: Shape (1, ...) or (...).
    """
    k = len(draws)
    apart = sum((draws - draw).abs().sum(0) for draw in draws)
    return (draws - truth).abs().mean(0) - apart / (2 * k * (k - 1))


class DrawValidation:
    """Boxes at known doses.

    Args:
        boxes: The boxes.
        draw: How draws are made.
    """

    def __init__(self, boxes: Validation, draw: DrawOf) -> None:
        self.boxes, self.draw = boxes, draw

    def measure(self, network: DrawNetwork, bf16: bool) -> dict[str, float]:
        """Return gains over the noisy boxes [dB], spread over error, and the score.

        Errors count where the clean image is above 0.05 SUV and away from borders.
        """
        device = next(network.parameters()).device
        around: list[float] = []
        one: list[float] = []
        mean: list[float] = []
        spread, error, score = 0.0, 0.0, 0.0
        for number, (_, *images, shown) in enumerate(self.boxes.cases):
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                found = self._draws(network, shown.to(device), number)
            noisy, clean, sd, m, z = (x.cpu()[self.boxes.inner] for x in (*images, *found))
            inside = clean > _AIR
            before, drawn = noisy - clean, noisy + sd * z - clean
            around.append(_gain(before[inside], (before + sd * m)[inside]))
            mean.append(_gain(before[inside], drawn.mean(0, keepdim=True)[inside]))
            one += [_gain(before[inside], each[None][inside]) for each in drawn]
            off = drawn / sd
            blocks, full = functional.avg_pool3d(off, _BLOCK), functional.avg_pool3d(clean, _BLOCK)
            blocks = blocks[:, (full > _AIR)[0]]
            spread += (1.0 + 1.0 / _DRAWS) * float(blocks.var(0).mean())
            error += float(blocks.mean(0).square().mean())
            for draws in (off[:, inside[0]], blocks):
                score += float(fair_crps(draws, torch.zeros(())).mean()) / len(self.boxes.cases)
        return {
            "score": score,
            "gain of the mean [dB]": sum(around) / len(around),
            "gain of a draw [dB]": sum(one) / len(one),
            f"gain of the mean of {_DRAWS} draws [dB]": sum(mean) / len(mean),
            "spread over error": math.sqrt(spread / error),
        }

    def _draws(self, network: DrawNetwork, shown: Shown, number: int) -> tuple[Tensor, Tensor]:
        """Return the mean and draws around it."""
        told = context_of([None] * _DRAWS, [[self.boxes.voxel] * 3] * _DRAWS).to(shown.images)
        mean = network.mean(shown, told[:1])
        every = Shown(images=shown.images, basis=shown.basis[:, :0], mean=mean).copies(_DRAWS)
        generator = Generator().manual_seed(number)
        noises = [
            torch.randn((_DRAWS, *mean.shape[1:]), generator=generator).to(mean.device)
            for _ in range(MOST_CALLS)
        ]

        def denoised(z: Tensor, sigma: Tensor) -> Tensor:
            found: Tensor = network(z, sigma.reshape(-1).float().expand(_DRAWS), every, told)
            return found

        return mean, self.draw(denoised, mean, noises)


def _gain(before: Tensor, after: Tensor) -> float:
    return 10.0 * math.log10(float(before.square().mean()) / float(after.square().mean()))
