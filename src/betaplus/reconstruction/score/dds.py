r"""`dds`: a decomposed diffusion sampler of few steps.

Noise falls over Karras' levels from that of a noised, smoothed OSEM image; at each level the
network makes the image clean, a few steps lead it towards the counts (`data_steps`), and it goes to
the next level by DDIM with the network's own noise (Chung et al., ICLR 2024; `solver` ``ddim``) or
by DPM-Solver++(2M) (Lu et al., arXiv 2211.01095; ``2m``). It samples like a posterior but is none:
the data steps answer for p(counts | x) only roughly.

What the counts demand nevertheless is put in at the end (`pursuit`).

The pull to the network's estimate is :math:`w / (\sigma a)^2` with the level a of the image: what
HQS has for the noise that is left (Zhang et al., IEEE TPAMI 2022). It is a precision, as that of
the counts is, so that one weight w serves all counts; no strength has a unit. A prior that is shown
OSEM knows the image to a spread of its own however much noise there is: its precision is added.

With `schedule` ``likelihood`` the number of data steps is not set: they end when the image explains
the counts as well as OSEM on its way does (`likelihood_schedule`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.generative.schedules import karras_levels
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.data_steps import PRECONDITIONERS, DataSteps
from betaplus.reconstruction.score.diffusion import Diffusion
from betaplus.reconstruction.score.likelihood_schedule import likelihood_targets, until_likely
from betaplus.reconstruction.score.prior import SLICES, ScoreInputs
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem, score_problem

__all__ = ["Dds"]

_DROWNED = 1.2  # times the counts of a voxel: `beta` at most
_MOST = 4  # times `inner`: data steps after a network call where the likelihood decides


class Dds(Diffusion):
    """Few steps from a first image.

    Args:
        settings: How many, and how far.
        inputs: The prior and the like.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many, and how far.

        Attributes:
            steps: Network calls.
            inner: Data steps after each of them.
            subsets: Subsets.
            weight: w, of the pull to the network's estimate.
            beta: Of the relative difference prior along z, for an image in units of its level: as
                that of a prior it needs no change with the counts. It is at most 1.2 times the
                counts of a voxel, which it would drown where they are few.
            gamma: How early that keeps edges.
            first: Noise level at first, in units of the image's level.
            last: At the end, likewise.
            passes: Of OSEM, for the image at first; and for the likelihood to reach.
            smooth: Full width at half maximum of its filter [mm].
            solver: ``ddim`` or ``2m``.
            eta: Share of the noise that is fresh, with ``ddim``.
            slices: ``axial``, ``alternate`` or ``mean`` of three orientations, for priors of
                slices.
            preconditioner: ``prior``, ``full`` or ``subset``, see `data_steps`.
            schedule: ``fixed`` number of data steps, or until the ``likelihood`` is reached.
            draws: How many images are drawn; the result is their mean.
            significance: SDs of the counts from which on the mean is given what they demand and a
                prior that is shown OSEM left out, see `pursuit`, after all draws got the
                total of the counts; 0 does neither.
        """

        steps: int = 10
        inner: int = 18
        subsets: int = 21
        weight: float = 0.12
        beta: float = 4.0
        gamma: float = 2.0
        first: float = 2.5
        last: float = 0.1
        passes: int = 1
        smooth: float = 5.0
        solver: str = "ddim"
        eta: float = 1.0
        slices: str = "axial"
        preconditioner: str = "prior"
        schedule: str = "fixed"
        draws: int = 4
        significance: float = 4.5

        def __post_init__(self) -> None:
            check_count("steps", self.steps, low=2)
            for name in ("inner", "subsets", "passes", "draws"):
                check_count(name, getattr(self, name))
            check_range("weight", self.weight, 1e-9)
            for name in ("beta", "gamma", "smooth", "significance"):
                check_range(name, getattr(self, name), 0.0)
            check_range("first", self.first, 1e-3, 80.0)
            check_range("last", self.last, 1e-4, 0.999 * self.first)
            check_range("eta", self.eta, 0.0, 1.0)
            for name, known in (
                ("solver", ("ddim", "2m")), ("slices", tuple(SLICES)),
                ("preconditioner", PRECONDITIONERS), ("schedule", ("fixed", "likelihood")),
            ):  # fmt: skip
                if getattr(self, name) not in known:
                    raise UsageError(
                        f"setting {name}={getattr(self, name)}",
                        f"expected one of {', '.join(known)}",
                    )

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        self.settings, self.inputs = settings or self.Settings(), inputs
        s = self.settings
        self.count, self.calls, self.significance = s.draws, s.steps, s.significance
        self.levels = karras_levels(s.steps, s.last, s.first).numpy()

    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all draws share."""
        s = self.settings
        targets = None
        if s.schedule == "likelihood":
            targets = likelihood_targets(data, max(s.passes, 2), s.steps)
        return score_problem(
            data, self.inputs, start, slices=s.slices, passes=s.passes, smooth=s.smooth,
            gamma=s.gamma, targets=targets, sighted=True,
        )  # fmt: skip

    def begin(self, problem: ScoreProblem, chain: int) -> DiffusionState:
        """Return the state of a draw before its first network call: the first image and noise."""
        noise = np.float32(self.levels[0]) * problem.noise(chain, 0)
        x = problem.first / np.float32(problem.level) + noise
        return DiffusionState(draw=chain, step=0, subset=0, x=x, clean=problem.first)

    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call."""
        step, level = state.step, np.float32(problem.level)
        found = problem.denoise(state.x, float(self.levels[step]), step)
        clean, used = self._agree(problem, found * level, state)
        x = state.x
        if step + 1 < len(self.levels):
            move = self._ddim if self.settings.solver == "ddim" else self._second_order
            x = move(problem, state, found, clean / level)
        return DiffusionState(
            draw=state.draw, step=step + 1, subset=state.subset + used, x=x, clean=clean
        )

    def _agree(
        self, problem: ScoreProblem, clean: np.ndarray, state: DiffusionState
    ) -> tuple[np.ndarray, int]:
        """Return the estimate after the data steps, and how many they were."""
        s, sigma = self.settings, float(self.levels[state.step])
        towards = DataSteps(
            data=problem.data,
            axial=problem.axial,
            level=problem.level,
            pull=(s.weight / sigma**2 + 1.0 / problem.spread**2) / problem.level**2,
            beta=min(s.beta, _DROWNED * problem.counts) / problem.level,
            preconditioner=s.preconditioner,
        )
        if problem.targets is None:
            return towards(clean, state.subset, s.inner), s.inner
        target = float(problem.targets[state.step])
        return until_likely(towards, clean, target, state.subset, s.inner, _MOST * s.inner)

    def _ddim(
        self, problem: ScoreProblem, state: DiffusionState, found: np.ndarray, clean: np.ndarray
    ) -> np.ndarray:
        """Return x at the next level, with the noise that the network found."""
        sigma, lower = self.levels[state.step : state.step + 2]
        fresh = self.settings.eta * lower * math.sqrt(1.0 - (lower / sigma) ** 2)
        kept = math.sqrt(lower**2 - fresh**2) / sigma
        x = clean + np.float32(kept) * (state.x - found)
        if fresh > 0.0:
            x += np.float32(fresh) * problem.noise(state.draw, state.step + 1)
        return x

    def _second_order(
        self, problem: ScoreProblem, state: DiffusionState, found: np.ndarray, clean: np.ndarray
    ) -> np.ndarray:
        """Return x at the next level; the estimate goes on as it did since the last call."""
        sigma, lower = self.levels[state.step : state.step + 2]
        ahead = clean
        if state.step > 0:
            h, h_before = math.log(sigma / lower), math.log(self.levels[state.step - 1] / sigma)
            share = np.float32(h / (2.0 * h_before))
            ahead = clean + share * (clean - state.clean / np.float32(problem.level))
        ratio = np.float32(lower / sigma)
        return ratio * state.x + (1 - ratio) * ahead
