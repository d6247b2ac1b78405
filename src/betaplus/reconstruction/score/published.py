r"""`dds-published`: PET-DDS-delta, as published.

Webber, Mizuno, Howes, Hammers, King and Reader, arXiv 2412.04319, after Singh et al., MELBA 2024,
and Chung et al., "Decomposed diffusion sampler", ICLR 2024. At each of N steps of a diffusion that
preserves variance the network makes transverse slices clean (`vp`), p steps lead towards the counts
(`data_steps`), and the estimate is made noisy again with the network's own noise. Subsets are used
in Herman-Meyer order, and the count of them goes on from step to step.

Strengths have no unit, so that they need no change with the unit of image or sensitivity: with s
the mean sensitivity and a the level of the image, :math:`\lambda = \lambda_{DDS}\, s / a` and
:math:`\beta = \lambda_{RDP}\, s`. At :math:`\lambda_{DDS} = \delta = 1` the pull alone takes a
voxel of that level to the clean estimate in one step. The paper's :math:`-\lambda |x - x_0|^2` has
twice this gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.data_steps import DataSteps
from betaplus.reconstruction.score.diffusion import Diffusion
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem, score_problem
from betaplus.reconstruction.score.vp import network_noise, renoise, tweedie, vp_gammas

__all__ = ["DdsPublished"]


class DdsPublished(Diffusion):
    """Many small steps from noise.

    Args:
        settings: How many, and how far.
        inputs: The prior and the like.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How many, and how far.

        Attributes:
            steps: N, of the diffusion from t = 1 to 0.
            inner: p, data steps after each network call.
            subsets: Subsets.
            delta: Share of a data step that is taken.
            pull: lambda_DDS, towards the network's estimate.
            beta: lambda_RDP, of the relative difference prior along z.
            gamma: How early that keeps edges.
            eta: Share of the noise that is fresh.
            stop: t at which the estimate that the data agreed to is returned.
            beta_min: Of the schedule, at t = 0.
            beta_max: Likewise, at t = 1.
            preconditioner: ``full``, or ``subset`` or ``prior``, see `data_steps`.
            draws: How many images are drawn; the result is their mean.
        """

        steps: int = 100
        inner: int = 5
        subsets: int = 21
        delta: float = 0.2
        pull: float = 1.0
        beta: float = 0.01
        gamma: float = 2.0
        eta: float = 0.1
        stop: float = 0.1
        beta_min: float = 0.1
        beta_max: float = 10.0
        preconditioner: str = "full"
        draws: int = 1

        def __post_init__(self) -> None:
            check_count("steps", self.steps, low=2)
            for name in ("inner", "subsets", "draws"):
                check_count(name, getattr(self, name))
            check_range("delta", self.delta, 1e-6, 10.0)
            for name in ("pull", "beta", "gamma", "beta_min"):
                check_range(name, getattr(self, name), 0.0)
            check_range("eta", self.eta, 0.0, 1.0)
            check_range("stop", self.stop, 0.0, 1.0)
            check_range("beta_max", self.beta_max, max(self.beta_min, 1e-3))

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        self.settings, self.inputs = settings or self.Settings(), inputs
        s = self.settings
        self.gammas = vp_gammas(s.steps, s.beta_min, s.beta_max, s.stop)
        self.count, self.calls = s.draws, len(self.gammas)

    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all draws share; a first image serves as the scale alone."""
        return score_problem(data, self.inputs, start, gamma=self.settings.gamma)

    def begin(self, problem: ScoreProblem, chain: int) -> DiffusionState:
        """Return the state of a draw before its first network call: noise."""
        noise = problem.noise(chain, 0)
        return DiffusionState(draw=chain, step=0, subset=0, x=noise, clean=problem.first)

    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call."""
        s, level = self.settings, np.float32(problem.level)
        gamma = float(self.gammas[state.step])
        found = tweedie(problem.denoise, state.x, gamma, state.step)
        towards = DataSteps(
            data=problem.data,
            axial=problem.axial,
            level=problem.level,
            pull=s.pull * problem.sensitivity / problem.level,
            beta=s.beta * problem.sensitivity,
            delta=s.delta,
            preconditioner=s.preconditioner,
        )
        clean = towards(found * level, state.subset, s.inner)
        x = state.x
        if state.step + 1 < len(self.gammas):
            x = renoise(
                clean / level,
                network_noise(found, state.x, gamma),
                problem.noise(state.draw, state.step + 1),
                gamma,
                float(self.gammas[state.step + 1]),
                s.eta,
            )
        return DiffusionState(
            draw=state.draw, step=state.step + 1, subset=state.subset + s.inner, x=x, clean=clean
        )
