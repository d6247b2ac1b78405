"""One node of the exact method: its curve, its fit to the data, its amplitudes."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.lanes import interpolate

__all__ = [
    "amplitude_density",
    "best_amplitudes",
    "evidence_position",
    "fill_response",
    "log_evidence",
    "misfit",
    "products",
    "solve_amplitudes",
]

_F32 = np.float32


@kernel
def fill_response(target, z, theta, U, W):
    """Fill theta = (k2, k3, k4, delay), the unit response U and whole blood W at probit z.

    For SRTM theta[0] is k2a and C = k2 U + R1 W with W = C_R - k2a U.
    """
    table = target.table
    middle = 0.5 * (target.quantiles.shape[1] - 1)
    for j in range(4):
        theta[j] = target.known[j]
    last = target.quantiles.shape[1] - 1.0
    for j in range(z.size):
        at = min(max(z[j] / target.z_step + middle, 0.0), last)
        theta[target.slots[j]] = interpolate(target.quantiles[j], at)
    total = theta[0] + theta[1] + theta[2]
    gap = np.sqrt(max(0.25 * total * total - theta[0] * theta[2], 1e-18))
    a2 = 0.5 * total + gap
    a1 = theta[0] * theta[2] / a2
    w1 = (theta[1] + theta[2] - a1) / (2.0 * gap)
    low_bits = np.int32((1 << table.shift) - 1)
    part = 1.0 / (low_bits + 1.0)
    bits1 = _F32(a1 + table.offset).view(np.int32)
    bits2 = _F32(a2 + table.offset).view(np.int32)
    i = (bits1 >> table.shift) - table.first
    j = (bits2 >> table.shift) - table.first
    f1 = (bits1 & low_bits) * part
    f2 = (bits2 & low_bits) * part
    c0, c1 = _F32(w1 * (1.0 - f1)), _F32(w1 * f1)
    c2, c3 = _F32((1.0 - w1) * (1.0 - f2)), _F32((1.0 - w1) * f2)
    slow = _F32(theta[0]) if target.mix == 0 else _F32(0.0)
    tissue, blood = table.tissue, table.blood
    if tissue.shape[0] == 1:
        for t in range(U.size):
            U[t] = (
                c0 * tissue[0, i, t]
                + c1 * tissue[0, i + 1, t]
                + c2 * tissue[0, j, t]
                + c3 * tissue[0, j + 1, t]
            )
            W[t] = blood[0, t] - slow * U[t]
        return
    at = (theta[3] - table.delay_low) / table.delay_step
    n = min(int(at), tissue.shape[0] - 2)
    g = _F32(at - n)
    h = _F32(1.0) - g
    for t in range(U.size):
        U[t] = h * (
            c0 * tissue[n, i, t]
            + c1 * tissue[n, i + 1, t]
            + c2 * tissue[n, j, t]
            + c3 * tissue[n, j + 1, t]
        ) + g * (
            c0 * tissue[n + 1, i, t]
            + c1 * tissue[n + 1, i + 1, t]
            + c2 * tissue[n + 1, j, t]
            + c3 * tissue[n + 1, j + 1, t]
        )
        W[t] = h * blood[n, t] + g * blood[n + 1, t]


@kernel
def products(U, W, y, weight):
    """Weighted inner products UU, UW, WW, Uy, Wy."""
    uu, uw, ww, uy, wy = _F32(0.0), _F32(0.0), _F32(0.0), _F32(0.0), _F32(0.0)
    for t in range(U.size):
        a = weight[t] * U[t]
        b = weight[t] * W[t]
        uu += a * U[t]
        uw += a * W[t]
        ww += b * W[t]
        uy += a * y[t]
        wy += b * y[t]
    return float(uu), float(uw), float(ww), float(uy), float(wy)


@kernel
def solve_amplitudes(uu, uw, ww, uy, wy):
    """Least-squares a = K1 (1 - VB), b = VB and the (regularised) determinant."""
    uu = uu * 1.000001 + 1e-30
    ww = ww * 1.000001 + 1e-30
    determinant = max(uu * ww - uw * uw, 1e-7 * uu * ww)
    return (ww * uy - uw * wy) / determinant, (uu * wy - uw * uy) / determinant, determinant


@kernel
def best_amplitudes(uu, uw, ww, uy, wy, K1, VB, mix):
    """Least-squares amplitudes inside their support: the free optimum, or the best on an edge.

    `mix` is 1 where a = K1 (1 - b), 0 where a and b do not limit each other.
    """
    a, b, _ = solve_amplitudes(uu, uw, ww, uy, wy)
    share = 1.0 - mix * b
    if VB.low <= b <= VB.high and K1.low * share <= a <= K1.high * share:
        return a, b
    least, best_a, best_b = 1e300, 0.0, 0.0
    for edge in range(4):
        if edge < 2:
            b = VB.low if edge == 0 else VB.high
            share = 1.0 - mix * b
            a = (uy - uw * b) / max(uu, 1e-30)
            a = min(max(a, K1.low * share), K1.high * share)
        else:  # a = k - slope b
            k = K1.low if edge == 2 else K1.high
            slope = mix * k
            squares = max(ww - slope * (2.0 * uw - slope * uu), 1e-30)
            b = (wy - slope * uy - k * (uw - slope * uu)) / squares
            b = min(max(b, VB.low), VB.high)
            a = k - slope * b
        S = a * (a * uu + 2.0 * (b * uw - uy)) + b * (b * ww - 2.0 * wy)
        if least > S:
            least, best_a, best_b = S, a, b
    return best_a, best_b


@kernel
def misfit(target, y, U, W, weight, a, b):
    """Squared residuals over the variance shape of the node's own curve, and log det of the shape.

    The determinant is relative to that of 1 / `weight`, so that one product of ratios holds it.
    """
    S, ratio = _F32(0.0), 1.0
    a32, b32 = _F32(a), _F32(b)
    floor, gain = target.floor, target.gain
    for t in range(U.size):
        c = a32 * U[t] + b32 * W[t]
        v = floor[t] + gain[t] * max(c, _F32(0.0))
        r = y[t] - c
        S += r * r / v
        ratio *= float(v * weight[t])
    return float(S), np.log(min(max(ratio, 1e-300), 1e300))


@kernel
def evidence_position(target, S):
    """Where S lies on the grid of the noise evidence."""
    return (np.log(max(S, 1e-30)) - target.s_low) / target.s_step


@kernel
def log_evidence(target, S):
    """Log p(S), the noise level integrated out."""
    return interpolate(target.evidence, evidence_position(target, S))


@kernel
def amplitude_density(prior, x):
    """Density of a linear parameter at x inside its support; 1 if the parameter is fixed."""
    if prior.kind == 0:
        return prior.unit
    if prior.kind == 1:
        return prior.unit / x
    if prior.kind == 2:
        return prior.unit * np.exp(-0.5 * ((x - prior.centre) / prior.width) ** 2)
    if prior.kind == 3:
        return prior.unit * np.exp(-0.5 * ((np.log(x) - prior.centre) / prior.width) ** 2) / x
    return 1.0
