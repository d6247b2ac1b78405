r"""`gibbs`: posterior draws by annealed split Gibbs sampling.

x, which the counts know, and z, which the prior knows, are tied by :math:`|x - z|^2 / (2 \rho^2)`
(Vono, Dobigeon and Chainais, IEEE Trans Signal Process 67, 2019; with a diffusion model as the
prior: Coeurdoux, Dobigeon and Chainais, IEEE Trans Image Process 33, 2024). In turn

- z given x is what the prior says of an image seen with noise rho: reverse diffusion from there;
- x given z moves by Hamiltonian steps that leave its Poisson distribution as it is
  (`coupled_counts`).

rho falls from `first` to `last` times the noise of a voxel, :math:`1 / \sqrt{s a}` of the level a
with the mean sensitivity s, in the first half of `burn` turns, and what x is away from z with it;
then it stays. The steps learn their length during all of `burn`. Images are those of z. At rho they
are draws of the augmented posterior, for which counts are of an image with noise rho; they tend to
the posterior as rho falls, and a turn goes less far then.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.progress import Progress
from betaplus.core.seeds import generator
from betaplus.generative.samplers import sde_solver
from betaplus.generative.schedules import log_levels
from betaplus.reconstruction.checks import check_count, check_range
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.score.coupled_counts import CoupledCounts, Curvature, Point
from betaplus.reconstruction.score.draws import Draws, Kept, diffuse
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import ScoreProblem, score_problem

__all__ = ["Gibbs", "GibbsState"]

_LOWEST = 0.05  # of rho: where reverse diffusion ends
_WANTED, _SLOWER = 0.75, 0.6  # probability of acceptance; the length follows it ever less
_UNIFORMS = 1 << 40  # draws of `core.seeds` that decide on acceptance start here


@dataclass(frozen=True, eq=False, kw_only=True)
class GibbsState:
    """A chain between two turns: all that the rest of it depends on.

    Attributes:
        chain: Its index, which chooses its noise.
        turn: Turns that are done.
        point: x in units of the level, and what the counts say of it.
        z: Likewise, without noise.
        curvature: Of the counts at the first image, which steps are fitted to.
        angle: Length of the steps.
        accepted: Mean probability of acceptance in the last turn.
    """

    chain: int
    turn: int
    point: Point
    z: np.ndarray
    curvature: Curvature
    angle: float
    accepted: float

    @property
    def done(self) -> int:
        """Turns that are done."""
        return self.turn

    @property
    def estimate(self) -> np.ndarray:
        """The last z."""
        return self.z

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as arrays."""
        return {
            "numbers": np.array([self.chain, self.turn]),
            "floats": np.array([self.angle, self.accepted, self.point.log_likelihood]),
            "x": self.point.x, "gradient": self.point.gradient, "z": self.z,
            "scale": self.curvature.scale, "frequency": self.curvature.frequency,
        }  # fmt: skip

    @staticmethod
    def of(arrays: Mapping[str, np.ndarray]) -> GibbsState:
        """Return the state that was written as arrays."""
        chain, turn = map(int, arrays["numbers"])
        angle, accepted, likelihood = map(float, arrays["floats"])
        point = Point(x=arrays["x"], log_likelihood=likelihood, gradient=arrays["gradient"])
        curvature = Curvature(scale=arrays["scale"], frequency=arrays["frequency"])
        return GibbsState(
            chain=chain, turn=turn, point=point, z=arrays["z"], curvature=curvature,
            angle=angle, accepted=accepted,
        )  # fmt: skip


