r"""`gaussian` and `nlm`: maps of weighted least squares, smoothed as much as the noise asks for.

Where uptake changes over a length L, a Gaussian of width f leaves an error of bias that grows as
(f / L)^4, and one of noise that falls as r^2 v / f^3, with r the noise over the uptake and v the
volume over which noise is one. Their sum is least for

.. math:: f = c\,(r^2\, v\, L^4)^{1/7}

(the balance of kernel smoothing in three dimensions: Silverman, Density Estimation, 1986, section
4.3). c has no unit. r is of the noise of u_1 and u_2 together, and both pass through one filter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.patlak.noise_map import masked_mean, noise_correlation, noise_map, typical_noise
from betaplus.patlak.non_local import local_means, shifts_within
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_range
from betaplus.physics.image_noise import NoiseCorrelation

__all__ = ["Gaussian", "Guide", "Nlm", "filtered", "make_guide", "matched_fwhm", "mean_normal"]

_LENGTH = 10.0  # L [mm]: nominal
_SPACING = 3.0  # between voxels that are looked at [mm]: closer ones share their noise
_LEAST = 0.05  # of the energy of maps is uptake at least


class Gaussian:
    """The Gaussian filter."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How wide.

        Attributes:
            strength: c, which the width is chosen by.
            fwhm: Full width at half maximum [mm]; chosen by the noise if None; 0 does nothing.
        """

        strength: float = 0.65
        fwhm: float | None = None

        def __post_init__(self) -> None:
            check_range("strength", self.strength, 0.0, 100.0)
            if self.fwhm is not None:
                check_range("fwhm", self.fwhm, 0.0, 200.0)

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
        """Return the maps; nothing is random, and nothing comes from outside the mask."""
        fwhm = self.settings.fwhm
        if fwhm is None:
            variance = noise_map(problem)
            matched = matched_fwhm(problem, variance, noise_correlation(problem, variance))
            fwhm = self.settings.strength * matched
        u = filtered(problem, problem.least_squares(), fwhm)
        return PatlakMaps(u=u, found={"fwhm": fwhm})


class Nlm:
    """Non-local means: each voxel the weighted mean of those around whose surroundings are alike.

    After Buades, Coll and Morel (Multiscale Model Simul 4, 490, 2005). What is compared are both
    channels after a Gaussian filter, in units of their noise, M^-1 s^2: one weight for both.
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How alike, and how far.

        Attributes:
            strength: In units of the noise; 0 does nothing.
            guide: Width of the filter before voxels are compared, over that of `gaussian` for a
                strength of 1; 0 is none.
            search: Width of the Gaussian of distance, likewise; the search ends there.
        """

        strength: float = 1.4
        guide: float = 0.7
        search: float = 2.4

        def __post_init__(self) -> None:
            check_range("strength", self.strength, 0.0, 1e3)
            check_range("guide", self.guide, 0.0, 10.0)
            check_range("search", self.search, 0.1, 10.0)

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
        """Return the maps; nothing is random, and the result does not depend on the threads."""
        s = self.settings
        guide = make_guide(problem, s.guide)
        reach = s.search * guide.matched
        found = {"fwhm": guide.fwhm, "search": reach, "noise_left": guide.left}
        u = problem.least_squares()
        if s.strength == 0.0:
            return PatlakMaps(u=u * problem.mask, found=found)
        shifts = shifts_within(problem.voxel, reach, _SPACING)
        found["shifts"] = float(2 * len(shifts))
        u = local_means(
            u, guide.features, guide.variance, problem.mask, problem.voxel, shifts,
            strength=s.strength, width=reach, crew=crew or ThreadCrew(threads),
            progress=progress or Silent(),
        )  # fmt: skip
        return PatlakMaps(u=u, found=found)


@dataclass(frozen=True, eq=False, kw_only=True)
class Guide:
    """What voxels are compared by.

    Attributes:
        features: Both channels, filtered and whitened: noise of both is independent, and alike;
            shape (2, X, Y, Z).
        variance: Of the noise of each, shape (X, Y, Z); above 0 everywhere.
        matched: Width that suits the noise [mm], full width at half maximum.
        fwhm: Of the filter, likewise.
        left: Share of the variance that it leaves.
    """

    features: Tensor
    variance: Tensor
    matched: float
    fwhm: float
    left: float


def make_guide(problem: PatlakProblem, width: float) -> Guide:
    """Return what voxels are compared by.

    M is taken to be alike for all slices up to a factor.

    Args:
        problem: The scan.
        width: Of the filter, over `matched_fwhm`.
    """
    variance = noise_map(problem)
    correlation = noise_correlation(problem, variance)
    matched = matched_fwhm(problem, variance, correlation)
    fwhm = width * matched
    mean = mean_normal(problem)
    root = torch.linalg.cholesky(mean)
    white = torch.einsum("ij,ixyz->jxyz", root.float(), filtered(problem, None, fwhm))
    inverse = torch.linalg.inv(problem.normal.double().movedim(2, 0))
    more = 0.5 * torch.einsum("zij,ji->z", inverse, mean)  # 1 where M is the mean
    left = correlation.left(fwhm)
    noise = variance * more.float() * left
    noise = torch.where(problem.mask, noise, noise[problem.mask].mean())
    return Guide(features=white, variance=noise, matched=matched, fwhm=fwhm, left=left)


def mean_normal(problem: PatlakProblem) -> Tensor:
    """Return M, the mean over voxels of the mask, shape (2, 2) float64."""
    share = problem.mask.sum((0, 1)).double()
    mean: Tensor = (problem.normal.double() * share).sum(2) / share.sum()
    return mean


def filtered(problem: PatlakProblem, u: Tensor | None, fwhm: float) -> Tensor:
    """Return maps through a Gaussian that takes nothing from outside the mask, (2, X, Y, Z).

    Args:
        problem: The scan.
        u: Maps, likewise; weighted least squares if None.
        fwhm: Full width at half maximum [mm].
    """
    u = problem.least_squares() if u is None else u
    inside = problem.mask.numpy()
    found = np.stack([masked_mean(x.numpy(), inside, problem, fwhm) for x in u])
    return torch.from_numpy(found) * problem.mask


def matched_fwhm(problem: PatlakProblem, variance: Tensor, correlation: NoiseCorrelation) -> float:
    """Return the width f that suits the noise, for a strength of 1 [mm].

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z).
        correlation: How far noise is correlated.
    """
    inside = problem.mask
    noise = float(typical_noise(problem, variance)[inside].double().square().mean())
    energy = float(problem.least_squares()[:, inside].double().square().mean())
    if noise == 0.0 or energy == 0.0:
        return 0.0
    ratio = noise / max(energy - noise, _LEAST * energy)
    return float((ratio * correlation.length**3 * _LENGTH**4) ** (1.0 / 7.0))
