"""The posterior mode of one curve by damped Gauss-Newton, and its Laplace covariance.

In probit coordinates the prior is a unit Gaussian, so the normal equations are always well posed.
"""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.kernel import best_amplitudes, fill_response, log_evidence, products
from betaplus.kinetics.exact.mixture import cholesky

__all__ = ["find_mode", "follow_ridge", "other_modes"]

_STEP = 0.02  # of the finite differences, in prior standard deviations
_RIDGE_STEP, _RIDGE_END, _RIDGE_MOVES, _RIDGE_DROP = 0.8, 2.6, 4, 8.0
_APART, _OTHER_MOVES = 1.0, 8
_F32 = np.float32


@kernel
def _squares(y, U, W, weight, a, b):
    S = _F32(0.0)
    for t in range(y.size):
        r = y[t] - _F32(a) * U[t] - _F32(b) * W[t]
        S += weight[t] * r * r
    return float(S)


@kernel
def _normal_equations(target, y, weight, z, a, b, precision, U, W, J, H, g):
    """Gauss-Newton matrix and gradient in (z, a, b), the prior of z included."""
    d, m = z.size, z.size + 2
    theta, moved = np.empty(4), z.copy()
    for i in range(d):
        step = _STEP if z[i] < 0 else -_STEP
        moved[i] = z[i] + step
        fill_response(target, moved, theta, J[m], J[m + 1])
        moved[i] = z[i]
        a_, b_ = _F32(a / step), _F32(b / step)
        for t in range(y.size):
            J[i, t] = a_ * (J[m, t] - U[t]) + b_ * (J[m + 1, t] - W[t])
    J[d] = U
    J[d + 1] = W
    for i in range(m):
        s = _F32(0.0)
        for t in range(y.size):
            s += weight[t] * J[i, t] * (y[t] - _F32(a) * U[t] - _F32(b) * W[t])
        g[i] = s * precision
        for j in range(i + 1):
            s = _F32(0.0)
            for t in range(y.size):
                s += weight[t] * J[i, t] * J[j, t]
            H[i, j] = s * precision
            H[j, i] = H[i, j]
    for i in range(d):
        H[i, i] += 1.0
        g[i] -= z[i]
    # weak, from the width of the support; strong where there is none
    H[d, d] += 4.0 / (target.K1.high * target.K1.high)
    H[d + 1, d + 1] += 12.0 / max(target.VB.high - target.VB.low, 1e-9) ** 2
    if target.K1.kind == 4:
        H[d, d] += 1e12


@kernel
def _solve(A, g, x):
    """Solve L L' x = g for the factor L = A[0]."""
    m = g.size
    for i in range(m):
        s = g[i]
        for k in range(i):
            s -= A[0, i, k] * x[k]
        x[i] = s / A[0, i, i]
    for i in range(m - 1, -1, -1):
        s = x[i]
        for k in range(i + 1, m):
            s -= A[0, k, i] * x[k]
        x[i] = s / A[0, i, i]


@kernel
def find_mode(target, y, weight, z, n_steps, held, U, W, J, factors):
    """Move `z` to the mode of the posterior with fixed variance shape 1 / `weight`.

    Args:
        target: The posterior.
        y: Padded curve in table units.
        weight: Reciprocal variance shape.
        z: Start, overwritten by the mode.
        n_steps: At most this many steps.
        held: A coordinate of z that stays where it is, or -1.
        U: Work space; the unit response at the mode on return.
        W: Likewise, whole blood.
        J: Work space, shape (d + 4, frame).
        factors: Shape (1, d, d), overwritten by the Cholesky factor of the covariance of z.

    Returns:
        a, b, the noise precision 1 / l^2 in table units, and the log posterior of z.
    """
    d, m = z.size, z.size + 2
    H, A, g, x = np.zeros((m, m)), np.zeros((1, m, m)), np.empty(m), np.empty(m)
    theta, trial = np.empty(4), z.copy()
    a, b, precision = 0.0, 0.0, 1.0
    damping, best = 1e-2, -1e300
    for step in range(n_steps):
        fill_response(target, trial, theta, U, W)
        uu, uw, ww, uy, wy = products(U, W, y, weight)
        a_, b_ = best_amplitudes(uu, uw, ww, uy, wy, target.K1, target.VB, target.mix)
        S = _squares(y, U, W, weight, a_, b_)
        if target.estimate_noise:
            value = -0.5 * target.n_frames * np.log(max(S, 1e-30))
        else:
            value = log_evidence(target, S)
        for i in range(d):
            value -= 0.5 * trial[i] * trial[i]
        if value > best:
            gain = value - best
            best, a, b = value, a_, b_
            z[:] = trial
            if target.estimate_noise:
                precision = max(target.n_frames - m, 1) / max(S, 1e-30)
            else:
                up, down = log_evidence(target, 1.05 * S), log_evidence(target, S / 1.05)
                precision = max(2.0 * (down - up) / (2.0 * np.log(1.05) * max(S, 1e-30)), 1e-12)
            _normal_equations(target, y, weight, z, a, b, precision, U, W, J, H, g)
            if held >= 0:
                H[held, held] += 1e12
            damping = max(0.2 * damping, 1e-6)
            if step > 0 and gain < 0.02:
                break
        else:
            damping *= 10.0
            if damping > 1e4:
                break
        for i in range(m):
            for j in range(m):
                A[0, i, j] = H[i, j]
            A[0, i, i] *= 1.0 + damping
        cholesky(A, 0, A, 0)
        _solve(A, g, x)
        for i in range(d):
            trial[i] = min(max(z[i] + min(max(x[i], -1.5), 1.5), -4.5), 4.5)
    fill_response(target, z, theta, U, W)
    for i in range(m):
        for j in range(m):
            A[0, i, j] = H[i, j]
    cholesky(A, 0, A, 0)
    covariance = np.empty((1, d, d))
    for j in range(d):
        for i in range(m):
            g[i] = 1.0 if i == j else 0.0
        _solve(A, g, x)
        for i in range(d):
            covariance[0, i, j] = x[i]
    cholesky(covariance, 0, factors, 0)
    return a, b, precision, best