class Gibbs:
    """Split Gibbs sampling.

    Args:
        settings: How it is done.
        inputs: The prior and the like.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How it is done.

        Attributes:
            draws: Images that are kept.
            chains: Chains that they come from, as even as can be, each after turns of its own.
            thin: Turns for each of them.
            burn: Turns before; rho falls in the first half of them.
            inner: Network calls a turn.
            moves: Steps of x a turn.
            kicks: Evaluations of the counts a step.
            subsets: Subsets, in which the counts are gone through.
            first: rho at first, over the noise of a voxel.
            last: At the end, likewise.
            angle: Length of the steps at first, up to pi / 2.
            passes: Of OSEM, for the image at first.
            smooth: Full width at half maximum of its filter [mm].
            slices: ``axial``, ``alternate`` or ``mean`` of three orientations, for priors of
                slices.
        """

        draws: int = 16
        chains: int = 1
        thin: int = 2
        burn: int = 20
        inner: int = 2
        moves: int = 1
        kicks: int = 1
        subsets: int = 21
        first: float = 2.0
        last: float = 0.5
        angle: float = 0.5
        passes: int = 1
        smooth: float = 5.0
        slices: str = "axial"

        def __post_init__(self) -> None:
            for name in ("draws", "chains", "thin", "inner", "moves", "kicks", "subsets", "passes"):
                check_count(name, getattr(self, name))
            check_count("burn", self.burn, low=0)
            check_range("first", self.first, 1e-3, 1e3)
            check_range("last", self.last, 1e-4, self.first)
            check_range("angle", self.angle, 1e-4, 0.5 * math.pi)
            check_range("smooth", self.smooth, 0.0)

    def __init__(self, settings: Settings | None, inputs: ScoreInputs) -> None:
        self.settings, self.inputs = settings or self.Settings(), inputs

    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all chains share."""
        s = self.settings
        return score_problem(
            data, self.inputs, start, slices=s.slices, passes=s.passes, smooth=s.smooth
        )

    def rho(self, problem: ScoreProblem, turn: int) -> float:
        """Return the coupling of a turn, in units of the level."""
        s = self.settings
        share = min(2.0 * turn / s.burn, 1.0) if s.burn else 1.0
        return s.first ** (1.0 - share) * s.last**share / math.sqrt(problem.counts)

    def begin(self, problem: ScoreProblem, chain: int = 0) -> GibbsState:
        """Return the state of a chain before its first turn: the first image."""
        counts = CoupledCounts(problem.data, problem.level)
        x = problem.first / np.float32(problem.level)
        point = counts.point(x)
        return GibbsState(
            chain=chain, turn=0, point=point, z=x, curvature=counts.curvature(point),
            angle=self.settings.angle, accepted=1.0,
        )  # fmt: skip

    def advance(self, problem: ScoreProblem, state: GibbsState) -> GibbsState:
        """Return the state after the next turn."""
        counts = CoupledCounts(problem.data, problem.level)
        s, rho = self.settings, self.rho(problem, state.turn)
        each = s.inner + s.moves
        z = self._prior(problem, state, rho, each * state.turn)
        point, accepted = state.point, []
        for move in range(s.moves):
            index = s.moves * state.turn + move
            chance = generator(problem.seed, problem.item, _UNIFORMS + (state.chain << 20) + index)
            normal = problem.noise(state.chain, each * state.turn + s.inner + move)
            point, probability = counts.move(
                point, z, rho, state.angle, s.kicks, normal, float(chance.uniform()),
                state.curvature,
            )  # fmt: skip
            accepted.append(probability)
        mean = float(np.mean(accepted))
        angle = state.angle
        if state.turn < s.burn:
            rate = (1 + state.turn) ** -_SLOWER
            angle = min(angle * math.exp(rate * (mean - _WANTED)), 0.5 * math.pi / s.kicks)
        nearer = self.rho(problem, state.turn + 1) / rho
        if nearer < 1.0:
            point = counts.point(z + np.float32(nearer) * (point.x - z))
        return GibbsState(
            chain=state.chain, turn=state.turn + 1, point=point, z=z, curvature=state.curvature,
            angle=angle, accepted=mean,
        )  # fmt: skip

    def _prior(
        self, problem: ScoreProblem, state: GibbsState, rho: float, first: int
    ) -> np.ndarray:
        """Return z given x: an image without the noise rho that x is taken to have."""
        calls = self.settings.inner
        levels = log_levels(calls + 1, _LOWEST * rho, rho)[:-1]
        noises = (torch.from_numpy(problem.noise(state.chain, first + n)) for n in range(calls))
        turned = iter(range(calls * state.turn, calls * (state.turn + 1)))

        def denoised(x: Tensor, sigma: Tensor) -> Tensor:
            return torch.from_numpy(problem.denoise(x.numpy(), float(sigma), next(turned)))

        start = torch.from_numpy(state.point.x)
        return np.asarray(sde_solver(denoised, levels, noises, start=start).numpy())

    def drawn(self, problem: ScoreProblem, state: GibbsState) -> np.ndarray | None:
        """Return z after every `thin` turns behind the first `burn`."""
        s, after = self.settings, state.turn - self.settings.burn
        if after <= 0 or after % s.thin:
            return None
        return np.maximum(state.z, 0.0) * np.float32(problem.level) * problem.data.mask

    def state(self, arrays: Mapping[str, np.ndarray]) -> GibbsState:
        """Return the state that was written as arrays."""
        return GibbsState.of(arrays)

    def draws(
        self,
        data: Data,
        start: np.ndarray | None,
        progress: Progress,
        watch: Watch | None = None,
        kept: Kept | None = None,
    ) -> Draws:
        """Return the draws of all chains; `watch` is told of z, in units of the level."""
        s, problem = self.settings, self.prepare(data, start)
        chains = min(s.chains, s.draws)
        turns = s.burn + -(-s.draws // chains) * s.thin
        found = diffuse(
            self, problem, chains, turns, progress, watch, kept=kept,
            threads=self.inputs.threads, crew=self.inputs.crew,
        )  # fmt: skip
        return dataclasses.replace(found, images=found.images[: s.draws])

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Return the mean of the draws; see `Method.run`."""
        return self.draws(data, start, progress, watch).mean
