"""Importance weights: how far draws are from the posterior, and whether weights can mend them.

The largest weights are smoothed by the generalised Pareto distribution that fits them, whose shape
k says whether the weights can be trusted at all (Vehtari et al., J Mach Learn Res 2024, 25:72).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["effective_size", "normalised", "smooth_weights"]


def normalised(log_w: np.ndarray) -> np.ndarray:
    """Return weights that sum to 1 along the last axis."""
    w = np.exp(log_w - log_w.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True)


def effective_size(w: np.ndarray) -> np.ndarray:
    """Return Kish's effective sample size of normalised weights (n, S), shape (n,)."""
    return 1.0 / (w * w).sum(-1)


def smooth_weights(log_w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Pareto-smoothed log weights (n, S) and the shape k of each row's tail (n,).

    Where the tail has fewer than five weights, k is infinite and the weights stay as they are.
    """
    out = np.array(log_w, dtype=np.float64)
    n, draws = out.shape
    tail = int(min(0.2 * draws, 3.0 * math.sqrt(draws)))
    k = np.full(n, np.inf)
    if tail < 5:
        return out, k
    out -= out.max(-1, keepdims=True)
    order = np.argsort(out, axis=-1, kind="stable")[:, -tail - 1 :]
    for i in range(n):
        cut = out[i, order[i, 0]]
        members = order[i, 1:]
        excess = np.exp(out[i, members]) - math.exp(cut)
        if not excess[-1] > 0:
            k[i] = -np.inf  # weights are equal: nothing to smooth
            continue
        k[i], scale = _fit_pareto(np.maximum(excess, 1e-300))
        if np.isfinite(k[i]):
            p = (np.arange(tail) + 0.5) / tail
            quantile = scale * (
                np.expm1(-k[i] * np.log1p(-p)) / k[i] if abs(k[i]) > 1e-8 else -np.log1p(-p)
            )
            out[i, members] = np.minimum(np.log(quantile + math.exp(cut)), 0.0)
    return out, k


def _fit_pareto(x: np.ndarray) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution through sorted excesses x, shape (m,).

    Zhang and Stephens, Technometrics 2009, with the weak prior on k of Vehtari et al.
    """
    m = x.size
    points = 30 + int(math.sqrt(m))
    quartile = x[int(m / 4 + 0.5) - 1]
    b = 1.0 / x[-1] + (1.0 - np.sqrt(points / (np.arange(1, points + 1) - 0.5))) / (3.0 * quartile)
    k = np.log1p(-b[:, None] * x).mean(1)
    score = m * (np.log(-b / k) - k - 1.0)
    w = normalised(score)
    best = float((b * w).sum())
    shape = float(np.log1p(-best * x).mean())
    scale = -shape / best
    shape = (m * shape + 5.0) / (m + 10.0)
    return shape, scale
