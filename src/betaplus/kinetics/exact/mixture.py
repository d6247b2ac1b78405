"""Mixtures as proposals: their density, and a fit to weighted points by EM.

What is drawn from and weighted by are multivariate t: their tails find what a Gaussian as wide as
the pilot's would miss. The fit treats the components as Gaussians, which is near enough.
"""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel

__all__ = [
    "T_EXPONENT",
    "cholesky",
    "distance",
    "fit_mixture",
    "fit_moments",
    "log_mixture",
    "tempered_weights",
]

T_EXPONENT = 16  # nu + d of the multivariate t: an even number, so that no power is taken

_EM_STEPS = 8


@kernel
def cholesky(C, c, L, e):
    """Lower factor L[e] of C[c] (its lower triangle is read); pivots are kept above zero."""
    d = C.shape[1]
    for i in range(d):
        for j in range(i + 1):
            s = C[c, i, j]
            for k in range(j):
                s -= L[e, i, k] * L[e, j, k]
            L[e, i, j] = np.sqrt(max(s, 1e-9)) if i == j else s / L[e, j, j]
        for j in range(i + 1, d):
            L[e, i, j] = 0.0


@kernel
def distance(z, c, means, factors, inverse, x):
    """Squared Mahalanobis distance of z from component c; x is work space."""
    q = 0.0
    for i in range(z.size):
        s = z[i] - means[c, i]
        for k in range(i):
            s -= factors[c, i, k] * x[k]
        x[i] = s * inverse[c, i]
        q += x[i] * x[i]
    return q


@kernel
def log_mixture(z, unit_share, means, factors, inverse, x):
    """Log density of a mixture of multivariate t at z, up to a constant that depends on d alone.

    The exponent of 1 + q / nu is 8 whatever d, so nu = 16 - d degrees of freedom.

    `unit_share` holds share / det L; `inverse` is 1 / diag(L); x is work space.
    """
    total, per = 0.0, 1.0 / (T_EXPONENT - z.size)
    for c in range(unit_share.size):
        base = 1.0 + per * distance(z, c, means, factors, inverse, x)
        square = base * base
        quad = square * square
        total += unit_share[c] / (quad * quad)
    return np.log(total)


@kernel
def tempered_weights(log_w, n, target, out):
    """Normalised weights w^beta with the largest beta <= 1 that keeps `target` effective points.

    Returns:
        Kish's effective sample size at beta = 1.
    """
    top = -1e300
    for i in range(n):
        top = max(top, log_w[i])
    beta, first, total = 1.0, 0.0, 1.0
    for step in range(9):
        total, squares = 0.0, 0.0
        for i in range(n):
            out[i] = np.exp(beta * (log_w[i] - top))
            total += out[i]
            squares += out[i] * out[i]
        size = total * total / squares
        if step == 0:
            first = size
        if size >= min(target, 0.5 * n):
            break
        beta *= 0.5
    for i in range(n):
        out[i] /= total
    return first


@kernel
def fit_moments(z, n, weights, means, factors, c):
    """Set component c to the weighted mean and covariance of the points."""
    d = z.shape[1]
    cov = np.zeros((1, d, d))
    for j in range(d):
        means[c, j] = 0.0
    for i in range(n):
        for j in range(d):
            means[c, j] += weights[i] * z[i, j]
    for i in range(n):
        if weights[i] > 1e-12:
            for j in range(d):
                for k in range(j + 1):
                    cov[0, j, k] += weights[i] * (z[i, j] - means[c, j]) * (z[i, k] - means[c, k])
    for j in range(d):
        cov[0, j, j] += 1e-7
    cholesky(cov, 0, factors, c)


@kernel
def fit_mixture(z, n, weights, K, share, means, factors):
    """Fit the first K components to weighted points by EM.

    Covariances are regularised towards the whole set's, so that a component never collapses.
    """
    d = z.shape[1]
    fit_moments(z, n, weights, means, factors, 0)
    whole = np.zeros((d, d))
    for j in range(d):
        for k in range(j + 1):
            for m in range(k + 1):
                whole[j, k] += factors[0, j, m] * factors[0, k, m]
    middle = means[0].copy()
    total, c = 0.0, 0  # starting means: points at even steps of the cumulative weight
    for i in range(n):
        total += weights[i]
        while c < K and total >= (c + 0.5) / K:
            for j in range(d):
                means[c, j] = z[i, j]
            c += 1
    for e in range(c, K):
        for j in range(d):
            means[e, j] = middle[j]
    for c in range(K - 1, -1, -1):
        share[c] = 1.0 / K
        for j in range(d):
            for k in range(d):
                factors[c, j, k] = 0.7 * factors[0, j, k]
    resp, point, x = np.empty(K), np.empty(d), np.empty(d)
    log_share, inverse = np.empty(K), np.empty((K, d))
    mass, first, second = np.empty(K), np.empty((K, d)), np.empty((K, d, d))
    for _ in range(_EM_STEPS):
        for c in range(K):
            log_share[c] = np.log(share[c])
            mass[c] = 1e-12
            for j in range(d):
                log_share[c] -= np.log(factors[c, j, j])
                inverse[c, j] = 1.0 / factors[c, j, j]
                first[c, j] = 0.0
                for k in range(d):
                    second[c, j, k] = 0.0
        for i in range(n):
            if weights[i] < 1e-7:
                continue
            for j in range(d):
                point[j] = z[i, j]
            top = -1e300
            for c in range(K):
                resp[c] = log_share[c] - 0.5 * distance(point, c, means, factors, inverse, x)
                top = max(top, resp[c])
            total = 0.0
            for c in range(K):
                resp[c] = np.exp(resp[c] - top)
                total += resp[c]
            for c in range(K):
                r = weights[i] * resp[c] / total
                if r < 1e-9:
                    continue
                mass[c] += r
                for j in range(d):
                    first[c, j] += r * z[i, j]
                    for k in range(j + 1):
                        second[c, j, k] += r * z[i, j] * z[i, k]
        total = 0.0
        for c in range(K):
            share[c] = max(mass[c], 1e-3)
            total += share[c]
            for j in range(d):
                means[c, j] = first[c, j] / mass[c]
            for j in range(d):
                for k in range(j + 1):
                    own = second[c, j, k] / mass[c] - means[c, j] * means[c, k]
                    second[c, j, k] = (mass[c] * own + 0.03 * whole[j, k]) / (mass[c] + 0.03)
            cholesky(second, c, factors, c)
        for c in range(K):
            share[c] /= total
