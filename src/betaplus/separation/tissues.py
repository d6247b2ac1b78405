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

__all__ = ["Tissues", "near_weights", "tissue_mixture"]

_CHUNK = 8192  # voxels
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
        estimate, mask = mixture.estimate, scan.mask
        frames = scan.mixture.shape[-1]
        x, std = (torch.zeros((2, *scan.mixture.shape)) for _ in range(2))
        log_prior = None
        if settings.neighbours > 0.0:
            log_prior = near_weights(mixture, scan, settings.neighbours)
        spread = torch.as_tensor(estimate.frame_basis)
        rows = mask.flatten().nonzero()[:, 0]
        flat, levels = scan.mixture.flatten(0, 2), scan.noise.flatten()
        parts = rows.split(_CHUNK)

        def part_of(index: int) -> tuple[Tensor | None, ...]:
            own = None
            if log_prior is not None:
                own = log_prior[index * _CHUNK : (index + 1) * _CHUNK].clone()
            return flat[parts[index]], levels[parts[index]], own

        who = crew or ThreadCrew(threads)
        found = who.each(_expected, (mixture, spread), len(parts), part_of, "voxels")
        for part, result in zip(parts, found, strict=True):
            for i in range(2):
                x[i].view(-1, frames)[part] = torch.as_tensor(result["x"][i])
                std[i].view(-1, frames)[part] = torch.as_tensor(result["std"][i])
        return SeparatedImages(
            x=x, std=std, found={"fwhm": settings.fwhm, "components": float(mixture.count)}
        )


def _expected(
    shared: tuple[TissueMixture, Tensor], mixture: Tensor, noise: Tensor, own: Tensor | None
) -> dict[str, np.ndarray]:
    """Return the expected curves of some voxels and their SD, shape (2, N, T) each."""
    tissues, spread = shared
    estimate, frames = tissues.estimate, mixture.shape[1]
    white = estimate.whitened(mixture.double()).float()
    shares, _ = tissues.responsibilities(white, noise, own)
    found = tissues.moments(white, noise, shares, spread=spread)
    assert found.variance is not None
    sd = found.variance.sqrt().reshape(-1, 2, frames).movedim(1, 0).contiguous()
    x = torch.stack(list(estimate.curves(found.mean)))
    return {"x": x.numpy(), "std": sd.numpy()}


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
