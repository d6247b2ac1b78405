"""Gaussian mixtures as proposals: density, and a fit to weighted points by EM."""

from __future__ import annotations

import numba
import numpy as np

from betaplus.kinetics.exact.lanes import FAST

__all__ = ["cholesky", "effective_size", "fit_mixture", "log_mixture", "tempered_weights"]


@numba.njit(nogil=True, fastmath=FAST)
def cholesky(C, L):
    """Lower factor of C (the lower triangle is read); pivots are kept above zero."""
    d = C.shape[0]
    for i in range(d):
        for j in range(i + 1):
            s = C[i, j]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            L[i, j] = np.sqrt(max(s, 1e-9)) if i == j else s / L[j, j]
        for j in range(i + 1, d):
            L[i, j] = 0.0


@numba.njit(nogil=True, fastmath=FAST)
def log_mixture(z, log_share, means, factors, inverse):
    """Log density of the mixture at z up to (2 pi)^(-d/2).

    `log_share` holds log(share / det L); `inverse` is 1 / diag(L).
    """
    d = z.size
    top = -1e300
    total = 0.0
    x = np.empty(d)
    for c in range(log_share.size):
        q = 0.0
        for i in range(d):
            s = z[i] - means[c, i]
            for k in range(i):
                s -= factors[c, i, k] * x[k]
            x[i] = s * inverse[c, i]
            q += x[i] * x[i]
        term = log_share[c] - 0.5 * q
        if term > top:
            total = total * np.exp(top - term) + 1.0
            top = term
        else:
            total += np.exp(term - top)
    return top + np.log(total)


@numba.njit(nogil=True, fastmath=FAST)
def effective_size(weights):
    """Kish's effective sample size."""
    s, s2 = 0.0, 0.0
    for w in weights:
        s += w
        s2 += w * w
    return s * s / max(s2, 1e-300)


@numba.njit(nogil=True, fastmath=FAST)
def tempered_weights(log_w, target, out):
    """Normalised weights w^beta with the largest beta <= 1 that keeps `target` effective points.

    Returns:
        The effective size at beta = 1.
    """
    top = log_w.max()
    beta = 1.0
    first = 0.0
    for step in range(16):
        for i in range(log_w.size):
            out[i] = np.exp(beta * (log_w[i] - top))
        size = effective_size(out)
        if step == 0:
            first = size
        if size >= min(target, 0.5 * log_w.size):
            break
        beta *= 0.7
    out /= out.sum()
    return first


@numba.njit(nogil=True, fastmath=FAST)
def fit_mixture(z, weights, steps, share, means, factors):
    """Fit a mixture to weighted points by EM; one component is plain moments.

    Covariances are regularised towards the whole set's, so that a component never collapses.
    """
    n, d = z.shape
    K = share.size
    mean, cov = np.zeros(d), np.zeros((d, d))
    for i in range(n):
        for j in range(d):
            mean[j] += weights[i] * z[i, j]
    for i in range(n):
        if weights[i] > 1e-12:
            for j in range(d):
                for k in range(j + 1):
                    cov[j, k] += weights[i] * (z[i, j] - mean[j]) * (z[i, k] - mean[k])
    for j in range(d):
        cov[j, j] += 1e-7
    if K == 1:
        means[0] = mean
        share[0] = 1.0
        cholesky(cov, factors[0])
        return
    total, c = 0.0, 0  # starting means: points at even steps of the cumulative weight
    for i in range(n):
        total += weights[i]
        while c < K and total >= (c + 0.5) / K:
            means[c] = z[i]
            c += 1
    while c < K:
        means[c] = mean
        c += 1
    for c in range(K):
        share[c] = 1.0 / K
        cholesky(cov * 0.5, factors[c])
    resp = np.empty(K)
    log_share, inverse = np.empty(K), np.empty((K, d))
    for _ in range(steps):
        mass, first, second = np.zeros(K), np.zeros((K, d)), np.zeros((K, d, d))
        for c in range(K):
            log_share[c] = np.log(share[c])
            for j in range(d):
                log_share[c] -= np.log(factors[c, j, j])
                inverse[c, j] = 1.0 / factors[c, j, j]
        for i in range(n):
            if weights[i] < 1e-7:
                continue
            for c in range(K):
                resp[c] = log_mixture(
                    z[i], log_share[c : c + 1], means[c : c + 1], factors[c : c + 1], inverse[c : c + 1]
                )
            top = resp.max()
            s = 0.0
            for c in range(K):
                resp[c] = np.exp(resp[c] - top)
                s += resp[c]
            for c in range(K):
                r = weights[i] * resp[c] / s
                mass[c] += r
                for j in range(d):
                    first[c, j] += r * z[i, j]
                    for k in range(j + 1):
                        second[c, j, k] += r * z[i, j] * z[i, k]
        for c in range(K):
            m = mass[c] + 1e-12
            share[c] = max(mass[c], 1e-3)
            for j in range(d):
                means[c, j] = first[c, j] / m
            for j in range(d):
                for k in range(j + 1):
                    own = second[c, j, k] / m - means[c, j] * means[c, k]
                    second[c, j, k] = (mass[c] * own + 0.03 * cov[j, k]) / (m + 0.03)
            cholesky(second[c], factors[c])
        share /= share.sum()
