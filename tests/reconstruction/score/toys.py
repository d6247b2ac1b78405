"""Counts without a scanner, whose answers are known, and Gaussian priors."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from betaplus.core.grid import ImageGrid


class Toy:
    """What `Data` asks for, from a matrix on each of the columns x of an image (x, y, 1)."""

    def __init__(self, system: ArrayLike, counts: ArrayLike, columns: int) -> None:
        self.system = np.asarray(system, dtype=float)
        self.counts = np.asarray(counts, dtype=float)[:, None] * np.ones(columns)
        shape = (self.system.shape[1], columns, 1)
        self.grid = ImageGrid(shape=shape, voxel_size=(2.0, 2.0, 2.0))
        self.mask, self.order, self.level = np.ones(shape, bool), [0], 1.0
        self.sensitivity = self._image(self.system.T @ np.ones_like(self.counts))

    def subset_sensitivity(self, subset: int) -> np.ndarray:
        return self.sensitivity

    @staticmethod
    def _image(columns: np.ndarray) -> np.ndarray:
        return columns[..., None].astype(np.float32)


class PoissonToy(Toy):
    """Counts of mean A x + b."""

    def __init__(
        self, system: ArrayLike, counts: ArrayLike, additive: float, columns: int = 1
    ) -> None:
        super().__init__(system, counts, columns)
        self.additive = additive

    def expected(self, x: np.ndarray) -> np.ndarray:
        return self.system @ x[..., 0].astype(float) + self.additive

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        return self._image(self.system.T @ (self.counts / self.expected(x)))

    def log_likelihood(self, x: np.ndarray) -> float:
        mean = self.expected(x)
        return float(np.sum(self.counts * np.log(mean) - mean)) if mean.min() > 0 else -np.inf


class GaussianToy(Toy):
    """Measurements of A x with noise of SD 1."""

    def back_ratio(self, x: np.ndarray, subset: int) -> np.ndarray:
        residual = self.counts - self.system @ x[..., 0].astype(float)
        return self._image(self.system.T @ residual) + self.sensitivity

    def log_likelihood(self, x: np.ndarray) -> float:
        return -0.5 * float(np.sum((self.counts - self.system @ x[..., 0].astype(float)) ** 2))


class GaussianPrior:
    """The denoiser of N(mean, covariance) on columns, exactly."""

    def __init__(self, mean: ArrayLike, covariance: ArrayLike) -> None:
        self.mean = np.asarray(mean, dtype=float)[:, None]
        self.covariance = np.asarray(covariance, dtype=float)

    def gain(self, sigma: float) -> np.ndarray:
        """C (C + sigma^2)^-1."""
        return self.covariance @ np.linalg.inv(
            self.covariance + sigma**2 * np.eye(len(self.covariance))
        )

    def __call__(self, noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
        found = self.mean + self.gain(sigma) @ (noisy[..., 0].astype(float) - self.mean)
        return found[..., None].astype(np.float32)

    def pull(self, noisy: np.ndarray, sigma: float, vector: np.ndarray) -> np.ndarray:
        """The transposed gain times a vector."""
        found = self.gain(sigma).T @ vector[..., 0].astype(float)
        return found[..., None].astype(np.float32)
