"""What two curves are compared by: few statistics that simulations themselves suggest.

A distance between 35 noisy frames is small only by luck, whatever the parameters. Here a curve is
first reduced to what can tell parameters apart: its principal components among noise-free curves
nearby, in units of the noise; the components of its squared residuals along which the variance of
these curves changes, for the noise itself says how much activity there is; and, where the level is
unknown, the size of what the first components leave. From these come the best linear predictions
of the coordinates (semi-automatic statistics: Fearnhead and Prangle, J. R. Stat. Soc. B 2012), in
units of what they leave open.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

__all__ = ["Statistics", "covariance", "fit_statistics", "product"]

_MORE = 3  # components beyond the number of parameters, for curvature
_RIDGE = 1e-9


class Statistics(NamedTuple):
    """Statistics of a curve's difference from the observed one, 0 for the observed curve."""

    root: np.ndarray  # (T,) of the frames' weights
    middle: np.ndarray  # (T,) of noise-free curves, in units of the noise
    along: np.ndarray  # (T, k) orthonormal, principal components of these curves
    bends: np.ndarray  # (T, j) orthonormal, principal components of their log variance
    squares: np.ndarray  # (j,) of the observed curve along these
    observed: float  # log size of what `along` leaves of the observed curve; NaN if unused
    slopes: np.ndarray  # (k + j or k + j + 1, D)

    def __call__(self, e: np.ndarray) -> np.ndarray:
        """Return statistics (n, D) of differences (n, T)."""
        return product(self.reduced(e), self.slopes)

    def reduced(self, e: np.ndarray) -> np.ndarray:
        """Return what the statistics are made of, (n, k + j or k + j + 1)."""
        e = e * self.root
        parts = [product(e, self.along)]
        away = parts[0] - self.middle @ self.along
        squares = (e - self.middle) ** 2
        if self.bends.size:
            parts.append(product(squares, self.bends) - self.squares)
        if not np.isnan(self.observed):
            left = squares.sum(axis=1) - (away * away).sum(axis=1)
            parts.append(0.5 * np.log(np.maximum(left, 1e-30))[:, None] - self.observed)
        return np.concatenate(parts, axis=1)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a @ b by torch, which keeps to the threads that a block was given."""
    return (torch.from_numpy(a) @ torch.from_numpy(b)).numpy()


def covariance(
    a: np.ndarray, b: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means of a (n, p) and b (n, q) under normalised weights, and their covariance."""
    at, bt = weight @ a, weight @ b
    return at, bt, product(np.ascontiguousarray((weight[:, None] * (a - at)).T), b - bt)


def fit_statistics(
    e: np.ndarray,
    clean: np.ndarray,
    log_variance: np.ndarray,
    v: np.ndarray,
    root: np.ndarray,
    *,
    free: int,
) -> Statistics:
    """Fit statistics to simulations.

    Args:
        e: Noisy curves less the observed one, shape (n, T).
        clean: Likewise without noise.
        log_variance: Log of the variance shape of the noise-free curves, shape (n, T).
        v: Coordinates, shape (n, D).
        root: Roots of the frames' weights, shape (T,).
        free: Number of coordinates that shape the curve; one more is the noise level's.
    """
    n, T = e.shape
    even = np.full(n, 1.0 / n)
    middle, along = _components(clean * root, min(free + _MORE, T - 1), even)
    _, bends = _components(log_variance, min(free, T - 1), even)
    observed = np.nan
    if v.shape[1] > free:
        part = middle @ along
        observed = 0.5 * float(np.log(max(middle @ middle - part @ part, 1e-30)))
    squares = (middle * middle) @ bends
    found = Statistics(root, middle, along, bends, squares, observed, np.zeros(0))
    return found._replace(slopes=_slopes(found.reduced(e), v, even))


def _components(x: np.ndarray, count: int, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (T,) and principal components (T, count) of x (n, T); none if it does not vary."""
    mean, _, spread = covariance(x, x, weight)
    if not np.trace(spread) > 1e-20:
        count = 0
    return mean, np.ascontiguousarray(np.linalg.eigh(spread)[1][:, x.shape[1] - count :])


def _slopes(s: np.ndarray, v: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What turns statistics into expected coordinates, in standard deviations left open."""
    _, _, spread = covariance(s, s, weight)
    _, _, with_v = covariance(s, v, weight)
    _, _, left = covariance(v, v, weight)
    spread[np.diag_indices(len(spread))] *= 1.0 + _RIDGE
    slopes = np.linalg.solve(spread, with_v)
    left -= with_v.T @ slopes
    left[np.diag_indices(len(left))] += _RIDGE
    return np.ascontiguousarray(np.linalg.solve(np.linalg.cholesky(left), slopes.T).T)
