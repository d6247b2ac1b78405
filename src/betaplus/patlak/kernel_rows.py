"""Products with a kernel matrix, whose rows are found anew each time: none of it is kept.

Compiled loops release the GIL and own what they write.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np
import torch
from torch import Tensor

from betaplus.physics.threads import each

__all__ = ["KernelMatrix"]

_PLANES = 8  # of x that are one piece of work, whatever the threads


@dataclass(frozen=True, eq=False, kw_only=True)
class KernelMatrix:
    """K: in row v the k voxels around v that are most like it, weights exp(-D / h^2), of sum 1.

    Attributes:
        features: What is compared, shape (2, X, Y, Z) float32.
        variance: Of the noise of each, above 0, shape (X, Y, Z) float32.
        mask: Voxels that rows and columns are, likewise.
        shifts: Of the window, the first (0, 0, 0), shape (N, 3).
        neighbours: k, the voxel itself among them.
        strength: h.
        threads: Threads to use.
    """

    features: np.ndarray
    variance: np.ndarray
    mask: np.ndarray
    shifts: np.ndarray
    neighbours: int
    strength: float
    threads: int

    def forward(self, x: Tensor) -> Tensor:
        """Return K x, shape (2, X, Y, Z); 0 outside the mask."""
        out = np.zeros(x.shape, np.float32)
        values = x.numpy()
        calls = [(a, b, *self._rows(), values, out) for a, b in self._blocks()]
        each(_apply, calls, self.threads)
        return torch.from_numpy(out)

    def adjoint(self, x: Tensor) -> Tensor:
        """Return K'x, shape (2, X, Y, Z); 0 outside the mask."""
        reach = int(np.abs(self.shifts[:, 0]).max())
        out = np.zeros((2, x.shape[1] + 2 * reach, *x.shape[2:]), np.float32)
        values, blocks = x.numpy(), self._blocks()
        # Pieces write to planes of their neighbours: as many at a time as there are threads.
        for at in range(0, len(blocks), self.threads):
            some = blocks[at : at + self.threads]
            parts = [np.zeros((2, b - a + 2 * reach, *x.shape[2:]), np.float32) for a, b in some]
            calls = [(a, b, *self._rows(), values, part, a - reach)
                     for (a, b), part in zip(some, parts, strict=True)]  # fmt: skip
            each(_spread, calls, self.threads)
            for (a, b), part in zip(some, parts, strict=True):
                out[:, a : b + 2 * reach] += part
        return torch.from_numpy(out[:, reach : reach + x.shape[1]].copy())

    def _blocks(self) -> list[tuple[int, int]]:
        n = self.mask.shape[0]
        return [(a, min(a + _PLANES, n)) for a in range(0, n, _PLANES)]

    def _rows(self) -> tuple[np.ndarray | int | np.float32, ...]:
        k = min(self.neighbours, len(self.shifts))
        over = np.float32(1.0 / self.strength**2)
        return self.features, self.variance, self.mask, self.shifts, k, over


@numba.njit(nogil=True, cache=True)
def _row(x, y, z, features, variance, mask, shifts, k, over, best, who):
    """Put a row into best (weights) and who (numbers of shifts); return how many there are."""
    nx, ny, nz = mask.shape
    f0, f1, own = features[0, x, y, z], features[1, x, y, z], variance[x, y, z]
    every = k == shifts.shape[0]
    held = 0
    for n in range(shifts.shape[0]):
        a, b, c = x + shifts[n, 0], y + shifts[n, 1], z + shifts[n, 2]
        if a < 0 or b < 0 or c < 0 or a >= nx or b >= ny or c >= nz or not mask[a, b, c]:
            continue
        d0, d1 = features[0, a, b, c] - f0, features[1, a, b, c] - f1
        far = (d0 * d0 + d1 * d1) / (np.float32(2.0) * (own + variance[a, b, c]))
        if n == 0:
            far = np.float32(-1.0)  # a voxel is its own neighbour, whatever others are
        if held == k and far >= best[k - 1]:
            continue
        at = held if held < k else k - 1
        while not every and at > 0 and best[at - 1] > far:
            best[at], who[at] = best[at - 1], who[at - 1]
            at -= 1
        best[at], who[at] = far, n
        held = min(held + 1, k)
    total = np.float32(0.0)
    for i in range(held):
        best[i] = math.exp(-max(best[i], np.float32(0.0)) * over)
        total += best[i]
    for i in range(held):
        best[i] /= total
    return held


@numba.njit(nogil=True, cache=True)
def _apply(first, last, features, variance, mask, shifts, k, over, x, out):
    best, who = np.empty(k, np.float32), np.empty(k, np.int32)
    for i in range(first, last):
        for j in range(mask.shape[1]):
            for m in range(mask.shape[2]):
                if not mask[i, j, m]:
                    continue
                held = _row(i, j, m, features, variance, mask, shifts, k, over, best, who)
                for n in range(held):
                    d = shifts[who[n]]
                    for channel in range(2):
                        value = x[channel, i + d[0], j + d[1], m + d[2]]
                        out[channel, i, j, m] += best[n] * value


@numba.njit(nogil=True, cache=True)
def _spread(first, last, features, variance, mask, shifts, k, over, x, out, origin):
    best, who = np.empty(k, np.float32), np.empty(k, np.int32)
    for i in range(first, last):
        for j in range(mask.shape[1]):
            for m in range(mask.shape[2]):
                if not mask[i, j, m]:
                    continue
                held = _row(i, j, m, features, variance, mask, shifts, k, over, best, who)
                for n in range(held):
                    d = shifts[who[n]]
                    for channel in range(2):
                        value = best[n] * x[channel, i, j, m]
                        out[channel, i + d[0] - origin, j + d[1], m + d[2]] += value
