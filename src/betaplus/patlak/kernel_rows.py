"""Products with a kernel matrix, whose rows are found anew each time: none of it is kept.

Compiled loops release the GIL and own what they write.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew

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
        crew: Who computes; products do not depend on it.
    """

    features: np.ndarray
    variance: np.ndarray
    mask: np.ndarray
    shifts: np.ndarray
    neighbours: int
    strength: float
    crew: Crew

    def forward(self, x: Tensor, kept: str = "") -> Tensor:
        """Return K x, shape (2, X, Y, Z); 0 outside the mask.

        Args:
            x: Of that shape.
            kept: Name by which what is finished is kept; "" keeps nothing.
        """
        out = np.zeros(x.shape, np.float32)
        for (a, b), rows in self._products(_forward, x, kept):
            out[:, a:b] = rows
        return torch.from_numpy(out)

    def adjoint(self, x: Tensor, kept: str = "") -> Tensor:
        """Return K'x, likewise."""
        reach = self._reach
        out = np.zeros((2, x.shape[1] + 2 * reach, *x.shape[2:]), np.float32)
        # Pieces write to planes of their neighbours: their shares are added in order.
        for (a, b), share in self._products(_adjoint, x, kept):
            out[:, a : b + 2 * reach] += share
        return torch.from_numpy(out[:, reach : reach + x.shape[1]].copy())

    def _products(
        self, function: Callable[..., dict[str, np.ndarray]], x: Tensor, kept: str
    ) -> Iterator[tuple[tuple[int, int], np.ndarray]]:
        n, reach, values = self.mask.shape[0], self._reach, x.numpy()
        blocks = [(a, min(a + _PLANES, n)) for a in range(0, n, _PLANES)]
        over = np.float32(1.0 / self.strength**2)
        shared = self.shifts, min(self.neighbours, len(self.shifts)), over, reach

        def part(index: int) -> tuple[Any, ...]:
            a, b = blocks[index]
            low, high = max(a - reach, 0), min(b + reach, n)
            arrays = (self.features[:, low:high], self.variance[low:high], self.mask[low:high],
                      values[:, low:high])  # fmt: skip
            return (a - low, b - low, *(np.ascontiguousarray(array) for array in arrays))

        found = self.crew.each(function, shared, len(blocks), part, kept)
        for block, result in zip(blocks, found, strict=True):
            yield block, result["rows"]

    @property
    def _reach(self) -> int:
        """Planes of x between a voxel and the farthest of its window."""
        return int(np.abs(self.shifts[:, 0]).max())


_Shared = tuple[np.ndarray, int, np.float32, int]


def _forward(
    shared: _Shared, first: int, last: int, features: np.ndarray, variance: np.ndarray,
    mask: np.ndarray, x: np.ndarray,
) -> dict[str, np.ndarray]:  # fmt: skip
    shifts, k, over, _ = shared
    out = np.zeros(x.shape, np.float32)
    _apply(first, last, features, variance, mask, shifts, k, over, x, out)
    return {"rows": np.ascontiguousarray(out[:, first:last])}


def _adjoint(
    shared: _Shared, first: int, last: int, features: np.ndarray, variance: np.ndarray,
    mask: np.ndarray, x: np.ndarray,
) -> dict[str, np.ndarray]:  # fmt: skip
    shifts, k, over, reach = shared
    out = np.zeros((2, last - first + 2 * reach, *x.shape[2:]), np.float32)
    _spread(first, last, features, variance, mask, shifts, k, over, x, out, first - reach)
    return {"rows": out}


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
