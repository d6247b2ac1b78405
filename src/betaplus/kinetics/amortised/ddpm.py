"""Posterior draws by a thousand small steps of a diffusion model (Ho et al., NeurIPS 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.generative.samplers import ancestral
from betaplus.generative.schedules import vp_levels
from betaplus.kinetics.amortised.condition import Condition, make_probes
from betaplus.kinetics.amortised.denoising import denoiser_of, normal_steps
from betaplus.kinetics.amortised.fitter import AmortisedFitter, Draws, Trust
from betaplus.kinetics.amortised.networks import load_field, outside_training
from betaplus.kinetics.amortised.settings import check_draws, check_share
from betaplus.kinetics.method import Task

__all__ = ["Ddpm"]


class Ddpm:
    """Draws by ancestral sampling with the denoiser that taught the consistency model."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many draws and steps, and what is done about draws that are off.

        Attributes:
            steps: Steps of the noise schedule.
            draws: Draws per curve; more where more samples are asked for.
            reweight: Give draws importance weights of the exact posterior.
            refine: Do curves again by `exact` where that fails.
            least_share: Effective share of the draws below which it has failed.
            bundle: Folder of a weight bundle; the shipped one if empty.
        """

        steps: int = 1000
        draws: int = 200
        reweight: bool = False
        refine: bool = False
        least_share: float = 0.05
        bundle: str = ""

        def __post_init__(self) -> None:
            check_draws("steps", self.steps, 10, 10_000)
            check_draws("draws", self.draws)
            check_share("least_share", self.least_share)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> AmortisedFitter:
        """Load the network and tabulate the responses of a task."""
        s = self.settings
        field, validity = load_field("denoiser", s.bundle, "cpu")
        count, levels = max(s.draws, task.samples), vp_levels(s.steps).float()

        def draw(condition: Condition, places: np.ndarray, items: np.ndarray) -> Draws:
            denoised, there = denoiser_of(field, condition)
            steps = normal_steps(task.seed, items, 33, s.steps + 1, count, there)
            x = ancestral(denoised, levels, steps)
            return Draws(x.numpy()[..., places], None)

        trust = Trust(reweight=s.reweight, refine=s.refine, least_share=s.least_share)
        return AmortisedFitter(task, draw, make_probes(), trust, outside_training(task, validity))
