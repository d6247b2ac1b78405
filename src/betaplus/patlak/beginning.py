"""What the methods that learn have in common before they go apart."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from betaplus.core.crew import Crew
from betaplus.core.errors import UsageError
from betaplus.generative.image_prior import ImagePrior
from betaplus.patlak.data_term import DataTerm
from betaplus.patlak.noise_map import (
    noise_correlation,
    noise_map,
    tissue,
    typical_noise,
)
from betaplus.patlak.prior import Denoiser, prior_denoiser
from betaplus.patlak.problem import PatlakProblem
from betaplus.physics.image_noise import NoiseCorrelation

__all__ = ["Beginning", "begin", "needed"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Beginning:
    """What the data say of a scan, and what the prior does.

    Attributes:
        data: What the data say of u.
        noise: Of u by least squares, the median over voxels of tissue [SUV].
        correlation: Of the noise; None if voxels are taken to be independent.
        denoise: The prior on the grid of the scan.
    """

    data: DataTerm
    noise: float
    correlation: NoiseCorrelation | None
    denoise: Denoiser

    @property
    def found(self) -> dict[str, float]:
        """What the record says of it."""
        found = {"noise": self.noise}
        if self.correlation is not None:
            found["noise_voxels"] = float(self.correlation.voxels)
        return found


def begin(
    problem: PatlakProblem,
    prior: ImagePrior | Denoiser,
    crew: Crew,
    *,
    correlated: bool = True,
    coupled: bool = True,
) -> Beginning:
    """Measure the noise of a scan and ready its prior.

    Args:
        problem: The scan.
        prior: Of static images, or a denoiser.
        crew: Who computes what the prior says.
        correlated: Whether noise is taken to be correlated as far as it is.
        coupled: Whether what the data say of Ki and V0 together is used.
    """
    variance = noise_map(problem)
    correlation = noise_correlation(problem, variance) if correlated else None
    return Beginning(
        data=DataTerm(problem, variance, correlation, coupled=coupled, threads=crew.threads),
        noise=float(typical_noise(problem, variance)[torch.from_numpy(tissue(problem))].median()),
        correlation=correlation,
        denoise=prior_denoiser(prior, problem, crew),
    )


def needed(method: str, prior: ImagePrior | Denoiser | None) -> ImagePrior | Denoiser:
    """Return the prior of a method.

    Raises:
        UsageError: If it has none.
    """
    if prior is None:
        raise UsageError(f"{method} has no prior", "expected one", "give --bundle")
    return prior
