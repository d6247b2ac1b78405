"""`tissues`: the expected curves of both tracers, from what tissues of a head are like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.physics.blur import GaussianBlur
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.separation.problem import SeparatedImages, SeparationProblem
from betaplus.separation.smoothing import smoothed
from betaplus.separation.tissue_fit import TissueFit, fit_tissues
from betaplus.separation.tissue_mixture import TissueMixture
from betaplus.separation.tissue_prior import TissuePrior
from betaplus.separation.tissue_voxels import tissue_curves_of

__all__ = ["Tissues", "near_weights", "tissue_mixture"]

_ANYWHERE = 0.02  # of the weight of a component, in voxels whose neighbours have none of it
_THIN = 1e-6


class Tissues:
    """The Bayesian estimate with a mixture of tissues as its prior.

    `betaplus.separation.tissue_mixture` says what it is, `betaplus.separation.tissue_fit` how the
    tissues of the person are found.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How it is found and how much is smoothed.

        Attributes:
            fwhm: Of the Gaussian filter on the mixture before, full width at half maximum [mm].
            steps: Of the fit of the person's tissues; 0 keeps to those of people at large.
            sample: Voxels that the fit looks at.
            neighbours: How far the tissue of a voxel depends on that of its neighbours, full width
                at half maximum [mm]; 0 is not at all.
            broad: SD of what is like no tissue, over that of the prior of `linear`.
            alike: How far voxels of a tissue depart from it together, full width at half maximum
                [mm].
            kinetics: Whether the tissues are found by their kinetics, where blood is known
                (`betaplus.separation.tissue_person`).
        """

        fwhm: float = 0.0
        steps: int = 8
        sample: int = 4000
        neighbours: float = 0.0
        broad: float = 2.0
        alike: float = 10.0
        kinetics: bool = False

        def __post_init__(self) -> None:
            if not (np.isfinite(self.neighbours) and 0.0 <= self.neighbours <= 100.0):
                raise UsageError(f"neighbours is {self.neighbours:g}", "expected 0 to 100 mm")
            self.of_fit()

        def of_fit(self) -> TissueFit:
            """Return the settings of the fit."""
            return TissueFit(
                steps=self.steps,
                sample=self.sample,
                broad=self.broad,
                alike=self.alike,
                kinetics=self.kinetics,
            )

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def fit(
        self,
        problem: SeparationProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> SeparatedImages:
        """Return the images and their posterior SD; nothing is random.

        Raises:
            UsageError: If the problem has no spaces or no tissues, or a setting is out of range.
        """
        settings = self.settings
        scan = smoothed(problem, settings.fwhm)
        mixture = tissue_mixture(scan, settings.of_fit())
        log_prior = None
        if settings.neighbours > 0.0:
            log_prior = near_weights(mixture, scan, settings.neighbours)
        x, std = tissue_curves_of(scan, mixture, crew or ThreadCrew(threads), log_prior)
        return SeparatedImages(
            x=x, std=std, found={"fwhm": settings.fwhm, "components": float(mixture.count)}
        )


def tissue_mixture(problem: SeparationProblem, settings: TissueFit | None = None) -> TissueMixture:
    """Return the mixture of tissues of the person in a scan.

    Args:
        problem: With spaces and tissues.
        settings: Of the fit; the defaults if None.

    Raises:
        UsageError: If the problem has no spaces or no tissues.
    """
    if problem.spaces is None or problem.tissues is None:
        raise UsageError("no tissues", "expected a prior of both tracers")
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    prior = TissuePrior.of_curves(problem.tissues, problem.spaces, problem.decay, problem.weights)
    return fit_tissues(problem, estimate, prior, settings)


def near_weights(
    mixture: TissueMixture, problem: SeparationProblem, width: float, rounds: int = 2
) -> Tensor:
    """Return the logarithm of the weights of components in each voxel of the mask, shape (N, M).

    They are the responsibilities of the neighbourhood, through a Gaussian, and a little of the
    weights of the whole scan: found round after round (a mean-field view of a Markov random field:
    Zhang et al., IEEE Trans Med Imaging 2001, 20:45).

    Args:
        mixture: Of the tissues.
        problem: The scan.
        width: Of the Gaussian, full width at half maximum [mm].
        rounds: How often.
    """
    mask = problem.mask
    blur = GaussianBlur(problem.shape, problem.voxel, width)
    inside = mask.numpy()
    over = 1.0 / np.maximum(blur.forward(inside.astype(np.float32))[inside], _THIN)
    white = mixture.estimate.whitened(problem.mixture[mask].double()).float()
    noise = problem.noise[mask]
    floor = torch.as_tensor(_ANYWHERE * np.exp(mixture.log_weight), dtype=torch.float32)
    log: Tensor | None = None
    for _ in range(rounds):
        shares, _ = mixture.responsibilities(white, noise, log)
        image = np.zeros(problem.shape, np.float32)
        for k in range(mixture.count):
            image[inside] = shares[:, k].numpy()
            shares[:, k] = torch.from_numpy(blur.forward(image)[inside] * over)
        log = torch.log(shares + floor)
    assert log is not None
    return log
