r"""`conditional`: posterior draws given what OSEM makes of the counts.

A network that is shown OSEM of the counts beside a noisy image estimates the clean one given both
(Saharia et al., IEEE TPAMI 2023, for images; a conditional diffusion model). Reverse diffusion with
it from pure noise draws from p(image | OSEM), which is the posterior given the counts as far as
OSEM keeps what they say: the network has learned it from simulated scans, and no counts are used
twice, as they are where data steps are added. The counts are asked at the end for their total
(`total`), and whether they refute the mean (`pursuit`). It takes SDE-DPM-Solver++(2M) (Lu et al.,
arXiv 2211.01095), whose draws keep their spread in few steps, over levels even in the logarithm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.schedules import log_levels
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.diffusion import Diffusion
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem, score_problem

__all__ = ["Conditional"]


class Conditional(Diffusion):
    """Draws of a network that is shown OSEM of the counts.

    Args:
        settings: How many, and in how many steps.
        inputs: A prior that is shown OSEM, or a denoiser that knows of the counts, and the like.

    Raises:
        UsageError: If the prior is shown nothing.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many, and in how many steps.

        Attributes:
            draws: How many images are drawn; the result is their mean.
            steps: Network calls of each.
            first: Noise level at first, in units of the image's level.
            last: At the end, likewise.
            subsets: Subsets, in which OSEM goes through the counts.
            significance: SDs of the counts from which on the mean is given what they demand and the
                network left out, see `pursuit`, after all draws got the total of the counts; 0
                does neither.
        """

        draws: int = 8
        steps: int = 12
        first: float = 40.0
        last: float = 0.1
        subsets: int = 21
        significance: float = 4.5

        def __post_init__(self) -> None:
            check_count("steps", self.steps, low=2)
            for name in ("draws", "subsets"):
                check_count(name, getattr(self, name))
            check_range("significance", self.significance, 0.0)
            check_range("first", self.first, 1e-3, 80.0)
            check_range("last", self.last, 1e-4, 0.999 * self.first)

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        self.settings, self.inputs = settings or self.Settings(), inputs
        if isinstance(inputs.prior, ImagePrior) and not inputs.prior.sees:
            raise UsageError(
                "method conditional with a prior that is shown nothing of the counts",
                "expected one that is shown OSEM, such as brain2d-osem",
                "take dds or gibbs",
            )
        s = self.settings
        self.count, self.calls, self.significance = s.draws, s.steps, s.significance
        self.levels = log_levels(s.steps, s.last, s.first).numpy()

    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all draws share."""
        return score_problem(data, self.inputs, start, sighted=True)

    def begin(self, problem: ScoreProblem, chain: int) -> DiffusionState:
        """Return the state of a draw before its first network call: noise."""
        x = np.float32(self.levels[0]) * problem.noise(chain, 0)
        return DiffusionState(draw=chain, step=0, subset=0, x=x, clean=np.zeros_like(x))

    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call; the last leaves its estimate."""
        step, level = state.step, np.float32(problem.level)
        found = problem.denoise(state.x, float(self.levels[step]), step)
        x = state.x
        if step + 1 < self.calls:
            before = state.clean / level if step else found
            x = self._onwards(problem, state, found, before)
        return DiffusionState(draw=state.draw, step=step + 1, subset=0, x=x, clean=found * level)

    def drawn(self, problem: ScoreProblem, state: DiffusionState) -> np.ndarray | None:
        """Return the last estimate, when all calls are done: no activity is negative."""
        image = super().drawn(problem, state)
        return None if image is None else np.maximum(image, 0.0) * problem.data.mask

    def _onwards(
        self, problem: ScoreProblem, state: DiffusionState, found: np.ndarray, before: np.ndarray
    ) -> np.ndarray:
        """Return x at the next level; the estimate goes on as it did since the call before."""
        step = state.step
        sigma, lower = (float(v) for v in self.levels[step : step + 2])
        ahead = found
        if step:
            share = math.log(sigma / lower) / (2.0 * math.log(self.levels[step - 1] / sigma))
            ahead = found + np.float32(share) * (found - before)
        ratio = (lower / sigma) ** 2
        fresh = np.float32(lower * math.sqrt(1.0 - ratio)) * problem.noise(state.draw, step + 1)
        return np.float32(ratio) * state.x + np.float32(1.0 - ratio) * ahead + fresh
