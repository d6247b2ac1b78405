"""Posterior draws by the reverse stochastic differential equation, its steps adapted to the error.

The solver of Jolicoeur-Martineau et al. (arXiv 2105.14080): a stochastic Euler step beside one of
second order, their difference against a tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.generative.reverse_sde import adaptive_reverse_sde
from betaplus.generative.schedules import SIGMA_MAX, SIGMA_MIN
from betaplus.kinetics.amortised.condition import Condition, make_probes
from betaplus.kinetics.amortised.denoising import denoiser_of, normal_steps
from betaplus.kinetics.amortised.fitter import AmortisedFitter, Draws, Trust
from betaplus.kinetics.amortised.networks import load_field, outside_training
from betaplus.kinetics.amortised.settings import check_draws, check_share
from betaplus.kinetics.method import Task

__all__ = ["Score"]


class Score:
    """Draws by the reverse SDE with the denoiser that taught the consistency model."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many draws and how exact a path, and what is done about draws that are off.

        Attributes:
            tolerance: Error of a step in posterior standard deviations.
            draws: Draws per curve; more where more samples are asked for.
            reweight: Give draws importance weights of the exact posterior.
            refine: Do curves again by `exact` where that fails.
            least_share: Effective share of the draws below which it has failed.
            bundle: Folder of a weight bundle; the shipped one if empty.
        """

        tolerance: float = 0.02
        draws: int = 200
        reweight: bool = False
        refine: bool = False
        least_share: float = 0.05
        bundle: str = ""

        def __post_init__(self) -> None:
            if not 1e-4 <= self.tolerance <= 1.0:
                raise UsageError(f"setting tolerance={self.tolerance:g}", "expected 0.0001 to 1")
            check_draws("draws", self.draws)
            check_share("least_share", self.least_share)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> AmortisedFitter:
        """Load the network and tabulate the responses of a task."""
        s = self.settings
        field, validity = load_field("denoiser", s.bundle, "cpu")
        count = max(s.draws, task.samples)

        def draw(condition: Condition, places: np.ndarray, items: np.ndarray) -> Draws:
            denoised, there = denoiser_of(field, condition)
            x = adaptive_reverse_sde(
                denoised,
                SIGMA_MAX,
                SIGMA_MIN,
                normal_steps(task.seed, items, 34, None, count, there),
                s.tolerance,
            )
            return Draws(x.numpy()[..., places], None)

        trust = Trust(reweight=s.reweight, refine=s.refine, least_share=s.least_share)
        return AmortisedFitter(task, draw, make_probes(), trust, outside_training(task, validity))
