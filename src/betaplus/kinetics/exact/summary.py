"""Moments, quantiles, draws and diagnostics from weighted nodes."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.kernel import evidence_position, fill_response
from betaplus.kinetics.exact.lanes import interpolate
from betaplus.kinetics.exact.residuals import togetherness
from betaplus.kinetics.exact.sampler import sample_curve

__all__ = ["COLUMNS", "SRTM_COLUMNS", "fit_curves"]

COLUMNS = ("K1", "k2", "k3", "k4", "VB", "delay", "Ki", "VT", "BPND", "F")
"""What a node can report; a fit names the columns it wants."""

SRTM_COLUMNS = {"k2": 0, "R1": 4, "BPND": 10}
"""Likewise for SRTM."""

_BINS = 64
_TOGETHER_LIMIT = 2.1  # standard deviations; some 3 % of right models are beyond, at any noise
_CHI2_LIMIT = 5.0


@kernel
def _column(target, rows, n, c, x):
    """Fill x with column `c` of the nodes (K1, k2, k3, k4, VB, delay)."""
    if c < 6:
        for i in range(n):
            x[i] = rows[i, c]
    elif c == 6:
        for i in range(n):
            x[i] = rows[i, 0] * rows[i, 2] / (rows[i, 1] + rows[i, 2])
    elif c == 9:
        for i in range(n):
            at = (np.log(rows[i, 0]) - target.flow_low) / target.flow_step
            x[i] = rows[i, 0] * np.exp(interpolate(target.flow, at))
    elif c == 10:
        for i in range(n):
            x[i] = rows[i, 0] / rows[i, 1] - 1.0
    else:
        for i in range(n):
            k4 = rows[i, 3]
            x[i] = rows[i, 2] / (k4 if abs(k4) > 1e-9 else 1e-9) if rows[i, 2] > 0 else 0.0
            if c == 7:
                x[i] = rows[i, 0] / rows[i, 1] * (1.0 + x[i])


@kernel
def _sort(x, members, m):
    """Sort the first m indices by x (Shell's method)."""
    gap = m // 2
    while gap > 0:
        for j in range(gap, m):
            held, k = members[j], j
            while k >= gap and x[members[k - gap]] > x[held]:
                members[k] = members[k - gap]
                k -= gap
            members[k] = held
        gap //= 2


@kernel
def _quantiles(x, w, n, levels, mass, bins, members, out, item, p):
    """Weighted quantiles: find the bin by histogram, sort only what is in it."""
    low, high = x[0], x[0]
    for i in range(n):
        low, high = min(low, x[i]), max(high, x[i])
    if not high > low:
        for q in range(levels.size):
            out[item, p, q] = low
        return
    for k in range(_BINS):
        mass[k] = 0.0
    middle = 0.0  # of heavy tails: bins are even in x / (x + harmonic mean)
    if low > 0.0 and high > 8.0 * low:
        for i in range(n):
            middle += w[i] / x[i]
        middle = 1.0 / middle
    first = low / (low + middle) if middle > 0.0 else low
    last = high / (high + middle) if middle > 0.0 else high
    scale = _BINS * (1.0 - 1e-12) / (last - first)
    for i in range(n):
        at = x[i] / (x[i] + middle) if middle > 0.0 else x[i]
        bins[i] = min(max(np.int32((at - first) * scale), 0), _BINS - 1)
        mass[bins[i]] += w[i]
    before, k = 0.0, 0
    for q in range(levels.size):
        if q > 0 and levels[q] < levels[q - 1]:
            before, k = 0.0, 0
        while k < _BINS - 1 and before + mass[k] < levels[q]:
            before += mass[k]
            k += 1
        m = 0
        for i in range(n):
            if bins[i] == k:
                members[m] = i
                m += 1
        _sort(x, members, m)
        value = last = x[members[0]] if m > 0 else low
        reached = middle = before
        for j in range(m):
            i = members[j]
            centre = reached + 0.5 * w[i]
            value = x[i]
            if centre >= levels[q]:
                share = (levels[q] - middle) / max(centre - middle, 1e-300)
                value = last + share * (x[i] - last)
                break
            reached += w[i]
            last, middle = x[i], centre
        out[item, p, q] = value


@kernel
def _next(state):
    """SplitMix64: the next state and a number in [0, 1)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    z = state
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return state, (z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@kernel
def _resample(w, n, key, nodes):
    """Systematic resampling in random order: node indices into `nodes`."""
    state, u = _next(key)
    total, j = w[0], 0
    for s in range(nodes.size):
        level = (s + u) / nodes.size
        while total < level and j < n - 1:
            j += 1
            total += w[j]
        nodes[s] = j
    for s in range(nodes.size - 1, 0, -1):
        state, v = _next(state)
        k = int(v * (s + 1))
        nodes[s], nodes[k] = nodes[k], nodes[s]


@kernel
def _predict(target, space, n, out, item, level2):
    """Posterior mean and SD of the noise-free curve and RMS of the noise SD, in table units."""
    U, W, theta, z = space.U, space.W, space.theta, np.empty(space.z.shape[1])
    frames = target.n_frames
    first, second, variance = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    total = 0.0
    for i in range(n):
        w = space.w[i]
        if w < 1e-7:
            continue
        for j in range(z.size):
            z[j] = space.z[i, j]
        fill_response(target, z, theta, U, W)
        K1, b = space.theta_all[i, 0], space.theta_all[i, 4]
        total += w
        for t in range(frames):
            c = K1 * (1.0 - target.mix * b) * U[t] + b * W[t]
            first[t] += w * c
            second[t] += w * c * c
            variance[t] += w * level2 * (target.floor[t] + target.gain[t] * max(c, 0.0))
    for t in range(frames):
        m = first[t] / total
        out.fit[item, t] = m
        out.fit_std[item, t] = np.sqrt(max(second[t] / total - m * m, 0.0))
        out.sigma[item, t] = np.sqrt(variance[t] / total)


@kernel
def _evidence(target, space, n):
    """Log of the probability density of the data, a mean of the unnormalised weights."""
    top, total, log_weight = -1e300, 0.0, 0.0
    for i in range(n):
        top = max(top, space.log_w[i])
    for i in range(n):
        total += np.exp(space.log_w[i] - top)
    for t in range(target.n_frames):
        log_weight += np.log(space.weight[t])
    return top + np.log(total / n) + 0.5 * log_weight + target.log_unit


@kernel
def _status(target, together, chi2, rounds):
    """1 ok, 3 refined, 4 misfit: residuals that hang together, or a chi-square out of bounds."""
    if together > _TOGETHER_LIMIT:
        return 4
    if chi2 > 1.0 + _CHI2_LIMIT * np.sqrt(2.0 / target.n_frames):
        return 4
    return 3 if rounds > 0 else 1


@kernel
def fit_curves(target, points, effort, space, curves, keys, columns, levels, out):
    """Fit curves one after another.

    Args:
        target: The posterior.
        points: Shared points.
        effort: How many points.
        space: Work space of this thread.
        curves: Shape (n, frame) float32 [table units], padded.
        keys: One 64-bit key per curve.
        columns: Indices into `COLUMNS`.
        levels: Quantile levels.
        out: Arrays to fill, `betaplus.kinetics.exact.method.Results`.
    """
    members = np.empty(space.w.size, np.int64)
    x, mass = np.empty(space.w.size), np.empty(_BINS)
    bins = np.empty(space.w.size, np.int32)
    nodes = np.empty(out.samples.shape[2], np.int64)
    scale = target.table.scale
    for item in range(curves.shape[0]):
        y = curves[item]
        n, size, rounds, a, b, precision = sample_curve(target, points, y, effort, space)
        w = space.w
        if nodes.size > 0:
            _resample(w, n, keys[item], nodes)
        for p in range(columns.size):
            _column(target, space.theta_all, n, columns[p], x)
            mean = 0.0
            for i in range(n):
                mean += w[i] * x[i]
            variance = 0.0
            for i in range(n):
                variance += w[i] * (x[i] - mean) ** 2
            out.mean[item, p] = mean
            out.std[item, p] = np.sqrt(variance)
            _quantiles(x, w, n, levels, mass, bins, members, out.quantiles, item, p)
            for s in range(nodes.size):
                out.samples[item, p, s] = x[nodes[s]]
        chi2, level2 = 0.0, 0.0
        for i in range(n):
            if w[i] > 1e-6:
                known = (
                    precision
                    if target.estimate_noise
                    else interpolate(target.precision, evidence_position(target, space.S[i]))
                )
                chi2 += w[i] * space.S[i] * known
                level2 += w[i] / known
        chi2 /= target.n_frames
        out.ess[item] = size
        out.evidence[item] = np.nan if target.estimate_noise else _evidence(target, space, n)
        out.chi2[item] = chi2
        out.noise[item] = np.sqrt(level2 * scale)
        for t in range(target.n_frames):
            c = max(a * space.mode_U[t] + b * space.mode_W[t], 0.0)
            space.own_weight[t] = 1.0 / (target.floor[t] + target.gain[t] * c)
        if out.fit.shape[1] > 0:
            _predict(target, space, n, out, item, level2)
        together = togetherness(target, y, n, space)
        out.status[item] = _status(target, together, chi2, rounds)
