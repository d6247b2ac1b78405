"""Kernels of the relative difference prior, over planes of x.

Each writes only the planes first <= i < behind of its output, one row along z and one neighbour at
a time; the order of the sums does not depend on where the planes are cut. With u = d / phi all
terms are free of the image's scale, so that single precision holds for any unit.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["gradient", "hessian_diagonal", "hessian_vector", "value"]

_jit = numba.njit(nogil=True, cache=True, error_model="numpy")
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)


@_jit
def value(x, kappa, offsets, weights, gamma, eps, planes, first, behind):  # type: ignore[no-untyped-def]
    """Add to each plane's sum, float64 (X,), its pairs with the neighbours at `offsets`."""
    nx, ny, nz = x.shape
    row = np.empty(nz, np.float64)
    for i in range(first, behind):
        row[:] = 0.0
        for j in range(ny):
            for n in range(len(offsets)):
                a, b, c = i + offsets[n, 0], j + offsets[n, 1], offsets[n, 2]
                if a < 0 or a >= nx or b < 0 or b >= ny:
                    continue
                low, high = max(0, -c), min(nz, nz - c)
                if low < high:
                    _value_row(
                        x[i, j, low:high],
                        x[a, b, low + c : high + c],
                        kappa[i, j, low:high],
                        kappa[a, b, low + c : high + c],
                        weights[n],
                        gamma,
                        eps,
                        row[low:high],
                    )
        planes[i] = row.sum()


@_jit
def gradient(x, kappa, offsets, weights, gamma, eps, out, first, behind):  # type: ignore[no-untyped-def]
    """Add the gradient to `out`, float32 (X, Y, Z)."""
    nx, ny, nz = x.shape
    for i in range(first, behind):
        for j in range(ny):
            for n in range(len(offsets)):
                a, b, c = i + offsets[n, 0], j + offsets[n, 1], offsets[n, 2]
                if a < 0 or a >= nx or b < 0 or b >= ny:
                    continue
                low, high = max(0, -c), min(nz, nz - c)
                if low < high:
                    _gradient_row(
                        x[i, j, low:high],
                        x[a, b, low + c : high + c],
                        kappa[i, j, low:high],
                        kappa[a, b, low + c : high + c],
                        weights[n],
                        gamma,
                        eps,
                        out[i, j, low:high],
                    )


@_jit
def hessian_diagonal(x, kappa, offsets, weights, gamma, eps, out, first, behind):  # type: ignore[no-untyped-def]
    """Add the Hessian's diagonal to `out`, float32 (X, Y, Z)."""
    nx, ny, nz = x.shape
    for i in range(first, behind):
        for j in range(ny):
            for n in range(len(offsets)):
                a, b, c = i + offsets[n, 0], j + offsets[n, 1], offsets[n, 2]
                if a < 0 or a >= nx or b < 0 or b >= ny:
                    continue
                low, high = max(0, -c), min(nz, nz - c)
                if low < high:
                    _diagonal_row(
                        x[i, j, low:high],
                        x[a, b, low + c : high + c],
                        kappa[i, j, low:high],
                        kappa[a, b, low + c : high + c],
                        weights[n],
                        gamma,
                        eps,
                        out[i, j, low:high],
                    )


@_jit
def hessian_vector(x, v, kappa, offsets, weights, gamma, eps, out, first, behind):  # type: ignore[no-untyped-def]
    """Add the Hessian times v to `out`, float32 (X, Y, Z)."""
    nx, ny, nz = x.shape
    for i in range(first, behind):
        for j in range(ny):
            for n in range(len(offsets)):
                a, b, c = i + offsets[n, 0], j + offsets[n, 1], offsets[n, 2]
                if a < 0 or a >= nx or b < 0 or b >= ny:
                    continue
                low, high = max(0, -c), min(nz, nz - c)
                if low < high:
                    _vector_row(
                        x[i, j, low:high],
                        x[a, b, low + c : high + c],
                        v[i, j, low:high],
                        v[a, b, low + c : high + c],
                        kappa[i, j, low:high],
                        kappa[a, b, low + c : high + c],
                        weights[n],
                        gamma,
                        eps,
                        out[i, j, low:high],
                    )


@_jit
def _value_row(x, y, kappa, other, weight, gamma, eps, row):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        d = np.float64(x[k]) - np.float64(y[k])
        phi = np.float64(x[k]) + np.float64(y[k]) + gamma * abs(d) + eps
        term = d * d / phi if phi > 0.0 else 0.0
        row[k] += np.float64(weight * kappa[k] * other[k]) * term


@_jit
def _gradient_row(x, y, kappa, other, weight, gamma, eps, row):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        d = x[k] - y[k]
        phi = x[k] + y[k] + gamma * abs(d) + eps
        u = d / phi if phi > _ZERO else _ZERO
        row[k] += weight * kappa[k] * other[k] * u * (_TWO - u - gamma * abs(u))


@_jit
def _diagonal_row(x, y, kappa, other, weight, gamma, eps, row):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        phi = x[k] + y[k] + gamma * abs(x[k] - y[k]) + eps
        r = _ONE / phi if phi > _ZERO else _ZERO
        a = (_TWO * y[k] + eps) * r
        row[k] += weight * kappa[k] * other[k] * _TWO * r * a * a


@_jit
def _vector_row(x, y, v, w, kappa, other, weight, gamma, eps, row):  # type: ignore[no-untyped-def]
    for k in range(len(x)):
        phi = x[k] + y[k] + gamma * abs(x[k] - y[k]) + eps
        r = _ONE / phi if phi > _ZERO else _ZERO
        a = (_TWO * y[k] + eps) * r
        b = (_TWO * x[k] + eps) * r
        row[k] += weight * kappa[k] * other[k] * _TWO * r * a * (a * v[k] - b * w[k])
