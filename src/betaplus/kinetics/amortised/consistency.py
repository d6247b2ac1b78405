"""Posterior draws in a few passes of a consistency model.

PET-TRACER's idea (Zhao et al., arXiv 2509.13614) with what that lacks: noise up to T = 80, any
frame schedule, half-life, input function, prior and dose, and a condition computed once a curve.
The network was distilled (Song et al., ICML 2023) from a denoiser of exact posterior draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.errors import UsageError
from betaplus.generative.conditional import ConditionalField
from betaplus.generative.consistency import multistep
from betaplus.generative.denoiser import consistency_function
from betaplus.generative.schedules import SIGMA_MAX, SIGMA_MIN
from betaplus.kinetics.amortised.condition import Condition, make_probes
from betaplus.kinetics.amortised.fitter import AmortisedFitter, Draws, Trust
from betaplus.kinetics.amortised.networks import (
    condition_tensors,
    load_field,
    noise,
    outside_training,
)
from betaplus.kinetics.amortised.settings import check_draws, check_share
from betaplus.kinetics.method import Task

__all__ = ["Consistency", "consistency_draws", "levels_of_passes"]


def levels_of_passes(passes: int) -> tuple[float, ...]:
    """Return the noise level of each pass: 80, then even in the logarithm from 2 to .5."""
    if passes == 1:
        return (SIGMA_MAX,)
    if passes == 2:
        return (SIGMA_MAX, 1.0)
    return (SIGMA_MAX, *np.geomspace(2.0, 0.5, passes - 1).tolist())


class Consistency:
    """Draws from a consistency model, weighed by the exact posterior."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many draws and passes, and what is done about draws that are off.

        Attributes:
            passes: Network passes per draw.
            draws: Draws per curve; more where more samples are asked for.
            reweight: Give draws importance weights of the exact posterior.
            refine: Do curves again by `exact` where that fails.
            least_share: Effective share of the weighted points below which it has failed.
            points: Weighted points per curve.
            bundle: Folder of a weight bundle; the shipped one if empty.
            adapt_minutes: Minutes in which the network is first adapted to the scan's own frames,
                input function, prior and noise.
        """

        passes: int = 3
        draws: int = 200
        reweight: bool = True
        refine: bool = True
        least_share: float = 0.05
        points: int = 2048
        bundle: str = ""
        adapt_minutes: float = 0.0

        def __post_init__(self) -> None:
            check_draws("passes", self.passes, 1, 16)
            check_draws("draws", self.draws)
            check_share("least_share", self.least_share)
            check_draws("points", self.points, 256)
            if not 0.0 <= self.adapt_minutes <= 1e4:
                raise UsageError(
                    f"setting adapt_minutes={self.adapt_minutes:g}", "expected 0 to 10000"
                )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> AmortisedFitter:
        """Load the network and tabulate the responses of a task."""
        s = self.settings
        device = "cpu"
        field, validity = load_field("consistency", s.bundle, device)
        count, sigmas = max(s.draws, task.samples), levels_of_passes(s.passes)

        def draw(condition: Condition, places: np.ndarray, items: np.ndarray) -> Draws:
            normal = noise(task.seed, items, 31, (len(sigmas), count, 6))
            return Draws(consistency_draws(field, condition, sigmas, normal)[..., places], None)

        trust = Trust(
            reweight=s.reweight, refine=s.refine, least_share=s.least_share, points=s.points
        )
        return AmortisedFitter(task, draw, make_probes(), trust, outside_training(task, validity))


@torch.no_grad()
def consistency_draws(
    field: ConditionalField,
    condition: Condition,
    sigmas: tuple[float, ...],
    normal: np.ndarray,
    device: str = "cpu",
) -> np.ndarray:
    """Return whitened draws, shape (n, S, 6), 0 where a place is not free.

    Args:
        field: The network.
        condition: Of n curves.
        sigmas: Noise level of each pass, falling.
        normal: Standard normal, shape (n, passes, S, 6).
        device: Where the network is.
    """
    tensors = condition_tensors(condition, device)
    told = field.condition(*tensors)
    there = tensors[3][:, None]

    def consistency(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        def at_every_draw(u: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
            # A matrix product of one row has other last bits than one of a row a draw.
            return field(u, c.expand(1, u.shape[1]), told) * there

        return consistency_function(at_every_draw, x, sigma, SIGMA_MIN)

    noises = torch.from_numpy(normal).to(device)
    draws = multistep(consistency, sigmas, [part * there for part in noises.unbind(1)])
    return draws.cpu().numpy()
