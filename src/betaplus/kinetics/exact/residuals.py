r"""Whether the residuals of a fit hang together more than those of a right model do.

Fitted residuals are no white noise: parameters that follow the curve take part of it away, so
that neighbours differ more than chance has it. With the whitened sensitivities X of m parameters
whose prior has the precision L, residuals of a right and nearly linear model are N(0, l^2 C) with
C = I - X' (X X' + L)^-1 X, for parameters that the data determine and for those that the prior
does. The statistic is a quadratic form r' A r with Bartlett weights on the first lags (Newey and
West, Econometrica 1987), less r' r times its expected share, in units of its own standard
deviation; moments as for Durbin and Watson's (Biometrika 1950).
"""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.mixture import cholesky
from betaplus.kinetics.exact.mode import find_mode

__all__ = ["togetherness"]

_LAGS = 3
_STEPS = 15


@kernel
def togetherness(target, y, n, space):
    """Return how far the residuals' autocorrelation is above that of a right model [SD].

    Args:
        target: The posterior.
        y: Padded curve in table units.
        n: Number of weighted draws in `space`.
        space: Work space of `sample_curve`, whose ``own_weight`` is that of the fit; ``U``, ``W``
            and ``J`` are overwritten.
    """
    d, frames = target.quantiles.shape[0], target.n_frames
    best = 0
    for i in range(n):
        if space.S[i] < space.S[best]:
            best = i
    z, factors = space.z[best].copy(), np.zeros((1, d, d))
    weight = space.own_weight
    a, b, precision, _ = find_mode(
        target, y, weight, z, _STEPS, -1, space.U, space.W, space.J, factors
    )
    m = d + 2
    X, A, r = np.empty((m, frames)), np.empty((1, m, m)), np.empty(frames)
    for t in range(frames):
        root = np.sqrt(weight[t] * precision)
        r[t] = root * (y[t] - a * space.U[t] - b * space.W[t])
        for i in range(m):
            X[i, t] = root * space.J[i, t]
    for i in range(m):
        for j in range(i + 1):
            s = 0.0
            for t in range(frames):
                s += X[i, t] * X[j, t]
            A[0, i, j] = s
            A[0, j, i] = s
    for i in range(d):
        A[0, i, i] += 1.0
    A[0, d, d] += 4.0 / (target.K1.high * target.K1.high)
    A[0, d + 1, d + 1] += 12.0 / max(target.VB.high - target.VB.low, 1e-9) ** 2
    if target.K1.kind == 4:
        A[0, d, d] += 1e12
    cholesky(A, 0, A, 0)
    for t in range(frames):  # X becomes the inverse of the factor times X
        for i in range(m):
            s = X[i, t]
            for k in range(i):
                s -= A[0, i, k] * X[k, t]
            X[i, t] = s / A[0, i, i]
    C = np.empty((frames, frames))
    trace = 0.0
    for t in range(frames):
        for u in range(t + 1):
            s = 1.0 if t == u else 0.0
            for i in range(m):
                s -= X[i, t] * X[i, u]
            C[t, u] = s
            C[u, t] = s
        trace += C[t, t]
    together, square, expected = 0.0, 0.0, 0.0
    for t in range(frames):
        square += r[t] * r[t]
        for k in range(1, min(_LAGS, t) + 1):
            share = 1.0 - k / (_LAGS + 1.0)
            together += share * r[t] * r[t - k]
            expected += share * C[t, t - k]
    expected /= max(trace, 1e-9)
    return _scaled(C, together - expected * square, expected, square / max(trace, 1e-9))


@kernel
def _scaled(C, value, expected, level2):
    """Divide r' B r by its standard deviation sqrt(2 tr BCBC) l^2, B = A - expected I."""
    frames = C.shape[0]
    BC = np.empty((frames, frames))
    for t in range(frames):
        for u in range(frames):
            s = -expected * C[t, u]
            for k in range(1, _LAGS + 1):
                share = 0.5 - 0.5 * k / (_LAGS + 1.0)
                if t >= k:
                    s += share * C[t - k, u]
                if t + k < frames:
                    s += share * C[t + k, u]
            BC[t, u] = s
    variance = 0.0
    for t in range(frames):
        for u in range(frames):
            variance += BC[t, u] * BC[u, t]
    return value / max(level2 * np.sqrt(2.0 * max(variance, 0.0)), 1e-300)
