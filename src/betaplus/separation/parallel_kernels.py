"""Kernel of `compartment`: the best pair of curve shapes for every voxel, amplitudes at least 0.

Shapes of each tracer lie on a grid of rate constants. A pair of shapes and the blood of both leave
a small non-negative least-squares problem, of which only inner products are needed. The pair is
found from a coarse search over the grid, then by steps to neighbours that halve in length.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["best_pairs"]

_TINY = 1e-10  # pivot relative to its own diagonal: a column that others make up


@numba.njit(nogil=True, cache=True)
def _amplitudes(gram, h, size, active, z, lower):
    """Least squares with z >= 0 from inner products; returns the part of y'y that it explains.

    Columns below 0 leave one at a time, and one that would lower the cost comes back: the active
    set of Lawson and Hanson, Solving Least Squares Problems, 1974, chapter 23, from its other end.
    """
    for j in range(size):
        active[j] = gram[j, j] > 0.0
        z[j] = 0.0
    value = 0.0
    for _ in range(3 * size):
        for j in range(size):
            z[j] = 0.0
            if not active[j]:
                continue
            pivot = gram[j, j]
            for k in range(j):
                if active[k]:
                    s = gram[j, k]
                    for i in range(k):
                        if active[i]:
                            s -= lower[j, i] * lower[k, i]
                    lower[j, k] = s / lower[k, k]
                    pivot -= lower[j, k] * lower[j, k]
            if pivot <= _TINY * gram[j, j]:
                active[j] = False
                continue
            lower[j, j] = math.sqrt(pivot)
            s = h[j]
            for k in range(j):
                if active[k]:
                    s -= lower[j, k] * z[k]
            z[j] = s / lower[j, j]
        worst, at = 0.0, -1
        for jj in range(size):
            j = size - 1 - jj
            if not active[j]:
                continue
            s = z[j]
            for k in range(j + 1, size):
                if active[k]:
                    s -= lower[k, j] * z[k]
            z[j] = s / lower[j, j]
            low = z[j] * math.sqrt(gram[j, j])
            if low < worst:
                worst, at = low, j
        if at >= 0:
            active[at] = False
            continue
        value = 0.0
        best, back = 0.0, -1
        for j in range(size):
            value += z[j] * h[j]
        for j in range(size):
            if active[j] or gram[j, j] <= 0.0:
                continue
            s = h[j]
            for k in range(size):
                s -= gram[j, k] * z[k]
            gain = s * abs(s) / gram[j, j]
            if gain > best:
                best, back = gain, j
        if back < 0 or best <= 1e-9 * value:
            break
        active[back] = True
    return value


@numba.njit(nogil=True, cache=True, inline="always")
def _two(g00, g01, g11, h0, h1):
    """Non-negative least squares of two columns: amplitudes, and what they explain."""
    det = g00 * g11 - g01 * g01
    x0, x1 = 0.0, 0.0
    if det > _TINY * g00 * g11:
        x0 = (g11 * h0 - g01 * h1) / det
        x1 = (g00 * h1 - g01 * h0) / det
        if x0 >= 0.0 and x1 >= 0.0:
            return x0, x1, x0 * h0 + x1 * h1
    f0 = h0 / g00 if (g00 > 0.0 and h0 > 0.0) else 0.0
    f1 = h1 / g11 if (g11 > 0.0 and h1 > 0.0) else 0.0
    if f0 * h0 >= f1 * h1:
        return f0, 0.0, f0 * h0
    return 0.0, f1, f1 * h1


@numba.njit(nogil=True, cache=True)
def _three(gram, h, z):
    """Non-negative least squares of three columns, by its faces; as `_amplitudes`."""
    a, b, c = gram[0, 0], gram[1, 1], gram[2, 2]
    d, e, f = gram[0, 1], gram[0, 2], gram[1, 2]
    c00, c01, c02 = b * c - f * f, e * f - d * c, d * f - b * e
    det = a * c00 + d * c01 + e * c02
    if det > _TINY * a * b * c:
        c11, c12, c22 = a * c - e * e, d * e - a * f, a * b - d * d
        x = (c00 * h[0] + c01 * h[1] + c02 * h[2]) / det
        y = (c01 * h[0] + c11 * h[1] + c12 * h[2]) / det
        w = (c02 * h[0] + c12 * h[1] + c22 * h[2]) / det
        if x >= 0.0 and y >= 0.0 and w >= 0.0:
            z[0], z[1], z[2] = x, y, w
            return x * h[0] + y * h[1] + w * h[2]
    x, y, best = _two(a, d, b, h[0], h[1])
    z[0], z[1], z[2] = x, y, 0.0
    x, w, value = _two(a, e, c, h[0], h[2])
    if value > best:
        best = value
        z[0], z[1], z[2] = x, 0.0, w
    y, w, value = _two(b, f, c, h[1], h[2])
    if value > best:
        best = value
        z[0], z[1], z[2] = 0.0, y, w
    return best


@numba.njit(nogil=True, cache=True)
def _pair(a, b, first, second, cross, blood, fa, fb, hb, ha, hh, gram, h, nb, active, z, lower):
    """Amplitudes of the pair of shapes a, b."""
    gram[0, 0] = first[a]
    gram[1, 1] = second[b]
    gram[1, 0] = cross[a, b]
    gram[0, 1] = gram[1, 0]
    h[0], h[1] = ha[a], hh[b]
    for j in range(nb):
        gram[2 + j, 0] = fa[a, j]
        gram[0, 2 + j] = fa[a, j]
        gram[2 + j, 1] = fb[b, j]
        gram[1, 2 + j] = fb[b, j]
        h[2 + j] = hb[j]
        for k in range(nb):
            gram[2 + j, 2 + k] = blood[j, k]
    if nb == 1:
        return _three(gram, h, z)
    return _amplitudes(gram, h, 2 + nb, active, z, lower)


@numba.njit(nogil=True, cache=True)
def best_pairs(
    ha,
    hh,
    hb,
    first,
    second,
    cross,
    fa,
    fb,
    blood,
    dims,
    coarse,
    penalty_a,
    penalty_b,
    variance,
    pair,
    amplitude,
    explained,
):
    """Write the best pair of every voxel.

    Args:
        ha: y'U_A, shape (N, A): inner products of curves and shapes of the first tracer.
        hh: y'U_B, shape (N, B), of the second.
        hb: y'V, shape (N, nb), of the blood.
        first: Diagonal of U_A'U_A, shape (A,).
        second: Of U_B'U_B, shape (B,).
        cross: U_A'U_B, shape (A, B).
        fa: U_A'V, shape (A, nb).
        fb: U_B'V, shape (B, nb).
        blood: V'V, shape (nb, nb).
        dims: Grid of rate constants, 3 axes of the first tracer and 3 of the second, shape (6,).
        coarse: First step along each axis, shape (6,).
        penalty_a: What a shape of the first tracer costs at a variance of 1, shape (A,).
        penalty_b: Of the second, shape (B,).
        variance: s^2, shape (N,).
        pair: Out: shapes, shape (N, 2).
        amplitude: Out: of both shapes and the blood, shape (N, 2 + nb).
        explained: Out: the part of y'y that the fit explains, shape (N,).
    """
    n, nb = ha.shape[0], blood.shape[0]
    gram = np.zeros((4, 4))
    lower = np.zeros((4, 4))
    h, z = np.zeros(4), np.zeros(4)
    active = np.zeros(4, np.bool_)
    at, step, trial = np.zeros(6, np.int64), np.zeros(6, np.int64), np.zeros(6, np.int64)
    for v in range(n):
        best = -np.inf
        for i0 in range(coarse[0] // 2, dims[0], coarse[0]):
            for i1 in range(coarse[1] // 2, dims[1], coarse[1]):
                for i2 in range(coarse[2] // 2, dims[2], coarse[2]):
                    a = (i0 * dims[1] + i1) * dims[2] + i2
                    for j0 in range(coarse[3] // 2, dims[3], coarse[3]):
                        for j1 in range(coarse[4] // 2, dims[4], coarse[4]):
                            for j2 in range(coarse[5] // 2, dims[5], coarse[5]):
                                b = (j0 * dims[4] + j1) * dims[5] + j2
                                value = _pair(
                                    a,
                                    b,
                                    first,
                                    second,
                                    cross,
                                    blood,
                                    fa,
                                    fb,
                                    hb[v],
                                    ha[v],
                                    hh[v],
                                    gram,
                                    h,
                                    nb,
                                    active,
                                    z,
                                    lower,
                                ) - variance[v] * (penalty_a[a] + penalty_b[b])
                                if value > best:
                                    best = value
                                    at[0], at[1], at[2] = i0, i1, i2
                                    at[3], at[4], at[5] = j0, j1, j2
        largest = 1
        for axis in range(6):
            step[axis] = max(coarse[axis] // 2, 1) if dims[axis] > 1 else 0
            largest = max(largest, step[axis])
        while largest >= 1:
            moved = True
            while moved:
                moved = False
                for move in range(54):  # every neighbour of one tracer's rates, then of the other's
                    rest, base = move % 27, 3 * (move // 27)
                    ok = rest != 13
                    for k in range(6):
                        trial[k] = at[k]
                    for k in range(base, base + 3):
                        turn = rest % 3 - 1
                        rest //= 3
                        if turn != 0 and step[k] == 0:
                            ok = False
                        trial[k] += turn * step[k]
                        ok = ok and 0 <= trial[k] < dims[k]
                    if not ok:
                        continue
                    a = (trial[0] * dims[1] + trial[1]) * dims[2] + trial[2]
                    b = (trial[3] * dims[4] + trial[4]) * dims[5] + trial[5]
                    value = _pair(
                        a,
                        b,
                        first,
                        second,
                        cross,
                        blood,
                        fa,
                        fb,
                        hb[v],
                        ha[v],
                        hh[v],
                        gram,
                        h,
                        nb,
                        active,
                        z,
                        lower,
                    ) - variance[v] * (penalty_a[a] + penalty_b[b])
                    if value > best + 1e-12 * abs(best):
                        best = value
                        for k in range(6):
                            at[k] = trial[k]
                        moved = True
            if largest == 1:
                break
            largest = 1
            for axis in range(6):
                if step[axis] > 0:
                    step[axis] = max(step[axis] // 2, 1)
                    largest = max(largest, step[axis])
        a = (at[0] * dims[1] + at[1]) * dims[2] + at[2]
        b = (at[3] * dims[4] + at[4]) * dims[5] + at[5]
        explained[v] = _pair(
            a,
            b,
            first,
            second,
            cross,
            blood,
            fa,
            fb,
            hb[v],
            ha[v],
            hh[v],
            gram,
            h,
            nb,
            active,
            z,
            lower,
        )
        pair[v, 0], pair[v, 1] = a, b
        for j in range(2 + nb):
            amplitude[v, j] = z[j]
