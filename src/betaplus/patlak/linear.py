"""`ls`, `wls`, `nnls`: least squares of every voxel for itself, in closed form.

Their SD is that of M^-1 s^2, with s^2 from what the lines leave around (`noise_map`). `ls` is
`wls` of a problem whose frames weigh alike; its SD then takes the noise of frames to be alike too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.core.crew import Crew
from betaplus.core.progress import Progress
from betaplus.patlak.noise_map import deviation, noise_map
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.physics.patlak.step import data_step

__all__ = ["Ls", "Nnls", "Wls"]


class Wls:
    """Weighted least squares; negative values stay."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """None."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps; nothing is random."""
        return _with_std(problem, problem.least_squares())


class Ls(Wls):
    """Least squares: the same, of a problem whose frames weigh alike."""


class Nnls:
    """Weighted least squares of values that are not below 0."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """None."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps; nothing is random, and SDs are those without the bound."""
        nothing = torch.zeros_like(problem.h)
        u = data_step(problem.h, problem.normal, 1.0, nothing, (0.0, 0.0), nonnegative=True)
        return _with_std(problem, u)


def _with_std(problem: PatlakProblem, u: Tensor) -> PatlakMaps:
    variance = noise_map(problem)
    inside = variance[problem.mask]
    noise = float(inside.double().mean().sqrt()) if inside.numel() else 0.0
    std = deviation(problem, variance) * problem.mask
    return PatlakMaps(u=u * problem.mask, std=std, found={"noise": noise})
