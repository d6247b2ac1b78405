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
from betaplus.kinetics.exact.mode import find_mode, follow_ridge, other_modes

__all__ = ["Effort", "sample_curve"]

_PILOT_SHARES, _PILOT_WIDTHS = (0.5, 0.2, 0.3), (1.2, 2.5)
_SHARES, _REFINED_SHARES, _WIDTHS = (0.6, 0.3, 0.1), (0.85, 0.05, 0.1), (1.15, 2.0, 1.3)
_RIDGE, _ALONG = 8, (0.3, 0.1)  # points along the ridge at most, their share of pilot and rest
_PILOTS = 3  # at most
_NARROW, _BROAD = 0.65, 0.9  # scale of the logistic that stands in for a unit Gaussian
_ROUNDS = 4
_BLOODLESS = 1e-3  # of the largest VB: a mode at the edge, to be doubted
_DELAYS, _DELAY_END = 9, 1.6  # starts, and the first and last of them in prior standard deviations
_RATES, _RATE_END = 4, 1.2  # of the first coordinate: the one found, and others likewise
_GAIN = 0.1  # of the log posterior, at least


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
        a, b = best_amplitudes(uu, uw, ww, uy, wy, target.K1, target.VB, target.mix)
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
def _score(target, y, weight, z, a, b, U, W):
    """Log posterior at a mode with its response U, W: variances are those of its own curve."""
    S, log_v = misfit(target, y, U, W, weight, a, b)
    value = log_evidence(target, S) - 0.5 * log_v
    if target.estimate_noise:
        value = -0.5 * (target.n_frames * np.log(max(S, 1e-30)) + log_v)
    for j in range(z.size):
        value -= 0.5 * z[j] * z[j]
    return value


