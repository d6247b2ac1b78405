"""Prior simulations that all curves of a task share, and the nearest of them to a curve."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import qmc

from betaplus.kinetics.abc.simulator import Simulator

__all__ = ["PASS", "Table"]

PASS = 16
"""Curves whose distances are computed at a time, always as many: the bits are those of any pass."""


class Table:
    """Noise-free curves at low-discrepancy points of the prior.

    Args:
        simulator: The forward model.
        size: Number of curves.
        seed: Seed of the points.

    Attributes:
        v: Coordinates without the level's, shape (size, free).
        curves: Shape (size, T) float32 [table units].
    """

    def __init__(self, simulator: Simulator, size: int, seed: int) -> None:
        uniform = qmc.Sobol(simulator.free, seed=seed).random_base2((size - 1).bit_length())
        self.v = ndtri(np.clip(uniform[:size], 1e-9, 1.0 - 1e-9))
        _, self.curves = simulator.curves(self.v)
        self._powers = torch.from_numpy(np.concatenate([self.curves, self.curves**2], axis=1))

    def nearest(self, y: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
        """Return the `count` nearest curves by weighted squared difference, nearest first.

        Args:
            y: Curves, shape (n, T), at most `PASS`.
            weights: Weights of their frames, shape (n, T).
            count: How many to return.

        Returns:
            Rows of the table, shape (n, count).
        """
        factors = torch.zeros(self._powers.shape[1], PASS)
        factors[:, : len(y)] = torch.from_numpy(
            np.concatenate([-2.0 * weights * y, weights], axis=1).T.astype(np.float32)
        )
        distances = (self._powers @ factors).T.contiguous().numpy()  # but for what is y's alone
        out = np.empty((len(y), count), dtype=np.int64)
        for i in range(len(y)):
            d = distances[i]
            rows = np.sort(np.argpartition(d, count - 1)[:count])
            out[i] = rows[np.argsort(d[rows], kind="stable")]
        return out
