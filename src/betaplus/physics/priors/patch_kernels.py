"""Kernels of the patch prior, over slabs of planes of x.

For one offset o the squared differences of all voxels p and p + o make an image; a patch distance
is its box sum, and the weight of a pair is the box sum of omega. So a patch costs three short sums,
not one for each element, and each pair of voxels is compared once. A slab writes only its own
planes and repeats what it needs of its neighbours'. Sums are plain, not running, and their order
does not depend on where the slabs are cut.
"""

from __future__ import annotations

import math

import numba
import numpy as np

__all__ = ["slopes", "value"]

_jit = numba.njit(nogil=True, cache=True, error_model="numpy")
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)


@_jit
def value(x, mask, masked, offsets, reach, share, delta, planes, first, behind):  # type: ignore[no-untyped-def]
    """Set each plane's sum of psi, float64 (X,), over its voxels' pairs with those at `offsets`."""
    nx, ny, nz = x.shape
    buffers = np.empty((3, behind - first + 2 * reach, ny, nz), np.float32)
    scale = np.float64(delta)
    for n in range(len(offsets)):
        a, b, c = offsets[n]
        end = min(behind, nx - a)
        if end <= first:
            continue
        distances = buffers[2]
        _distances(x, mask, masked, a, b, c, reach, first, end, buffers[0], buffers[1], distances)
        for i in range(first, end):
            total = 0.0
            for j in range(max(0, -b), min(ny, ny - b)):
                for k in range(max(0, -c), min(nz, nz - c)):
                    if not masked or mask[i, j, k] * mask[i + a, j + b, k + c] > 0:
                        t = math.sqrt(np.float64(distances[i - first, j, k]) * share)
                        total += t - scale * math.log1p(t / scale)
            planes[i] += total


@_jit
def slopes(x, mask, masked, offsets, reach, share, delta, gradient, weight, first, behind):  # type: ignore[no-untyped-def]
    """Add the gradient and the weights w, both float32 (X, Y, Z)."""
    nx, ny, nz = x.shape
    most = 0
    for n in range(len(offsets)):
        most = max(most, offsets[n, 0])
    buffers = np.empty((3, behind - first + most + 4 * reach, ny, nz), np.float32)
    row = np.empty(nz, np.float32)
    for n in range(len(offsets)):
        a, b, c = offsets[n]
        low, high = max(0, first - a), min(behind, nx - a)  # planes of pairs that touch the slab
        from_, to = max(0, low - reach), min(nx - a, high + reach)  # of pairs in their patches
        if high <= low:
            continue
        omega = buffers[2]
        _distances(x, mask, masked, a, b, c, reach, from_, to, buffers[0], buffers[1], omega)
        j0, j1, k0, k1 = max(0, -b), min(ny, ny - b), max(0, -c), min(nz, nz - c)
        if j0 >= j1 or k0 >= k1:
            continue
        for p in range(from_, to):
            for j in range(ny):
                row[:] = _ZERO
                if j0 <= j < j1:
                    _omega_row(omega[p - from_, j, k0:k1], share, delta, row[k0:k1])
                    if masked:
                        _keep_pairs(
                            mask[p, j, k0:k1], mask[p + a, j + b, k0 + c : k1 + c], row[k0:k1]
                        )
                _sum_along_z(row, reach, buffers[0, p - from_, j])
            _sum_along_y(buffers[0, p - from_], reach, buffers[1, p - from_])
        for p in range(low, high):
            for j in range(j0, j1):
                _sum_along_x(buffers[1], p - from_, to - from_, j, reach, row)
                if masked:
                    _keep_pairs(mask[p, j, k0:k1], mask[p + a, j + b, k0 + c : k1 + c], row[k0:k1])
                here, there = x[p, j, k0:k1], x[p + a, j + b, k0 + c : k1 + c]
                if p >= first:
                    _add_pairs(
                        row[k0:k1], share, here, there, gradient[p, j, k0:k1], weight[p, j, k0:k1]
                    )
                if first <= p + a < behind:
                    _add_pairs(
                        row[k0:k1],
                        share,
                        there,
                        here,
                        gradient[p + a, j + b, k0 + c : k1 + c],
                        weight[p + a, j + b, k0 + c : k1 + c],
                    )


@_jit
def _distances(x, mask, masked, a, b, c, reach, first, behind, rows, sums, out):  # type: ignore[no-untyped-def]
    """Set out[p - first] to the patch sums of squared differences of the pairs p, p + (a, b, c)."""
    nx, ny, nz = x.shape
    low, high = max(0, first - reach), min(nx - a, behind + reach)
    j0, j1, k0, k1 = max(0, -b), min(ny, ny - b), max(0, -c), min(nz, nz - c)
    row = np.empty(nz, np.float32)
    for p in range(low, high):
        for j in range(ny):
            row[:] = _ZERO
            if j0 <= j < j1 and k0 < k1:
                there = slice(k0 + c, k1 + c)
                _square_row(x[p, j, k0:k1], x[p + a, j + b, there], row[k0:k1])
                if masked:
                    _keep_pairs(mask[p, j, k0:k1], mask[p + a, j + b, there], row[k0:k1])
            _sum_along_z(row, reach, rows[p - low, j])
        _sum_along_y(rows[p - low], reach, sums[p - low])
    for p in range(first, behind):
        for j in range(ny):
            _sum_along_x(sums, p - low, high - low, j, reach, out[p - first, j])


@_jit
def _square_row(here, there, row):  # type: ignore[no-untyped-def]
    for k in range(len(row)):
        d = here[k] - there[k]
        row[k] = d * d


@_jit
def _keep_pairs(here, there, row):  # type: ignore[no-untyped-def]
    for k in range(len(row)):
        row[k] *= here[k] * there[k]


@_jit
def _omega_row(distance, share, delta, row):  # type: ignore[no-untyped-def]
    for k in range(len(row)):
        row[k] = _ONE / (delta + np.sqrt(distance[k] * share))


@_jit
def _add_pairs(omega, share, here, there, gradient, weight):  # type: ignore[no-untyped-def]
    for k in range(len(omega)):
        w = omega[k] * share
        weight[k] += w
        gradient[k] += _HALF * w * (here[k] - there[k])


@_jit
def _add(source, target):  # type: ignore[no-untyped-def]
    for k in range(len(target)):
        target[k] += source[k]


@_jit
def _sum_along_z(row, reach, out):  # type: ignore[no-untyped-def]
    n = len(row)
    out[:] = row
    for step in range(1, min(reach, n - 1) + 1):
        _add(row[step:], out[: n - step])
        _add(row[: n - step], out[step:])


@_jit
def _sum_along_y(plane, reach, out):  # type: ignore[no-untyped-def]
    for j in range(len(plane)):
        out[j] = plane[j]
        for other in range(max(0, j - reach), min(len(plane), j + reach + 1)):
            if other != j:
                _add(plane[other], out[j])


@_jit
def _sum_along_x(planes, p, behind, j, reach, out):  # type: ignore[no-untyped-def]
    """Set `out` to the sum of row j of the planes within `reach` of p that lie before `behind`."""
    out[:] = planes[p, j]
    for other in range(max(0, p - reach), min(behind, p + reach + 1)):
        if other != p:
            _add(planes[other, j], out)