@kernel
def _better_mode(target, y, weight, own, z, a, b, precision, value, U, W, J, factor, wide):
    """Look for a better mode from other delays and, if `wide`, from other rates.

    With next to no noise a search ends in the first of many modes that it comes near. A delay that
    is far off leaves blood nothing to explain; without it the first frames have next to no
    variance, and hold the mode there.

    Args:
        target: The posterior.
        y: Padded curve in table units.
        weight: Reciprocal variance shape, of any curve near the data.
        own: That of the mode's curve, overwritten by that of the better one.
        z: The mode, likewise; the delay is its last coordinate where it is fitted.
        a: Its amplitude of tissue.
        b: Its amplitude of blood.
        precision: Of the noise.
        value: Its log posterior with its own weights.
        U: Its response, likewise.
        W: Its blood, likewise.
        J: Work space.
        factor: Factor of its covariance, likewise.
        wide: Whether to start from other values of the first coordinate too.

    Returns:
        a, b, precision and value of the better one, and whether there is one.
    """
    d = z.size
    best, first, local = z.copy(), z.copy(), np.zeros((1, d, d))
    top, better = _score(target, y, weight, z, a, b, U, W) + _GAIN, False
    delays = _DELAYS if target.fit_delay else 1
    for k in range(delays * (_RATES if wide else 1)):
        z[:] = first
        if k >= delays:
            z[0] = _RATE_END * (2.0 * (k // delays - 1) / (_RATES - 2.0) - 1.0)
        if target.fit_delay:
            z[d - 1] = _DELAY_END * (2.0 * (k % delays) / (_DELAYS - 1.0) - 1.0)
        a_, b_, _, _ = find_mode(target, y, weight, z, 12, -1, U, W, J, local)
        _set_weights(target, a_, b_, U, W, own)
        a_, b_, precision_, value_ = find_mode(target, y, own, z, 12, -1, U, W, J, local)
        score = _score(target, y, weight, z, a_, b_, U, W)
        if score > top:
            top, a, b, precision, value = score, a_, b_, precision_, value_
            best[:] = z
            factor[:] = local
            better = True
    z[:] = best
    fill_response(target, z, np.empty(4), U, W)
    _set_weights(target, a, b, U, W, own)
    return a, b, precision, value, better


@kernel
def _draw_blood(target, u, uu, uw, ww, uy, wy, stretch, precision):
    """Draw b = VB (or R1) near its Gaussian marginal; returns it and its density."""
    if target.VB.kind == 4:
        return target.VB.low, 1.0
    _, b, determinant = solve_amplitudes(uu, uw, ww, uy, wy)
    width = np.sqrt(max(uu, 1e-30) / (determinant * precision))
    if target.K1.kind == 4:  # C = K1 U + b (W - K1 U), for SRTM K1 U + b W
        K1, slope = target.K1.low, target.mix * target.K1.low
        squares = max(ww - slope * (2.0 * uw - slope * uu), 1e-7 * ww + 1e-30)
        b = (wy - slope * uy - K1 * (uw - slope * uu)) / squares
        width = 1.0 / np.sqrt(squares * precision)
    b, q_b = draw_truncated(u, b, stretch * width, target.VB.low, target.VB.high)
    return (min(b, 1.0 - 1e-9) if target.mix == 1 else b), q_b


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
def _add_ridge(share, means, factors, first, found, ridge, ridge_factors, along):
    """Append components along the ridge to the first ones, which make room for them."""
    if found == 0:
        return
    for c in range(first):
        share[c] *= 1.0 - along
    for c in range(found):
        share[first + c] = along / found
        _place(means, factors, first + c, ridge, ridge_factors, 1.2, c)


@kernel
def _draw(
    target, points, first, n, y, weight, precision, typical, broad, K, share, means, factors, space
):
    """Draw n points from the mixture, stratified over its components, and weight them.

    `typical` is a value of b to be expected. Where b is 0 the frames before arrival have next to
    no variance, and would be all that counts for the amplitudes.
    """
    d = means.shape[1]
    U, W, theta = space.U, space.W, space.theta
    unit_share, inverse = np.empty(K), np.empty((K, d))
    edge, total = np.empty(K, np.int64), 0.0
    for c in range(K):
        total += share[c]
        edge[c] = min(int(total * n + 0.5), n)
    edge[K - 1] = n
    for c in range(K):
        count = edge[c] - (edge[c - 1] if c > 0 else 0)
        unit_share[c] = count / n
        for j in range(d):
            unit_share[c] /= factors[c, j, j]
            inverse[c, j] = 1.0 / factors[c, j, j]
    spread_precision = max(precision, 1e-30)
    own_weights = broad or target.fit_delay  # variances follow the node's own curve
    stretch = _BROAD if broad else _NARROW
    z, x = np.empty(d), np.empty(d)
    spread, uniform, z_all, rows = points.spread, points.uniform, space.z, space.theta_all
    c = 0
    for i in range(n):
        while i >= edge[c]:
            c += 1
        log_p = 0.0
        for j in range(d):
            s = means[c, j]
            for k in range(j + 1):
                s += factors[c, j, k] * spread[first + i, k]
            z[j] = s
            z_all[i, j] = s
            log_p -= 0.5 * s * s
        log_q = log_mixture(z, unit_share, means, factors, inverse, x)
        fill_response(target, z, theta, U, W)
        uu, uw, ww, uy, wy = products(U, W, y, weight)
        if own_weights:
            a = (uy - uw * typical) / max(uu, 1e-30)
            share = 1.0 - target.mix * typical
            a = min(max(a, target.K1.low * share), target.K1.high * share)
            _set_weights(target, a, typical, U, W, space.own_weight)
            uu, uw, ww, uy, wy = products(U, W, y, space.own_weight)
        b, q_b = _draw_blood(
            target, uniform[first + i, 0], uu, uw, ww, uy, wy, stretch, spread_precision
        )
        share = 1.0 - target.mix * b
        low, high = target.K1.low * share, target.K1.high * share
        if target.mix == 0:  # within the prior of BPND
            low = max(low, theta[0] * (1.0 + target.BPND.low))
            high = max(min(high, theta[0] * (1.0 + target.BPND.high)), low * (1.0 + 1e-9))
        a, q_a = low, 1.0 / share
        if target.K1.kind != 4:
            sd = 1.0 / np.sqrt(max(uu, 1e-30) * spread_precision)
            centre = (uy - uw * b) / max(uu, 1e-30)
            a, q_a = _draw_tissue(
                uniform[first + i, 1], centre, sd, stretch, low, high, target.K1.kind
            )
        S, log_v = misfit(target, y, U, W, weight, a, b)
        K1 = a / share
        q_a *= share
        density = amplitude_density(target.K1, K1) * amplitude_density(target.VB, b)
        if target.mix == 0:
            ratio = a / theta[0]
            density *= amplitude_density(target.BPND, ratio - 1.0) * ratio * target.k2a_span
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
    fit_delay = target.fit_delay
    shared = points.coarse_blood.shape[0] == 1
    _weights_of_data(target, y, weight)
    best, a, b = _coarse_pass(target, points, y, weight, scores)
    if not fit_delay:
        blood = points.coarse_blood[0 if shared else best]
        _set_weights(target, a, b, points.coarse_tissue[best], blood, weight)
    w = space.w
    K = effort.components
    mean, factor = np.zeros((1, d)), np.zeros((1, d, d))  # of the mode, then of the pilot
    coarse, spread = np.zeros((1, d)), np.zeros((1, d, d))
    most = K + 3 + _RIDGE
    share, means, factors = np.zeros(most), np.zeros((most, d)), np.zeros((most, d, d))
    tempered_weights(scores, scores.size, 3.0 * d, w)
    fit_moments(points.coarse, scores.size, w, coarse, spread, 0)
    mode = points.coarse[best].copy()
    plug_in = space.own_weight if fit_delay else weight
    blood = points.coarse_blood[0 if shared else best]
    _set_weights(target, a, b, points.coarse_tissue[best], blood, plug_in)
    for _ in range(2 if fit_delay else 1):
        a, b, precision, value = find_mode(target, y, plug_in, mode, 12, -1, U, W, J, factor)
        _set_weights(target, a, b, U, W, plug_in)
    if fit_delay and b < _BLOODLESS * target.VB.high:
        a, b, precision, value, _ = _better_mode(
            target, y, weight, plug_in, mode, a, b, precision, value, U, W, J, factor, False
        )
    for j in range(d):
        mean[0, j] = mode[j]
    ridge, ridge_factors = np.zeros((_RIDGE, d)), np.zeros((_RIDGE, d, d))
    found = other_modes(
        target, y, plug_in, mode, value, points.coarse, scores, space.U, space.W, J,
        ridge, ridge_factors, 0,
    )  # fmt: skip
    found = follow_ridge(
        target, y, plug_in, mode, value, space.U, space.W, J, ridge, ridge_factors, found
    )
    pilots, rounds, size, fine, sought = 0, 0, 0.0, False, False
    first, drawn, used = 0, effort.pilot, 3 + found
    typical = max(b, 0.05 * target.VB.high)
    while True:
        if not fine:  # around the fit, widely around it, coarse, along the ridge
            for c in range(3):
                share[c] = _PILOT_SHARES[c]
            _place(means, factors, 0, mean, factor, _PILOT_WIDTHS[0])
            _place(means, factors, 1, mean, factor, _PILOT_WIDTHS[1])
            _place(means, factors, 2, coarse, spread, _WIDTHS[2])
            _add_ridge(share, means, factors, 3, found, ridge, ridge_factors, _ALONG[0])
        _draw(
            target, points, first, drawn, y, weight, precision, typical, rounds > 0, used,
            share, means, factors, space,
        )  # fmt: skip
        size = tempered_weights(space.log_w, drawn, 0.0 if fine else 8.0 * d, w)
        z, n, typical = space.z, drawn, 0.0
        for i in range(n):
            typical += w[i] * space.theta_all[i, 4]
        if not fine:
            pilots += 1
            first += drawn
            fit_moments(z, n, w, mean, factor, 0)
            if size <= 10.0 * d and pilots < _PILOTS:
                continue
            fine, drawn = True, effort.fine
            parts = _SHARES
        else:
            if size >= effort.least_ess or rounds == _ROUNDS:
                break
            lost = rounds == 0 and size < 0.1 * effort.least_ess  # begin again
            if lost and not sought:  # from a better mode, if there is one
                sought = True
                _set_weights(target, a, b, U, W, space.own_weight)
                a, b, precision, value, better = _better_mode(
                    target, y, weight, space.own_weight, mode, a, b, precision, value, U, W, J,
                    factor, True,
                )  # fmt: skip
                if better:
                    if not fit_delay:
                        _set_weights(target, a, b, U, W, weight)
                    for j in range(d):
                        mean[0, j] = mode[j]
                    found = other_modes(
                        target, y, plug_in, mode, value, points.coarse, scores, space.U, space.W,
                        J, ridge, ridge_factors, 0,
                    )  # fmt: skip
                    found = follow_ridge(
                        target, y, plug_in, mode, value, space.U, space.W, J, ridge,
                        ridge_factors, found,
                    )  # fmt: skip
                    fine, pilots, first, drawn, used = False, 0, 0, effort.pilot, 3 + found
                    typical = max(b, 0.05 * target.VB.high)
                    continue
            if lost:  # from the coarse set
                z, n = points.coarse, scores.size
            tempered_weights(scores if lost else space.log_w, n, (20.0 if lost else 10.0) * d, w)
            first, drawn = 0, effort.largest >> (_ROUNDS - 1 - rounds)
            rounds += 1
            parts = _REFINED_SHARES
        fit_mixture(z, n, w, K, share, means, factors)
        for c in range(K):
            share[c] *= parts[0]
            _place(means, factors, c, means, factors, _WIDTHS[0], c)
        share[K], share[K + 1] = parts[1], parts[2]
        _place(means, factors, K, mean, factor, _WIDTHS[1])
        _place(means, factors, K + 1, coarse, spread, _WIDTHS[2])
        used = K + 2 + found
        _add_ridge(share, means, factors, K + 2, found, ridge, ridge_factors, _ALONG[1])
    return drawn, size, rounds, a, b, precision
