"""Kernels that go from rates of crystals to bins of a sinogram and back.

Kernels release the GIL and own what they write.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["add_shares", "fill_means", "sum_logs"]

_TINY = 1e-30  # below any mean; pairs whose mean is 0 get a rate of 0 times this ratio
_SAFE = 1e-60  # product of three such numbers is still a normal one


@numba.njit(nogil=True, cache=True)
def sum_products(a: np.ndarray, b: np.ndarray, table: np.ndarray, out: np.ndarray) -> None:
    """Put the sum of a[ring 1] b[ring 2] over the ring pairs of each plane into its slot."""
    out[:] = 0.0
    for d in range(table.shape[0]):
        one, two, at, n = table[d]
        left, right, total = a[one : one + n], b[two : two + n], out[at : at + n]
        for k in range(n):
            total[k] += left[k] * right[k]


@numba.njit(nogil=True, cache=True)
def fill_means(
    rates: np.ndarray,
    pairs: np.ndarray,
    live: np.ndarray,
    slot: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill some views of a sinogram with its mean.

    Args:
        rates: Shape (detector, ring), float64.
        pairs: Detectors of each bin, shape (view, radial, 2).
        live: Which bins have crystals, shape (view, radial).
        slot: Of `Differences`.
        table: Likewise.
        out: Shape (view, radial, plane), float32.
    """
    held = np.empty(slot.size)
    for v in range(pairs.shape[0]):
        for r in range(pairs.shape[1]):
            row = out[v, r]
            if not live[v, r]:
                row[:] = np.float32(0.0)
                continue
            sum_products(rates[pairs[v, r, 0]], rates[pairs[v, r, 1]], table, held)
            for p in range(slot.size):
                row[p] = held[slot[p]]


@numba.njit(nogil=True, cache=True)
def sum_logs(count: np.ndarray, mean: np.ndarray) -> float:
    """Return the sum of count x ln mean; few logarithms are taken, as most counts are 1 or 2."""
    total, product = 0.0, 1.0
    for p in range(count.size):
        y, m = count[p], mean[p]
        if y > 2.0 or y != math.floor(y) or not _SAFE < m < 1.0 / _SAFE:
            if y > 0.0:
                total += y * math.log(m) if m > 0.0 else -math.inf
            continue
        product *= (m if y > 0.0 else 1.0) * (m if y > 1.0 else 1.0)
        if not _SAFE < product < 1.0 / _SAFE:
            total += math.log(product)
            product = 1.0
    return total + math.log(product)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def add_shares(
    counts: np.ndarray,
    rates: np.ndarray,
    pairs: np.ndarray,
    live: np.ndarray,
    slot: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
    fit: np.ndarray,
) -> None:
    """Add to each crystal the sum over its bins of count / mean times its partner's rate.

    Times the crystal's own rate that is its fan sum, counts shared among the ring pairs of a bin in
    proportion to their means.

    Args:
        counts: Some views of a sinogram, shape (view, radial, plane), float32.
        rates: Shape (detector, ring), float64.
        pairs: Detectors of each bin, shape (view, radial, 2).
        live: Which bins have crystals, shape (view, radial).
        slot: Of `Differences`.
        table: Likewise.
        out: Shape (detector, ring), float64.
        fit: Sum of count x ln mean to add to, -inf where counts have no mean; shape (1,), or (0,)
            where it is not wanted.
    """
    held, count = np.empty(slot.size), np.empty(slot.size)
    for v in range(pairs.shape[0]):
        for r in range(pairs.shape[1]):
            row = counts[v, r]
            if not live[v, r] or not row.any():
                continue
            one, two = pairs[v, r, 0], pairs[v, r, 1]
            sum_products(rates[one], rates[two], table, held)
            for p in range(slot.size):
                count[slot[p]] = row[p]
            if fit.size > 0:
                fit[0] += sum_logs(count, held)
            for p in range(slot.size):
                held[p] = count[p] / max(held[p], _TINY)
            for d in range(table.shape[0]):
                first, second, at, n = table[d]
                ratio = held[at : at + n]
                a, b = rates[one, first : first + n], rates[two, second : second + n]
                to_a, to_b = out[one, first : first + n], out[two, second : second + n]
                for k in range(n):
                    to_a[k] += ratio[k] * b[k]
                for k in range(n):
                    to_b[k] += ratio[k] * a[k]
