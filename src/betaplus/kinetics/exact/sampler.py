"""Importance sampling of one curve's posterior: coarse set, mode, pilot, fine set, refinement."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from betaplus.kinetics.exact.kernel import (
    amplitude_density,
    best_amplitudes,
    fill_response,
    log_evidence,
    misfit,
    products,
    solve_amplitudes,
)
from betaplus.kinetics.exact.lanes import FAST, draw_plateau, draw_truncated
from betaplus.kinetics.exact.mixture import (
    effective_size,
    fit_mixture,
    log_mixture,
    tempered_weights,
)
from betaplus.kinetics.exact.mode import find_mode

__all__ = ["Effort", "sample_curve"]

_SHARES = (0.6, 0.3, 0.1)  # of the fine set: around the fit, widely around it, coarse
_WIDTHS = (1.1, 2.0, 1.3)
_NARROW, _BROAD = 0.65, 0.9  # scale of the logistic that stands in for a unit Gaussian
_ROUNDS = 4


class Effort(NamedTuple):
    """How much work a curve gets."""

    pilot: int
    fine: int
    least_ess: float
    largest: int  # points of the last refinement
    components: int


@numba.njit(nogil=True, fastmath=FAST)
def _coarse_pass(target, points, y, weight, scores):
    """Score the shared prior nodes with the plug-in weights; returns the best node and its fit."""
    yy = 0.0
    for t in range(y.size):
        yy += weight[t] * y[t] * y[t]
    best, a_best, b_best = 0, 0.0, 0.0
    top = -1e300
    shared = points.coarse_blood.shape[0] == 1
    for i in range(scores.size):
        W = points.coarse_blood[0 if shared else i]
        uu, uw, ww, uy, wy = products(points.coarse_tissue[i], W, y, weight)
        a, b = best_amplitudes(uu, uw, ww, uy, wy, target.K1, target.VB)
        S = yy - 2.0 * (a * uy + b * wy) + a * a * uu + 2.0 * a * b * uw + b * b * ww
        S = max(S, 1e-7 * yy)
        log_v = 0.0
        if not shared:
            S, log_v = misfit(target, y, points.coarse_tissue[i], W, a, b)
        if target.estimate_noise:
            scores[i] = -0.5 * target.n_frames * np.log(S)
        else:
            scores[i] = log_evidence(target, S)
        scores[i] -= 0.5 * log_v
        if scores[i] > top:
            top, best, a_best, b_best = scores[i], i, a, b
    return best, a_best, b_best


@numba.njit(nogil=True, fastmath=FAST)
def _weights_of_data(target, y, weight):
    """Reciprocal variance shape of the smoothed data, kept off zero: a start, never the target."""
    n = target.n_frames
    top = 0.0
    for t in range(n):
        low, high = max(t - 1, 0), min(t + 2, n)
        s = 0.0
        for k in range(low, high):
            s += y[k]
        weight[t] = max(s / (high - low), 0.0)
        top = max(top, weight[t])
    for t in range(n):
        weight[t] = 1.0 / (target.floor[t] + target.gain[t] * max(weight[t], 0.03 * top))


@numba.njit(nogil=True, fastmath=FAST)
def _set_weights(target, a, b, U, W, weight):
    """Reciprocal variance shape of the curve a U + b W."""
    for t in range(target.n_frames):
        c = max(a * U[t] + b * W[t], 0.0)
        weight[t] = 1.0 / (target.floor[t] + target.gain[t] * c)


@numba.njit(inline="always", fastmath=FAST)
def _draw_tissue(u, centre, sd, stretch, low, high, kind):
    """Draw a = K1 (1 - VB) near its Gaussian conditional, or near the prior where that is weak."""
    if (kind == 1 or kind == 3) and centre < 3.0 * sd:
        return draw_plateau(u, max(centre, 0.0) + 1.2 * sd, 0.3, low, high)
    return draw_truncated(u, centre, stretch * sd, low, high)


@numba.njit(nogil=True, fastmath=FAST)
def _draw(target, points, first, n, y, weight, precision, broad, share, means, factors, space):
    """Draw n points from the mixture, stratified over its components, and weight them."""
    d = means.shape[1]
    K = share.size
    U, W, theta = space.U, space.W, space.theta
    log_share, inverse = np.empty(K), np.empty((K, d))
    edge, total = np.empty(K, np.int64), 0.0
    for c in range(K):
        total += share[c]
        edge[c] = min(int(total * n + 0.5), n)
    edge[K - 1] = n
    for c in range(K):
        count = edge[c] - (edge[c - 1] if c > 0 else 0)
        log_share[c] = np.log(max(count, 1e-9) / n)
        for j in range(d):
            log_share[c] -= np.log(factors[c, j, j])
            inverse[c, j] = 1.0 / factors[c, j, j]
    spread_precision = max(precision, 1e-30)
    own_weights = broad or d > target.n_rates  # variances follow the node's own curve
    stretch = _BROAD if broad else _NARROW
    c = 0
    for i in range(n):
        while i >= edge[c]:
            c += 1
        z = space.z[i]
        log_p = 0.0
        for j in range(d):
            s = means[c, j]
            for k in range(j + 1):
                s += factors[c, j, k] * points.gauss[first + i, k]
            z[j] = s
            log_p -= 0.5 * s * s
        log_q = log_mixture(z, log_share, means, factors, inverse)
        fill_response(target, z, theta, U, W)
        uu, uw, ww, uy, wy = products(U, W, y, weight)
        if own_weights:
            a, b = best_amplitudes(uu, uw, ww, uy, wy, target.K1, target.VB)
            _set_weights(target, a, b, U, W, space.own_weight)
            uu, uw, ww, uy, wy = products(U, W, y, space.own_weight)
        _, b, determinant = solve_amplitudes(uu, uw, ww, uy, wy)
        width = stretch * np.sqrt(max(uu, 1e-30) / (determinant * spread_precision))
        b, q_b = draw_truncated(points.uniform[first + i, 0], b, width, target.VB.low, target.VB.high)
        b = min(b, 1.0 - 1e-9)
        sd = 1.0 / np.sqrt(max(uu, 1e-30) * spread_precision)
        a, q_a = _draw_tissue(
            points.uniform[first + i, 1],
            (uy - uw * b) / max(uu, 1e-30),
            sd,
            stretch,
            target.K1.low * (1.0 - b),
            target.K1.high * (1.0 - b),
            target.K1.kind,
        )
        S, log_v = misfit(target, y, U, W, a, b)
        K1 = a / (1.0 - b)
        density = amplitude_density(target.K1, K1) * amplitude_density(target.VB, b) / (1.0 - b)
        known = S * precision if target.estimate_noise else S
        space.log_w[i] = (
            log_p + log_evidence(target, known) - 0.5 * log_v - log_q + np.log(density / (q_a * q_b))
        )
        row = space.theta_all[i]
        row[0] = K1
        row[1] = theta[0]
        row[2] = theta[1]
        row[3] = theta[2]
        row[4] = b
        row[5] = theta[3]
        space.S[i] = S


@numba.njit(nogil=True, fastmath=FAST)
def sample_curve(target, points, y, effort, space):
    """Fill `space` with weighted posterior draws of one curve.

    Args:
        target: The posterior.
        points: Shared points.
        y: Curve in table units, padded.
        effort: How many points.
        space: Work space, `betaplus.kinetics.exact.space.make_space`.

    Returns:
        Number of draws, effective sample size, rounds of refinement, a, b and the noise precision
        of the fitted mode (whose responses are left in ``space.mode_U`` and ``space.mode_W``).
    """
    d = target.quantiles.shape[0]
    U, W, J, weight = space.mode_U, space.mode_W, space.J, space.weight
    scores = space.scores
    fit_delay = d > target.n_rates
    _weights_of_data(target, y, weight)
    for _ in range(1 if fit_delay else 2):
        best, a, b = _coarse_pass(target, points, y, weight, scores)
        if not fit_delay:
            blood = points.coarse_blood[0]
            _set_weights(target, a, b, points.coarse_tissue[best], blood, weight)
    share, means, factors = np.ones(1), np.empty((1, d)), np.empty((1, d, d))
    w = space.w
    tempered_weights(scores, 3.0 * d, w[: scores.size])
    fit_mixture(points.coarse, w[: scores.size], 0, share, means, factors)
    three, at, spread = np.empty(3), np.empty((3, d)), np.empty((3, d, d))
    at[2] = means[0]
    spread[2] = factors[0] * _WIDTHS[2]
    mode = points.coarse[best].copy()
    if fit_delay:
        blood = points.coarse_blood[best]
        _set_weights(target, a, b, points.coarse_tissue[best], blood, space.own_weight)
        a, b, precision = find_mode(target, y, space.own_weight, mode, 12, U, W, J, factors[0])
        _set_weights(target, a, b, U, W, space.own_weight)
        a, b, precision = find_mode(target, y, space.own_weight, mode, 12, U, W, J, factors[0])
    else:
        a, b, precision = find_mode(target, y, weight, mode, 12, U, W, J, factors[0])
        _set_weights(target, a, b, U, W, weight)
    means[0] = mode
    three[0], three[1], three[2] = 0.5, 0.2, 0.3
    first = 0
    for _ in range(3):
        at[0], at[1] = means[0], means[0]
        spread[0], spread[1] = 1.2 * factors[0], 2.5 * factors[0]
        _draw(target, points, first, effort.pilot, y, weight, precision, False, three, at, spread, space)
        first += effort.pilot
        size = tempered_weights(space.log_w[: effort.pilot], 8.0 * d, w[: effort.pilot])
        fit_mixture(space.z[: effort.pilot], w[: effort.pilot], 0, share, means, factors)
        if size > 10.0 * d:
            break
    at[0], at[1] = means[0], means[0]
    spread[0], spread[1] = _WIDTHS[0] * factors[0], _WIDTHS[1] * factors[0]
    three[0], three[1], three[2] = _SHARES
    drawn = effort.fine
    _draw(target, points, first, drawn, y, weight, precision, False, three, at, spread, space)
    size = tempered_weights(space.log_w[:drawn], 0.0, w[:drawn])
    rounds = 0
    K = effort.components
    many, centres, roots = np.empty(K + 2), np.empty((K + 2, d)), np.empty((K + 2, d, d))
    while size < effort.least_ess and rounds < _ROUNDS:
        if rounds == 0 and size < 0.1 * effort.least_ess:  # lost: begin again from the coarse set
            tempered_weights(scores, 20.0 * d, w[: scores.size])
            fit_mixture(points.coarse, w[: scores.size], 10, many[:K], centres[:K], roots[:K])
        else:
            tempered_weights(space.log_w[:drawn], 10.0 * d, w[:drawn])
            fit_mixture(space.z[:drawn], w[:drawn], 10, many[:K], centres[:K], roots[:K])
        roots[:K] *= 1.15
        many[:K] *= 0.85
        many[K], many[K + 1] = 0.1, 0.05
        centres[K], centres[K + 1] = at[2], means[0]
        roots[K] = spread[2]
        for i in range(d):
            for j in range(d):
                roots[K + 1, i, j] = 2.0 * factors[0, i, j] if j <= i else 0.0
        drawn = max(effort.largest >> (_ROUNDS - 1 - rounds), min(2048, effort.largest))
        _draw(target, points, 0, drawn, y, weight, precision, True, many, centres, roots, space)
        size = tempered_weights(space.log_w[:drawn], 0.0, w[:drawn])
        rounds += 1
    return drawn, size, rounds, a, b, precision
