r"""`gibbs`: posterior draws of Ki and V0 by split Gibbs sampling.

u, which the data know, and z, which the prior knows, are tied by :math:`|u - z|^2 / (2 \rho^2)`
(Vono, Dobigeon and Chainais, IEEE Trans Signal Process 67, 2019; with a diffusion model as the
prior: Coeurdoux, Dobigeon and Chainais, IEEE Trans Image Process 33, 2024). In turn

- z given u is what the prior says of an image seen with noise rho: reverse diffusion from there;
- u given z is Gaussian, of precision A + I / rho^2 (`betaplus.patlak.data_term`), drawn exactly by
  solving for a right-hand side with noise of that covariance.

rho falls from `first` to `last` times the noise of u by least squares, and stays. At rho the draws
are of the augmented posterior, whose prior is blurred by rho; they tend to the posterior as rho
falls. The maps are the mean over draws of z of the mean of u given z (Rao-Blackwell), the SD is
that of draws of u.

The SD is that of voxels: on small simulated bodies at 1/10 of the dose, RMSE over SD is 1.0 for Ki.
It is not that of means over organs. A network that was trained on the squared error of voxels errs
alike all over an organ, by about 0.2 of the noise where noise itself averages out to 0.03, and a
turn adds to that error; draws do not know of it. The mean of an organ by least squares is better,
and intervals of means need a calibration (`betaplus benchmark patlak --part coverage`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew, ThreadCrew
from betaplus.core.progress import Progress, Silent
from betaplus.generative.image_prior import ImagePrior
from betaplus.generative.keyed_noise import keyed_noises
from betaplus.generative.samplers import sde_solver
from betaplus.generative.schedules import log_levels
from betaplus.patlak.beginning import begin, needed
from betaplus.patlak.data_term import DataTerm
from betaplus.patlak.kept import keep_draw, keep_maps, kept_draws, kept_maps
from betaplus.patlak.prior import Denoiser
from betaplus.patlak.problem import PatlakMaps, PatlakProblem
from betaplus.patlak.settings_checks import check_count, check_falling, check_range

__all__ = ["Gibbs"]

_LOWEST = 0.05  # of rho: where reverse diffusion ends


class Gibbs:
    """Split Gibbs sampling.

    Args:
        settings: How it is done.
        prior: Of static images, or a denoiser (see `betaplus.patlak.prior`).
    """

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How it is done.

        Attributes:
            samples: Draws that are kept.
            thin: Turns for each of them.
            burn: Turns before, in which rho falls.
            inner: Calls of the prior a turn.
            first: rho at first, over the noise of u by least squares.
            last: At the end, likewise.
            correlated: Whether noise is taken to be correlated as far as it is.
            tolerance: Of the solutions for u, see `DataTerm.solve`.
        """

        samples: int = 16
        thin: int = 1
        burn: int = 4
        inner: int = 2
        first: float = 2.0
        last: float = 0.5
        correlated: bool = True
        tolerance: float = 1e-3

        def __post_init__(self) -> None:
            for name in ("samples", "thin", "inner"):
                check_count(name, getattr(self, name), high=10_000)
            check_count("burn", self.burn, low=0, high=10_000)
            check_falling(self.first, self.last)
            check_range("tolerance", self.tolerance, 1e-12, 0.1)

    def __init__(
        self, settings: Settings | None = None, prior: ImagePrior | Denoiser | None = None
    ) -> None:
        self.settings, self.prior = settings or self.Settings(), needed("gibbs", prior)

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return mean, SD and draws of the maps, which depend on the seed. Every turn is kept."""
        wanted, progress, crew = self.settings, progress or Silent(), crew or ThreadCrew(threads)
        start = begin(problem, self.prior, crew, correlated=wanted.correlated)
        noise = start.noise
        chain = _Chain(start.data, start.denoise, problem, wanted, seed)
        u = problem.least_squares() * problem.mask
        kept = wanted.samples * wanted.thin
        rhos = np.geomspace(wanted.first, wanted.last, wanted.burn + 1)[:-1].tolist()
        rhos += [wanted.last] * kept
        (u, mean), done = kept_maps(crew, torch.stack([u, torch.zeros_like(u)]))
        draws = kept_draws(crew, max(done - wanted.burn, 0) // wanted.thin)
        progress.start("draws", len(rhos))
        progress.advance(done)
        for turn in range(done, len(rhos)):
            rho = rhos[turn]
            z = chain.draw_prior(u, rho * noise, turn)
            u = chain.draw_data(z, rho * noise, turn)
            after = turn - wanted.burn
            if after >= 0 and (after + 1) % wanted.thin == 0:
                draws.append(u * problem.mask)
                keep_draw(crew, draws[-1], len(draws))
                mean += chain.mean_of_data(z, rho * noise)
            keep_maps(crew, torch.stack([u, mean]), turn + 1)
            progress.advance()
        progress.finish()
        stacked = torch.stack(draws)
        std = stacked.std(0) if len(draws) > 1 else None
        found = {"noise": noise, "turns": float(wanted.burn + kept), "rho": wanted.last * noise}
        return PatlakMaps(u=mean / len(draws) * problem.mask, std=std, draws=stacked, found=found)


class _Chain:
    """The two halves of a turn; noise belongs to the voxel and the turn."""

    def __init__(
        self,
        data: DataTerm,
        denoise: Denoiser,
        problem: PatlakProblem,
        settings: Gibbs.Settings,
        seed: int,
    ) -> None:
        self.data, self.denoise, self.settings = data, denoise, settings
        self.shape, self.seed = problem.shape, seed

    def draw_prior(self, u: Tensor, rho: float, turn: int) -> Tensor:
        """Return z given u: an image without the noise rho that u is taken to have."""
        levels = log_levels(self.settings.inner + 1, _LOWEST * rho, rho)[:-1]
        noises = keyed_noises(self.seed, 2 * turn, (0, 0, 0), self.shape, items=(0, 1))

        def denoised(x: Tensor, sigma: Tensor) -> Tensor:
            return self.denoise(x[:, 0], float(sigma))[:, None]

        return sde_solver(denoised, levels, noises, start=u[:, None])[:, 0]

    def draw_data(self, z: Tensor, rho: float, turn: int) -> Tensor:
        """Return u given z."""
        noises = keyed_noises(self.seed, 2 * turn + 1, (0, 0, 0), self.shape, items=(0, 1))
        white, more = (next(noises)[:, 0] for _ in range(2))
        precision = _precision(rho)
        noise = self.data.draw_noise(white, more, precision)
        return self.data.solve(z, precision, noise=noise, tolerance=self.settings.tolerance)

    def mean_of_data(self, z: Tensor, rho: float) -> Tensor:
        """Return the mean of u given z."""
        return self.data.solve(z, _precision(rho), tolerance=self.settings.tolerance)


def _precision(rho: float) -> Tensor:
    return torch.tensor(1.0 / rho**2).reshape(1, 1, 1, 1)
