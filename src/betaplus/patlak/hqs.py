r"""`hqs`: half-quadratic splitting, the data step and a denoiser in turn.

min over u, z of the data's :math:`\tfrac12 (u - \hat u)'A(u - \hat u)` (`data_term`), the prior of
z, and :math:`\lambda / (2 \sigma_k^2) |u - z|^2`, with sigma falling (Zhang et al., IEEE TPAMI
2022; Huang, Yu et al., arXiv 2512.19584, for Patlak maps with a diffusion prior). z = D(u, sigma)
is one call of the prior for both channels, each call on an image mirrored along other axes: a
network that learned from images in all eight mirrorings treats them almost alike, and what it does
to one of them alone does not add up over the steps. sigma goes from `first` to `last` times the
noise of u by least squares, so that one set of settings serves all doses. What the fit leaves of
the data goes back into it in the end (`twicing`).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.generative.image_prior import ImagePrior
from betaplus.patlak.beginning import begin, needed
from betaplus.patlak.kept import keep_maps, kept_maps
from betaplus.patlak.prior import Denoiser
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_count, check_falling, check_range
from betaplus.patlak.twicing import twiced

__all__ = ["Hqs"]

_MIRRORINGS = tuple(axes for n in range(4) for axes in itertools.combinations((1, 2, 3), n))


class Hqs:
    """Half-quadratic splitting.

    Args:
        settings: How it is done.
        prior: Of static images, or a denoiser (see `betaplus.patlak.prior`).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How it is done.

        Attributes:
            weight: lambda, of the prior.
            first: Its noise level at first, over that of u by least squares.
            last: At the end, likewise.
            steps: Calls of the prior.
            correlated: Whether noise is taken to be correlated as far as it is.
            coupled: Whether what the data say of Ki and V0 together is used.
            nonnegative: Whether negative values are raised to 0 in every step.
            twicing: Whether what is left of the data, averaged over voxels that are alike, is added
                in the end.
            alike: How alike, in units of the noise.
            search: Within how far, over the width that suits the noise.
        """

        weight: float = 1.0
        first: float = 3.0
        last: float = 0.1
        steps: int = 10
        correlated: bool = True
        coupled: bool = True
        nonnegative: bool = False
        twicing: bool = True
        alike: float = 2.0
        search: float = 3.5

        def __post_init__(self) -> None:
            check_range("weight", self.weight, 1e-6, 1e6)
            check_falling(self.first, self.last)
            check_count("steps", self.steps, high=1000)
            check_range("alike", self.alike, 1e-3, 1e3)
            check_range("search", self.search, 0.1, 10.0)

    def __init__(
        self, settings: Settings | None = None, prior: ImagePrior | Denoiser | None = None
    ) -> None:
        self.settings, self.prior = settings or self.Settings(), needed("hqs", prior)

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps; nothing is random. Every step is kept."""
        wanted, progress, crew = self.settings, progress or Silent(), crew or ThreadCrew(threads)
        start = begin(
            problem, self.prior, crew, correlated=wanted.correlated, coupled=wanted.coupled
        )
        data, noise = start.data, start.noise
        u = _bounded(problem.least_squares(), problem.mask, wanted.nonnegative)
        u, done = kept_maps(crew, u)
        progress.start("maps", wanted.steps)
        progress.advance(done)
        shares = np.geomspace(wanted.first, wanted.last, wanted.steps)
        for n in range(done, wanted.steps):
            sigma, axes = float(shares[n]) * noise, _MIRRORINGS[n % len(_MIRRORINGS)]
            z = start.denoise(u.flip(axes), sigma).flip(axes)
            del u  # a volume less while the data step is at work
            precision = torch.tensor(wanted.weight / sigma**2).reshape(1, 1, 1, 1)
            u = _bounded(data.solve(z, precision), problem.mask, wanted.nonnegative)
            keep_maps(crew, u, n + 1)
            progress.advance()
        progress.finish()
        found = {**start.found, "weight": wanted.weight, "steps": float(wanted.steps)}
        del start, data
        if wanted.twicing:
            u = twiced(
                problem, _bounded(u, problem.mask, True), alike=wanted.alike,
                search=wanted.search, coupled=wanted.coupled, crew=crew,
            )  # fmt: skip
        u = _bounded(u, problem.mask, True)
        return PatlakMaps(u=u, found=found)


def _bounded(u: torch.Tensor, mask: torch.Tensor, nonnegative: bool) -> torch.Tensor:
    return (u.clamp_min(0.0) if nonnegative else u) * mask
