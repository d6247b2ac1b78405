"""What samplers from noise to an image have in common: each draw is a chain of network calls."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np

from betaplus.core.progress import Progress
from betaplus.generative.image_prior import ImagePrior
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.score.draws import Draws, Kept, diffuse
from betaplus.reconstruction.score.prior import ScoreInputs
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem
from betaplus.reconstruction.score.pursuit import put_in
from betaplus.reconstruction.score.total import total_factor

__all__ = ["Diffusion"]


class Diffusion(ABC):
    """Draws that end where the noise does.

    Attributes:
        inputs: The prior and the like.
        count: Draws.
        calls: Network calls of each.
        significance: SDs of the counts from which on they are given what a prior that is shown OSEM
            left out (`pursuit`), after their total is made that of the counts; 0 does neither.
    """

    inputs: ScoreInputs
    count: int
    calls: int
    significance: float = 0.0

    @abstractmethod
    def prepare(self, data: Data, start: np.ndarray | None = None) -> ScoreProblem:
        """Return what all draws share."""

    @abstractmethod
    def begin(self, problem: ScoreProblem, chain: int) -> DiffusionState:
        """Return the state of a draw before its first network call."""

    @abstractmethod
    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call."""

    def drawn(self, problem: ScoreProblem, state: DiffusionState) -> np.ndarray | None:
        """Return the last estimate, when all calls are done."""
        return state.clean if state.step == self.calls else None

    def state(self, arrays: Mapping[str, np.ndarray]) -> DiffusionState:
        """Return the state that was written as arrays."""
        return DiffusionState.of(arrays)

    def draws(
        self,
        data: Data,
        start: np.ndarray | None,
        progress: Progress,
        watch: Watch | None = None,
        kept: Kept | None = None,
    ) -> Draws:
        """Return the draws; see `ScoreMethod.draws`."""
        problem = self.prepare(data, start)
        found = diffuse(
            self, problem, self.count, self.calls, progress, watch, kept=kept,
            threads=self.inputs.threads, crew=self.inputs.crew,
        )  # fmt: skip
        return self._completed(problem, found)

    def _completed(self, problem: ScoreProblem, draws: Draws) -> Draws:
        """Return the draws with the total of the counts, and with what they demand of the mean."""
        prior = self.inputs.prior
        if not (self.significance and isinstance(prior, ImagePrior) and prior.sees):
            return draws
        factor = total_factor(problem.data, draws.mean * problem.data.mask)
        draws = dataclasses.replace(draws, images=draws.images * np.float32(factor))
        mean = draws.mean
        more, blobs = put_in(problem.data, mean, problem.level, self.significance)
        if not blobs:
            return draws
        images = np.maximum(draws.images + (more - mean), 0.0).astype(np.float32)
        return dataclasses.replace(draws, images=images, blobs=blobs)

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Return the mean of the draws; see `Method.run`."""
        return self.draws(data, start, progress, watch).mean
