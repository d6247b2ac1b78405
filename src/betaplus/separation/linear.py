"""`linear`: the expected curves of both tracers, by voxel, from a Gaussian prior of curves."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.smoothing import smoothed

__all__ = ["Linear"]

_CHUNK = 65536  # voxels


class Linear:
    """The linear Bayesian estimate (`betaplus.separation.linear_estimate`)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How much it smooths.

        Attributes:
            fwhm: Of the Gaussian filter on the mixture before, full width at half maximum [mm].
        """

        fwhm: float = 0.0

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> SeparatedImages:
        """Return the images and their posterior SD; nothing is random.

        Raises:
            UsageError: If the problem has no spaces of curves.
        """
        if problem.spaces is None:
            raise UsageError("no spaces of curves", "expected a prior of both tracers")
        estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
        seen = smoothed(problem, self.settings.fwhm)
        mixture, noise = seen.mixture[problem.mask], seen.noise[problem.mask]
        x = torch.zeros((2, *problem.mixture.shape))
        std = torch.zeros_like(x)
        found, spread = torch.empty((2, *mixture.shape)), torch.empty((2, *mixture.shape))
        for first in range(0, len(mixture), _CHUNK):
            part = slice(first, first + _CHUNK)
            c = estimate.coefficients(mixture[part], noise[part])
            found[:, part] = torch.stack(estimate.curves(c))
            spread[:, part] = estimate.curve_deviation(noise[part])
        for i in range(2):
            x[i][problem.mask] = found[i]
            std[i][problem.mask] = spread[i]
        return SeparatedImages(x=x, std=std, found={"fwhm": self.settings.fwhm})
