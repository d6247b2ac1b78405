"""Importance sampling of one curve's posterior: coarse set, mode, pilot, fine set, refinement."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.kernel import (
    amplitude_density,
    best_amplitudes,
    fill_response,
    log_evidence,
    misfit,
    products,
    solve_amplitudes,
)
from betaplus.kinetics.exact.lanes import draw_plateau, draw_truncated
from betaplus.kinetics.exact.mixture import (
    fit_mixture,
    fit_moments,
    log_mixture,
    tempered_weights,
)
from betaplus.kinetics.exact.mode import find_mode

__all__ = ["Effort", "sample_curve"]

_PILOT_SHARES, _PILOT_WIDTHS = (0.5, 0.2, 0.3), (1.2, 2.5)
_SHARES, _WIDTHS = (0.6, 0.3, 0.1), (1.1, 2.0, 1.3)
_PILOTS = 3  # at most
_NARROW, _BROAD = 0.65, 0.9  # scale of the logistic that stands in for a unit Gaussian
_ROUNDS = 4


class Effort(NamedTuple):
    """How much work a curve gets."""

    pilot: int
    fine: int
    least_ess: float
    largest: int  # points of the last refinement
    components: int


@kernel
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
            S, log_v = misfit(target, y, points.coarse_tissue[i], W, weight, a, b)
        if target.estimate_noise:
            scores[i] = -0.5 * target.n_frames * np.log(S)
        else:
            scores[i] = log_evidence(target, S)
        scores[i] -= 0.5 * log_v
        if scores[i] > top:
            top, best, a_best, b_best = scores[i], i, a, b
    return best, a_best, b_best


@kernel
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


@kernel
def _set_weights(target, a, b, U, W, weight):
    """Reciprocal variance shape of the curve a U + b W."""
    for t in range(target.n_frames):
        c = max(a * U[t] + b * W[t], 0.0)
        weight[t] = 1.0 / (target.floor[t] + target.gain[t] * c)


@kernel
def _draw_tissue(u, centre, sd, stretch, low, high, kind):
    """Draw a = K1 (1 - VB) near its Gaussian conditional, or near the prior where that is weak."""
    if (kind == 1 or kind == 3) and centre < 3.0 * sd:
        return draw_plateau(u, max(centre, 0.0) + 1.2 * sd, 0.3, low, high)
    return draw_truncated(u, centre, stretch * sd, low, high)


@kernel
def _place(means, factors, c, mean, factor, scale, e=0):
    """Set component c to component e of (mean, factor), its factor scaled."""
    for i in range(means.shape[1]):
        means[c, i] = mean[e, i]
        for j in range(i + 1):
            factors[c, i, j] = scale * factor[e, i, j]


@kernel
def _draw(target, points, first, n, y, weight, precision, broad, K, share, means, factors, space):
    """Draw n points from the mixture, stratified over its components, and weight them."""
    d = means.shape[1]
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
    z, x = np.empty(d), np.empty(d)
    gauss, uniform, z_all, rows = points.gauss, points.uniform, space.z, space.theta_all
    c = 0
    for i in range(n):
        while i >= edge[c]:
            c += 1
        log_p = 0.0
        for j in range(d):
            s = means[c, j]
            for k in range(j + 1):
                s += factors[c, j, k] * gauss[first + i, k]
            z[j] = s
            z_all[i, j] = s
            log_p -= 0.5 * s * s
        log_q = log_mixture(z, log_share, means, factors, inverse, x)
        fill_response(target, z, theta, U, W)
        uu, uw, ww, uy, wy = products(U, W, y, weight)
        if own_weights:
            a, b = best_amplitudes(uu, uw, ww, uy, wy, target.K1, target.VB)
            _set_weights(target, a, b, U, W, space.own_weight)
            uu, uw, ww, uy, wy = products(U, W, y, space.own_weight)
        _, b, determinant = solve_amplitudes(uu, uw, ww, uy, wy)
        width = stretch * np.sqrt(max(uu, 1e-30) / (determinant * spread_precision))
        b, q_b = draw_truncated(uniform[first + i, 0], b, width, target.VB.low, target.VB.high)
        b = min(b, 1.0 - 1e-9)
        sd = 1.0 / np.sqrt(max(uu, 1e-30) * spread_precision)
        a, q_a = _draw_tissue(
            uniform[first + i, 1],
            (uy - uw * b) / max(uu, 1e-30),
            sd,
            stretch,
            target.K1.low * (1.0 - b),
            target.K1.high * (1.0 - b),
            target.K1.kind,
        )
        S, log_v = misfit(target, y, U, W, weight, a, b)
        K1 = a / (1.0 - b)
        density = amplitude_density(target.K1, K1) * amplitude_density(target.VB, b) / (1.0 - b)
        known = S * precision if target.estimate_noise else S
        space.log_w[i] = (
            log_p
            + log_evidence(target, known)
            - 0.5 * log_v
            - log_q
            + np.log(density / (q_a * q_b))
        )
        rows[i, 0] = K1
        rows[i, 1] = theta[0]
        rows[i, 2] = theta[1]
        rows[i, 3] = theta[2]
        rows[i, 4] = b
        rows[i, 5] = theta[3]
        space.S[i] = S


@kernel
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
    best, a, b = _coarse_pass(target, points, y, weight, scores)
    if not fit_delay:
        _set_weights(target, a, b, points.coarse_tissue[best], points.coarse_blood[0], weight)
    w = space.w
    K = effort.components
    mean, factor = np.zeros((1, d)), np.zeros((1, d, d))  # of the mode, then of the pilot
    coarse, spread = np.zeros((1, d)), np.zeros((1, d, d))
    share, means, factors = np.zeros(K + 3), np.zeros((K + 3, d)), np.zeros((K + 3, d, d))
    tempered_weights(scores, scores.size, 3.0 * d, w)
    fit_moments(points.coarse, scores.size, w, coarse, spread, 0)
    mode = points.coarse[best].copy()
    plug_in = space.own_weight if fit_delay else weight
    blood = points.coarse_blood[best if fit_delay else 0]
    _set_weights(target, a, b, points.coarse_tissue[best], blood, plug_in)
    for _ in range(2 if fit_delay else 1):
        a, b, precision = find_mode(target, y, plug_in, mode, 12, U, W, J, factor)
        _set_weights(target, a, b, U, W, plug_in)
    for j in range(d):
        mean[0, j] = mode[j]
    pilots, rounds, size = 0, 0, 0.0
    first, drawn, used = 0, effort.pilot, 3
    fine = False
    while True:
        if rounds == 0:  # around the fit, widely around it, coarse
            for c in range(3):
                share[c] = _SHARES[c] if fine else _PILOT_SHARES[c]
            _place(means, factors, 0, mean, factor, _WIDTHS[0] if fine else _PILOT_WIDTHS[0])
            _place(means, factors, 1, mean, factor, _WIDTHS[1] if fine else _PILOT_WIDTHS[1])
            _place(means, factors, 2, coarse, spread, _WIDTHS[2])
        _draw(
            target, points, first, drawn, y, weight, precision, rounds > 0, used,
            share, means, factors, space,
        )  # fmt: skip
        size = tempered_weights(space.log_w, drawn, 8.0 * d if not fine else 0.0, w)
        if not fine:
            pilots += 1
            first += drawn
            fit_moments(space.z, drawn, w, mean, factor, 0)
            if size > 10.0 * d or pilots == _PILOTS:
                fine, drawn = True, effort.fine
            continue
        if size >= effort.least_ess or rounds == _ROUNDS:
            break
        lost = rounds == 0 and size < 0.1 * effort.least_ess  # begin again from the coarse set
        z, log_w = (points.coarse, scores) if lost else (space.z, space.log_w)
        n = scores.size if lost else drawn
        tempered_weights(log_w, n, (20.0 if lost else 10.0) * d, w)
        fit_mixture(z, n, w, K, share, means, factors)
        for c in range(K):
            share[c] *= 0.85
            _place(means, factors, c, means, factors, 1.15, c)
        share[K], share[K + 1] = 0.1, 0.05
        _place(means, factors, K, coarse, spread, _WIDTHS[2])
        _place(means, factors, K + 1, mean, factor, _WIDTHS[1])
        first, used = 0, K + 2
        drawn = effort.largest >> (_ROUNDS - 1 - rounds)
        rounds += 1
    return drawn, size, rounds, a, b, precision
