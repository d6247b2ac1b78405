"""Draws side by side, and what they say together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from betaplus.core.progress import Progress
from betaplus.reconstruction.method import Watch
from betaplus.reconstruction.score.problem import DiffusionState, ScoreProblem

__all__ = ["Diffusion", "Draws", "diffuse"]


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of an image.

    Attributes:
        images: Shape (draws, X, Y, Z), float32.
    """

    images: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Mean over draws, shape (X, Y, Z), float32."""
        return self.images.mean(0, dtype=np.float64).astype(np.float32)

    @property
    def sd(self) -> np.ndarray:
        """Standard deviation over draws, with n - 1; NaN for one draw."""
        if len(self.images) < 2:
            return np.full(self.images.shape[1:], np.nan, dtype=np.float32)
        return self.images.std(0, dtype=np.float64, ddof=1).astype(np.float32)

    @property
    def variation(self) -> np.ndarray:
        """Coefficient of variation, SD over mean; 0 where the mean is not above 0."""
        mean, out = self.mean, np.zeros(self.images.shape[1:], dtype=np.float32)
        np.divide(self.sd, mean, out=out, where=mean > 0.0)
        return out


class Diffusion(Protocol):
    """A sampler that goes from state to state."""

    def begin(self, problem: ScoreProblem, draw: int) -> DiffusionState:
        """Return the state of a draw before its first network call."""

    def advance(self, problem: ScoreProblem, state: DiffusionState) -> DiffusionState:
        """Return the state after the next network call."""


def diffuse(
    sampler: Diffusion,
    problem: ScoreProblem,
    draws: int,
    steps: int,
    progress: Progress,
    watch: Watch | None,
) -> Draws:
    """Make draws one after the other, each as if it were the only one.

    Args:
        sampler: How.
        problem: What they share.
        draws: How many.
        steps: Network calls of a draw.
        progress: Told of every network call.
        watch: Told of the estimates of the first draw.
    """
    progress.start("diffusion", draws * steps)
    images = []
    for draw in range(draws):
        state = sampler.begin(problem, draw)
        while state.step < steps:
            state = sampler.advance(problem, state)
            progress.advance()
            if watch is not None and draw == 0:
                watch(state.step, state.clean)
        images.append(state.clean)
    progress.finish()
    return Draws(np.stack(images))
