"""Draws of any method made exact: a mixture is fitted to them, drawn from, and weighted.

Draws that come without a density are of no use to importance sampling; a mixture of multivariate t
that is fitted to them has one, and its tails bound the weights.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import chi2, multivariate_t, qmc

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.density import log_posterior
from betaplus.kinetics.exact.mixture import (
    T_EXPONENT,
    fit_mixture,
    fit_moments,
    log_mixture,
    tempered_weights,
)

__all__ = ["reweight_curves", "spread_points", "unit_density"]

_WIDTHS, _WIDE_SHARE = (1.15, 1.8), 0.12
_ENOUGH = 0.4  # effective share of the points at which the mixture is left as it is


def spread_points(n: int, d: int, seed: int) -> np.ndarray:
    """Return n low-discrepancy points of a standard multivariate t, shape (n, d), in random order.

    The order is shuffled, so that any run of them is spread over the whole distribution.
    """
    uniform = qmc.Sobol(d + 1, seed=seed).random_base2(int(np.ceil(np.log2(n))))[:n]
    uniform = np.clip(uniform, 1e-9, 1 - 1e-9)
    nu = T_EXPONENT - d
    points = ndtri(uniform[:, :d]) * np.sqrt(nu / chi2.ppf(uniform[:, d], nu))[:, None]
    return np.random.Generator(np.random.Philox(seed)).permutation(points)


def unit_density(d: int) -> float:
    """Return the log density of that distribution at 0."""
    origin = multivariate_t.logpdf(np.zeros(d), shape=np.eye(d), df=T_EXPONENT - d)
    return float(np.squeeze(origin))


@kernel
def reweight_curves(
    target, places, curves, weight, mean, factor, draws, K, spread, rounds, x, rows, log_w, misfits
):
    """Fill weighted points of each curve's posterior from draws that are near it.

    Args:
        target: The posterior.
        places: `betaplus.kinetics.exact.density.Coordinates`.
        curves: Shape (n, frame) float32 [table units], padded.
        weight: Reciprocal variance shapes, shape (n, frame).
        mean: Whitening, shape (n, D).
        factor: Likewise, shape (n, D, D).
        draws: Whitened draws, shape (n, S, D).
        K: Components of the mixture.
        spread: Points of `spread_points`, shape (M, D).
        rounds: Mixtures at most; the second is fitted to the first one's weighted points.
        x: Filled with whitened points, shape (n, M, D).
        rows: Filled with parameters, shape (n, M, 6).
        log_w: Filled with log weights up to `unit_density`, shape (n, M).
        misfits: Filled with S of `log_posterior`, shape (n, M).
    """
    n, S, D = draws.shape
    M = spread.shape[0]
    share, means, factors = np.zeros(K + 1), np.zeros((K + 1, D)), np.zeros((K + 1, D, D))
    whole, whole_factor = np.zeros((1, D)), np.zeros((1, D, D))
    unit_share, inverse = np.empty(K + 1), np.empty((K + 1, D))
    v, z, point, work = np.empty(D), np.empty(target.quantiles.shape[0]), np.empty(D), np.empty(D)
    U, W = np.zeros(curves.shape[1], np.float32), np.zeros(curves.shape[1], np.float32)
    equal, w = np.full(S, 1.0 / S), np.empty(M)
    for item in range(n):
        for attempt in range(rounds):
            if attempt == 0:
                fit_moments(draws[item], S, equal, whole, whole_factor, 0)
                fit_mixture(draws[item], S, equal, K, share[:K], means[:K], factors[:K])
            else:
                fit_moments(x[item], M, w, whole, whole_factor, 0)
                fit_mixture(x[item], M, w, K, share[:K], means[:K], factors[:K])
            for c in range(K):
                share[c] *= 1.0 - _WIDE_SHARE
                for i in range(D):
                    for j in range(i + 1):
                        factors[c, i, j] *= _WIDTHS[0]
            share[K] = _WIDE_SHARE
            for i in range(D):
                means[K, i] = whole[0, i]
                for j in range(i + 1):
                    factors[K, i, j] = _WIDTHS[1] * whole_factor[0, i, j]
            begin, total = 0, 0.0
            for c in range(K + 1):
                unit_share[c] = share[c]
                for i in range(D):
                    unit_share[c] /= factors[c, i, i]
                    inverse[c, i] = 1.0 / factors[c, i, i]
            for c in range(K + 1):
                total += share[c]
                end = M if c == K else min(int(total * M + 0.5), M)
                for s in range(begin, end):
                    for i in range(D):
                        here = means[c, i]
                        for j in range(i + 1):
                            here += factors[c, i, j] * spread[s, j]
                        point[i] = here
                        x[item, s, i] = here
                    for i in range(D):
                        here = mean[item, i]
                        for j in range(i + 1):
                            here += factor[item, i, j] * point[j]
                        v[i] = here
                    log_p, misfits[item, s] = log_posterior(
                        target, places, curves[item], weight[item], v, z, rows[item, s], U, W
                    )
                    log_q = log_mixture(point, unit_share, means, factors, inverse, work)
                    log_w[item, s] = log_p - log_q
                begin = end
            size = tempered_weights(log_w[item], M, 10.0 * D, w)
            if size > _ENOUGH * M:
                break
