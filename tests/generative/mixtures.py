"""Mixtures of Gaussians, of which the exact denoiser is known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy.stats import norm
from torch import Tensor

from betaplus.generative.denoiser import leading


class Line:
    """Independent coordinates, each of a mixture of two Gaussians; counts how often it is asked."""

    share, centre, spread = (0.7, 0.3), (-0.6, 1.3), (0.35, 0.6)
    mean = sum(p * m for p, m in zip(share, centre, strict=True))
    square = sum(p * (m * m + s * s) for p, m, s in zip(share, centre, spread, strict=True))
    sd = (square - mean**2) ** 0.5

    def __init__(self) -> None:
        self.calls = 0

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """Return the probability of less than x."""
        parts = zip(self.share, self.centre, self.spread, strict=True)
        return sum(p * norm(m, s).cdf(x) for p, m, s in parts)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[clean | x]."""
        self.calls += 1
        square = leading(sigma * sigma, x)
        logs, means = [], []
        for p, m, s in zip(self.share, self.centre, self.spread, strict=True):
            total = s * s + square
            logs.append(np.log(p) - 0.5 * total.log() - 0.5 * (x - m) ** 2 / total)
            means.append((s * s * x + square * m) / total)
        return (torch.stack(logs).softmax(0) * torch.stack(means)).sum(0)


class Plane:
    """Three Gaussians in the plane, together of mean 0 and covariance I; data (N, 2).

    Their centres are 2.3 to 3.0 apart and their standard deviations 0.03 to 0.08: as images do,
    data lie near few of all places.
    """

    def __init__(self) -> None:
        share = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
        centre = torch.tensor([[-1.0, 0.3], [0.9, 0.8], [0.4, -1.2]], dtype=torch.float64)
        within = 0.01 * torch.tensor(
            [[[0.09, 0.03], [0.03, 0.16]], [[0.25, -0.1], [-0.1, 0.12]], [[0.05, 0.0], [0.0, 0.3]]],
            dtype=torch.float64,
        )
        centre = centre - share @ centre
        outer = centre[:, :, None] * centre[:, None]
        total = (share[:, None, None] * (within + outer)).sum(0)
        white = torch.linalg.inv(torch.linalg.cholesky(total))
        self.share, self.centre = share, centre @ white.T
        self.within = white @ within @ white.T

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return E[clean | x] for one noise level.

        The logarithms of the weights are quadratic in x, the means of the parts are linear.
        """
        square = float(sigma) ** 2
        total = torch.linalg.inv(self.within + square * torch.eye(2, dtype=torch.float64))
        pull = torch.einsum("kij,kj->ki", total, self.centre)
        constant = self.share.log() + 0.5 * torch.logdet(total) - 0.5 * (pull * self.centre).sum(1)
        parts = [-0.5 * total[:, 0, 0], -total[:, 0, 1], -0.5 * total[:, 1, 1]]
        u, v = x.unbind(-1)
        known = torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v])
        factors = torch.stack([constant, *pull.T, *parts], 1)
        weight = (factors.to(x) @ known).softmax(0)
        # x + sigma^2 score
        slope = torch.cat([pull[..., None], -total], 2).to(x)
        score = torch.einsum("kn,kij,jn->in", weight, slope, known[:3])
        return x + square * score.T

    def shares(self, x: Tensor) -> np.ndarray:
        """Return how much of x is nearest to each centre."""
        nearest = torch.cdist(x.double(), self.centre).argmin(1)
        return (torch.bincount(nearest, minlength=3) / len(x)).numpy()


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float32) -> Iterator[Tensor]:
    """Yield standard normal noise without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield torch.randn(*shape, generator=generator, dtype=dtype)
