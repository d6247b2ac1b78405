r"""Draws from a posterior of few voxels: what counts say as a matrix, a network as the prior.

The counts say :math:`h'x - \tfrac12 x'Fx` of an image (or of two): the Poisson likelihood in its
Gaussian form, with all correlations of noise. The network's score at a noise rho is
:math:`(D(x, \rho) - x) / \rho^2`, that of a prior blurred by rho. Langevin steps

.. math:: x \leftarrow x + \tau M (h - F x + (D(x, \rho) - x) / \rho^2) + \sqrt{2 \tau M}\, \xi,
    \quad M = (F + I / \rho^2)^{-1} ,

with rho falling at first (annealed: Song and Ermon, arXiv 1907.05600), draw from the posterior
under that prior, as tau falls. At a finite tau the SD of a direction is too large by a factor of
:math:`(1 - \tau \lambda / 2)^{-1/2}`, with lambda at most 1 the precision that is there over that
in 1 / M. Reverse diffusion in few steps, as in split Gibbs, would make it too small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cho_solve, solve_triangular
from torch import Tensor

from betaplus.core.seeds import generator

__all__ = ["Denoise", "Known", "Langevin"]

Denoise = Callable[[Tensor, float], Tensor]
"""(images (B, X, Y) over their level, sigma) to the estimate of clean images."""

_NOISE = 33  # draw of `core.seeds`


@dataclass(frozen=True, eq=False)
class Known:
    """What counts say of images.

    Attributes:
        precision: F, shape (m, m), with m = images x voxels, over the square of the level.
        right: h, shape (m,), over the level.
    """

    precision: np.ndarray
    right: np.ndarray

    def at(self, level: float) -> Known:
        """Return the same of an image in units of a level."""
        return Known(self.precision * level**2, self.right * level)


@dataclass(frozen=True, kw_only=True)
class Langevin:
    """How draws are made.

    Attributes:
        chains: Each with steps of its own.
        burn: Steps before the first draw; rho falls in the first two thirds of them.
        draws: Of each chain.
        thin: Steps for each of them.
        step: tau.
        first: rho at first, over the level.
        last: At the end, likewise.
    """

    chains: int = 2
    burn: int = 48
    draws: int = 16
    thin: int = 2
    step: float = 0.6
    first: float = 1.0
    last: float = 0.1

    @property
    def rhos(self) -> list[float]:
        """Value of rho at every step."""
        steps = np.arange(self.burn + self.draws * self.thin)
        share = np.minimum(1.5 * steps / max(self.burn, 1), 1.0)
        return [float(rho) for rho in self.first ** (1.0 - share) * self.last**share]

    def run(
        self, known: Sequence[Known], mask: np.ndarray, denoise: Denoise, seed: int, item: int = 0
    ) -> np.ndarray:
        """Return draws of x, shape (problems, chains x draws, m), in units of the level.

        Args:
            known: Problems that do not know of each other, of the same size.
            mask: Voxels of the images, shape (X, Y); there is nothing elsewhere.
            denoise: The prior.
            seed: Of noise.
            item: Likewise: another for other draws of the same study.
        """
        rng = generator(seed, item, _NOISE)
        n, size = int(mask.sum()), known[0].right.size
        x = np.stack([self._start(k) for k in known])
        kept: list[np.ndarray] = []
        roots: list[np.ndarray] = []
        before = np.nan
        for turn, rho in enumerate(self.rhos):
            if rho != before:
                one = np.eye(size) / rho**2
                roots, before = [np.linalg.cholesky(k.precision + one) for k in known], rho
            clean = _clean(x.reshape(-1, n), mask, denoise, rho, rng).reshape(x.shape)
            for i, (k, root) in enumerate(zip(known, roots, strict=True)):
                way = k.right - x[i] @ k.precision + (clean[i] - x[i]) / rho**2
                noise = rng.standard_normal(x[i].shape)
                x[i] += self.step * cho_solve((root, True), way.T).T
                x[i] += np.sqrt(2 * self.step) * solve_triangular(root.T, noise.T, lower=False).T
            after = turn + 1 - self.burn
            if after > 0 and after % self.thin == 0:
                kept.append(x.copy())
        return np.concatenate(kept, 1)

    def _start(self, known: Known) -> np.ndarray:
        """Return what the counts say with a ridge of the first rho, shape (chains, m)."""
        ridge = known.precision + np.eye(known.right.size) / self.first**2
        return np.tile(np.linalg.solve(ridge, known.right), (self.chains, 1))


def _clean(
    x: np.ndarray, mask: np.ndarray, denoise: Denoise, rho: float, rng: np.random.Generator
) -> np.ndarray:
    """Return what the prior makes of images with noise rho, shape (B, n)."""
    noisy = rho * rng.standard_normal((len(x), *mask.shape))  # of air, which is empty
    noisy[:, mask] = x
    return np.asarray(denoise(torch.from_numpy(noisy).float(), rho).double().numpy()[:, mask])
