r"""`dps`: diffusion posterior sampling, for comparison.

Chung, Kim, McCann, Klasky and Ye, ICLR 2023. After each step of reverse diffusion the noisy image
takes one along the gradient of log p(counts | D(x)), through the network by automatic derivatives:

.. math::
    x' \leftarrow x' + \zeta J^T P \nabla L(\hat x), \quad \hat x = D(x), \quad
    P = \hat x / (s + \hat x / (\sigma a)^2)

in place of a step divided by the norm of the residual, which has no scale for Poisson counts: P is
that of EM where the noise of x is large, and :math:`\sigma^2` where it is small, as the score of
the posterior has it. L is of all counts, a is the level of the image, s the sensitivity.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from betaplus.generative.schedules import karras_levels
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.diffusion import Diffusion
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem, score_problem
from betaplus.reconstruction.score.pullback import Pullback, pullback_on

__all__ = ["Dps"]

_FLOOR = 1e-3  # of the level: what a voxel counts as in P


class Dps(Diffusion):
    """Reverse diffusion with a step towards the counts after each of its own.

    Args:
        settings: How many, and how far.
        inputs: A prior of slices and the like.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many, and how far.

        Attributes:
            steps: Network calls, each with its derivative.
            zeta: Length of a step towards the counts.
            first: Noise level at first, in units of the image's level.
            last: At the end, likewise.
            eta: Share of the noise that is fresh.
            subsets: Subsets, in which the counts are gone through.
            passes: Of OSEM, for the image at first.
            smooth: Full width at half maximum of its filter [mm].
            draws: How many images are drawn; the result is their mean.
        """

        steps: int = 100
        zeta: float = 1.0
        first: float = 3.0
        last: float = 0.03
        eta: float = 1.0
        subsets: int = 21
        passes: int = 1
        smooth: float = 5.0
        draws: int = 1

        def __post_init__(self) -> None:
            check_count("steps", self.steps, low=2)
            for name in ("subsets", "passes", "draws"):
                check_count(name, getattr(self, name))
            for name in ("zeta", "smooth"):
                check_range(name, getattr(self, name), 0.0)
            check_range("first", self.first, 1e-3, 80.0)
            check_range("last", self.last, 1e-4, 0.999 * self.first)
            check_range("eta", self.eta, 0.0, 1.0)

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        self.settings, self.inputs = settings or self.Settings(), inputs
        s = self.settings
        self.count, self.calls = s.draws, s.steps
        self.levels = karras_levels(s.steps, s.last, s.first).numpy()

    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all draws share."""
        s = self.settings
        found = score_problem(data, self.inputs, start, passes=s.passes, smooth=s.smooth)
        whole = pullback_on(self.inputs.prior, data.grid, found.denoise)
        return dataclasses.replace(found, denoise=whole)

    def begin(self, problem: ScoreProblem, chain: int) -> DiffusionState:
        """Return the state of a draw before its first network call: the first image and noise."""
        noise = np.float32(self.levels[0]) * problem.noise(chain, 0)
        x = problem.first / np.float32(problem.level) + noise
        return DiffusionState(draw=chain, step=0, subset=0, x=x, clean=problem.first)

    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call."""
        denoise: Pullback = problem.denoise  # type: ignore[assignment]
        sigma, step = float(self.levels[state.step]), state.step
        found = denoise(state.x, sigma, step)
        push = denoise.pull(state.x, sigma, self.preconditioned(problem, found, sigma))
        lower = float(self.levels[step + 1]) if step + 1 < self.calls else 0.0
        fresh = self.settings.eta * lower * math.sqrt(1.0 - (lower / sigma) ** 2)
        kept = math.sqrt(lower**2 - fresh**2) / sigma
        x = found + np.float32(kept) * (state.x - found)
        x += np.float32(self.settings.zeta) * push
        if fresh > 0.0:
            x += np.float32(fresh) * problem.noise(state.draw, step + 1)
        last = x if step + 1 == self.calls else found
        clean = np.maximum(last, 0.0) * np.float32(problem.level) * problem.data.mask
        return DiffusionState(draw=state.draw, step=step + 1, subset=0, x=x, clean=clean)

    def preconditioned(self, problem: ScoreProblem, clean: np.ndarray, sigma: float) -> np.ndarray:
        """Return P times the gradient of the log-likelihood at a clean estimate.

        Args:
            problem: The counts.
            clean: In units of the level, shape (X, Y, Z).
            sigma: Noise level of what it was estimated from.
        """
        data, level = problem.data, np.float32(problem.level)
        image = (np.maximum(clean, 0.0) * level * data.mask).astype(np.float32)
        gradient = -data.sensitivity
        for n in data.order:
            gradient = gradient + data.back_ratio(image, n)
        image = np.maximum(image, np.float32(_FLOOR) * level)
        below = data.sensitivity + image / np.float32(sigma * problem.level) ** 2
        return (image / below * gradient * data.mask / level).astype(np.float32)