@kernel
def follow_ridge(target, y, weight, z, value, U, W, J, means, factors, found):
    """Walk along the first coordinate away from the mode, the others at their best.

    Posteriors of two-tissue models run out along curved ridges to large k2 and k3, where no local
    approximation at the mode foresees them. Steps end where the posterior has fallen too far.

    Args:
        target: The posterior.
        y: Padded curve in table units.
        weight: Reciprocal variance shape.
        z: The mode.
        value: Its log posterior.
        U: Work space.
        W: Work space.
        J: Work space, shape (d + 4, frame).
        means: Points are appended, shape (M, d).
        factors: Likewise the factors of a covariance that joins each to its neighbour.
        found: Rows of `means` in use.

    Returns:
        Rows of `means` in use.
    """
    d = z.size
    here, last, local = z.copy(), z.copy(), np.zeros((1, d, d))
    spread = np.zeros((1, d, d))
    for side in (1.0, -1.0):
        here[:] = z
        last[:] = z
        for step in range(means.shape[0]):
            if found == means.shape[0] or abs(here[0] + side * _RIDGE_STEP) > _RIDGE_END:
                break
            for j in range(d):  # go on straight, then down to the ridge
                ahead = here[j] + (here[j] - last[j] if step > 0 else 0.0)
                last[j] = here[j]
                here[j] = min(max(ahead, -_RIDGE_END), _RIDGE_END)
            here[0] = last[0] + side * _RIDGE_STEP
            _, _, _, reached = find_mode(target, y, weight, here, _RIDGE_MOVES, 0, U, W, J, local)
            if reached < value - _RIDGE_DROP:
                break
            for i in range(d):
                means[found, i] = here[i]
                for j in range(i + 1):
                    total = 0.3 * (here[i] - last[i]) * (here[j] - last[j])
                    for k in range(j + 1):
                        total += local[0, i, k] * local[0, j, k]
                    spread[0, i, j] = total
            cholesky(spread, 0, factors, found)
            found += 1
    return found


@kernel
def other_modes(target, y, weight, z, value, nodes, scores, U, W, J, means, factors, found):
    """Search for modes at other values of the first coordinate, from the best node on each side.

    Args:
        target: The posterior.
        y: Padded curve in table units.
        weight: Reciprocal variance shape.
        z: The mode found first.
        value: Its log posterior.
        nodes: The coarse set, shape (n, d).
        scores: Its log likelihoods, shape (n,).
        U: Work space.
        W: Work space.
        J: Work space, shape (d + 4, frame).
        means: Modes are appended, shape (M, d).
        factors: Likewise the factors of their Laplace covariances.
        found: Rows of `means` in use.

    Returns:
        Rows of `means` in use.
    """
    d = z.size
    local = np.zeros((1, d, d))
    for side in (1.0, -1.0):
        best, top = -1, -1e300
        for i in range(scores.size):
            if side * (nodes[i, 0] - z[0]) > _APART:
                here = scores[i]
                for j in range(d):
                    here -= 0.5 * nodes[i, j] * nodes[i, j]
                if here > top:
                    best, top = i, here
        if best < 0 or found == means.shape[0]:
            continue
        start = nodes[best].copy()
        _, _, _, reached = find_mode(target, y, weight, start, _OTHER_MOVES, -1, U, W, J, local)
        distance = 0.0
        for j in range(d):
            distance += (start[j] - z[j]) ** 2
        if reached < value - _RIDGE_DROP or distance < 0.25 * _APART * _APART:
            continue
        for i in range(d):
            means[found, i] = start[i]
            for j in range(i + 1):
                factors[found, i, j] = local[0, i, j]
        found += 1
    return found
