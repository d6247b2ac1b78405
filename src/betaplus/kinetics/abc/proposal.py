"""The perturbation kernel of sequential Monte Carlo: Gaussians around the particles."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["Proposal", "resample"]

_CENTRES = 256
_BROAD_SHARE, _BROAD = 0.1, 2.0  # a wide Gaussian keeps importance weights bounded
_RIDGE = 1e-6


class Proposal:
    """A mixture of Gaussians of one covariance around particles, and a wide one.

    Args:
        particles: Coordinates, shape (n, D).
        weight: Normalised weights, shape (n,).
        bandwidth: Variance of the kernel over that of the particles.
        generator: Random numbers.
    """

    def __init__(
        self,
        particles: np.ndarray,
        weight: np.ndarray,
        bandwidth: float,
        generator: np.random.Generator,
    ) -> None:
        self._mean = weight @ particles
        away = particles - self._mean
        D = particles.shape[1]
        spread = (weight[:, None] * away).T @ away + _RIDGE * np.eye(D)
        self._root = np.linalg.cholesky(spread)
        self._width = bandwidth**0.5
        chosen = away[resample(weight, _CENTRES, generator)]
        self._centres = np.linalg.solve(self._root, chosen.T).T

    def draw(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Return n points, shape (n, D)."""
        broad = int(_BROAD_SHARE * n)
        u = generator.standard_normal((n, len(self._mean)))
        u[:broad] *= _BROAD
        u[broad:] *= self._width
        u[broad:] += self._centres[np.arange(n - broad) % _CENTRES]
        return self._mean + u @ self._root.T

    def log_density(self, v: np.ndarray) -> np.ndarray:
        """Return the log density at points v (n, D), up to a constant."""
        D = len(self._mean)
        u = np.linalg.solve(self._root, (v - self._mean).T).T
        a = torch.from_numpy((u / self._width).astype(np.float32))
        b = torch.from_numpy((self._centres / self._width).astype(np.float32))
        halves = a @ b.T - 0.5 * (b * b).sum(1)
        near = torch.logsumexp(halves, 1).numpy().astype(np.float64)
        squares = (u * u).sum(axis=1)
        near += np.log((1.0 - _BROAD_SHARE) / _CENTRES) - D * np.log(self._width)
        near -= 0.5 * squares / self._width**2
        far = np.log(_BROAD_SHARE) - D * np.log(_BROAD) - 0.5 * squares / _BROAD**2
        return np.logaddexp(near, far)


def resample(weight: np.ndarray, n: int, generator: np.random.Generator) -> np.ndarray:
    """Return n indices by systematic resampling, in random order."""
    level = np.cumsum(weight)
    at = (np.arange(n) + generator.random()) / n * level[-1]
    return generator.permutation(np.minimum(np.searchsorted(level, at), len(weight) - 1))
