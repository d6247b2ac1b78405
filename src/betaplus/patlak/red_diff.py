r"""`red-diff`: regularisation by denoising diffusion.

min over u of the data's :math:`\tfrac12 (u - \hat u)'A(u - \hat u)` (`data_term`) plus
:math:`E_{\sigma, \epsilon}\, \lambda(\sigma) \langle \mathrm{sg}(\hat\epsilon - \epsilon), u
\rangle`, with the noise :math:`\hat\epsilon` that the prior finds in :math:`u + \sigma \epsilon`
and sigma falling once over its range (Mardani et al., arXiv 2305.04391; Huang, Yu et al., arXiv
2512.19584, for Patlak maps). With :math:`\lambda(\sigma) = \lambda \sigma / n^2`, n the noise of u
by least squares, the gradient of the prior is :math:`\lambda (u - D(u + \sigma \epsilon)) / n^2`.
Both gradients are taken together and divided by A + R, R = lambda / n^2: a proximal step in place
of Adam, by which what the data know well and what they do not is learned at one rate. What is
returned is the mean of the last third of the steps, in which the noise that was put in averages
out. It is the place of the most probable maps, not a posterior: it has no SD.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.patlak.beginning import begin, needed
from betaplus.patlak.kept import keep_maps, kept_maps
from betaplus.patlak.prior import Denoiser
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_count, check_falling, check_range

__all__ = ["RedDiff"]

_AVERAGED = 3  # one of so many steps, the last ones


class RedDiff:
    """Regularisation by denoising diffusion.

    Args:
        settings: How it is done.
        prior: Of static images, or a denoiser (see `betaplus.patlak.prior`).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How it is done.

        Attributes:
            weight: lambda, of the prior.
            first: sigma at first, over the noise of u by least squares.
            last: At the end, likewise.
            steps: Calls of the prior.
            rate: Share of a step that is taken.
            correlated: Whether noise is taken to be correlated as far as it is.
            coupled: Whether what the data say of Ki and V0 together is used.
        """

        weight: float = 2.8
        first: float = 3.0
        last: float = 0.2
        steps: int = 24
        rate: float = 0.7
        correlated: bool = True
        coupled: bool = True

        def __post_init__(self) -> None:
            check_range("weight", self.weight, 1e-6, 1e6)
            check_falling(self.first, self.last)
            check_range("rate", self.rate, 1e-3, 1.0)
            check_count("steps", self.steps, high=10_000)

    def __init__(
        self, settings: Settings | None = None, prior: ImagePrior | Denoiser | None = None
    ) -> None:
        self.settings, self.prior = settings or self.Settings(), needed("red-diff", prior)

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps, which depend on the seed a little. Every step is kept."""
        wanted, progress, crew = self.settings, progress or Silent(), crew or ThreadCrew(threads)
        start = begin(
            problem, self.prior, crew, correlated=wanted.correlated, coupled=wanted.coupled
        )
        data, noise = start.data, start.noise
        precision = torch.tensor(wanted.weight / noise**2).reshape(1, 1, 1, 1)
        noises = keyed_noises(seed, 0, (0, 0, 0), problem.shape, items=(0, 1))
        u = problem.least_squares() * problem.mask
        mean = torch.zeros_like(u)
        averaged = max(1, wanted.steps // _AVERAGED)
        (u, mean), done = kept_maps(crew, torch.stack([u, mean]))
        for _ in range(done):
            next(noises)
        progress.start("maps", wanted.steps)
        progress.advance(done)
        shares = np.geomspace(wanted.first, wanted.last, wanted.steps)
        for n in range(done, wanted.steps):
            sigma = float(shares[n]) * noise
            clean = start.denoise(u + sigma * next(noises)[:, 0], sigma)
            # u - (A + R)^-1 (A (u - u-hat) + R (u - clean)) is the solution for clean.
            step = data.solve(clean, precision)
            u = (u + wanted.rate * (step - u)) * problem.mask
            if n >= wanted.steps - averaged:
                mean += u / averaged
            keep_maps(crew, torch.stack([u, mean]), n + 1)
            progress.advance()
        progress.finish()
        found = {**start.found, "weight": wanted.weight, "steps": float(wanted.steps)}
        return PatlakMaps(u=mean.clamp_min(0.0), found=found)
