"""The posterior density of one curve at any point, in coordinates where the prior is N(0, I).

A parameter's coordinate is the probit of its prior's cumulative probability, so every prior is a
unit Gaussian, no bound is left, and a curve that says nothing gives exactly N(0, I).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.kernel import fill_response, log_evidence, misfit
from betaplus.kinetics.exact.lanes import interpolate
from betaplus.kinetics.exact.problem import Z_MAX, Target
from betaplus.kinetics.prior import Prior

__all__ = [
    "PLACES",
    "Coordinates",
    "evaluate",
    "log_posterior",
    "make_coordinates",
    "parameters_at",
    "probit",
]

PLACES = ("K1", "k2", "k3", "k4", "VB", "delay")
"""Parameters in the order of rows; coordinates follow it and leave out what is known."""

_POINTS = 4097
_SLOTS = (1, 2, 3, 5)  # places of k2, k3, k4, delay


class Coordinates(NamedTuple):
    """Which parameters are free, and their quantiles."""

    free: np.ndarray  # (D,) places of the free parameters
    searched: np.ndarray  # (d,) coordinate of each row of `Target.quantiles`, -1 if none
    K1: int  # coordinate of K1, -1 where it is known
    VB: int
    quantiles: np.ndarray  # (2, Z) of K1 and VB at even probit coordinates


def make_coordinates(target: Target, prior: Prior, names: tuple[str, ...]) -> Coordinates:
    """Return the coordinates of a 1TCM, 2TCM3k or 2TCM.

    Args:
        target: The posterior.
        prior: Its prior.
        names: The free parameters, `betaplus.kinetics.method.free_parameters`.
    """
    free = [i for i, name in enumerate(PLACES) if name in names]
    places = [_SLOTS[slot] for slot in target.slots]
    z = np.linspace(-Z_MAX, Z_MAX, _POINTS)
    return Coordinates(
        free=np.array(free),
        searched=np.array([free.index(p) if p in free else -1 for p in places]),
        K1=free.index(0) if 0 in free else -1,
        VB=free.index(4) if 4 in free else -1,
        quantiles=np.stack([prior[name].at_probit(z) for name in ("K1", "VB")]),
    )


@kernel
def probit(quantiles, x):
    """Coordinate of the value x by the table of quantiles at even coordinates."""
    low, high = 0, quantiles.size - 1
    if x <= quantiles[low]:
        return -Z_MAX
    if x >= quantiles[high]:
        return Z_MAX
    while high - low > 1:
        middle = (low + high) // 2
        if quantiles[middle] <= x:
            low = middle
        else:
            high = middle
    part = (x - quantiles[low]) / max(quantiles[high] - quantiles[low], 1e-300)
    return -Z_MAX + (low + part) * (2.0 * Z_MAX / (quantiles.size - 1))


@kernel
def _at(quantiles, z):
    last = quantiles.size - 1
    position = (z + Z_MAX) * (last / (2.0 * Z_MAX))
    return interpolate(quantiles, min(max(position, 0.0), float(last)))


@kernel
def parameters_at(target, space, v, z, row, U, W):
    """Fill `row` with K1, k2, k3, k4, VB and delay at coordinates v, and U and W with responses.

    Args:
        target: The posterior.
        space: `Coordinates`.
        v: Shape (D,).
        z: Work space, shape (d,).
        row: Shape (6,).
        U: Unit response, shape (frame,).
        W: Whole blood.
    """
    for j in range(z.size):
        z[j] = v[space.searched[j]] if space.searched[j] >= 0 else 0.0
    theta = np.empty(4)
    fill_response(target, z, theta, U, W)
    row[0] = _at(space.quantiles[0], v[space.K1]) if space.K1 >= 0 else target.K1.low
    b = _at(space.quantiles[1], v[space.VB]) if space.VB >= 0 else target.VB.low
    row[1], row[2], row[3] = theta[0], theta[1], theta[2]
    row[4] = min(b, 1.0 - 1e-9)
    row[5] = theta[3]


@kernel
def log_posterior(target, space, y, weight, v, z, row, U, W):
    """Log density at coordinates v, the noise level integrated out, up to a constant of the curve.

    The log determinant of the variances is relative to that of 1 / `weight`.

    Returns:
        The log density, and S: squared residuals over the variance shape.
    """
    parameters_at(target, space, v, z, row, U, W)
    a = row[0] * (1.0 - row[4])
    S, log_v = misfit(target, y, U, W, weight, a, row[4])
    value = log_evidence(target, S) - 0.5 * log_v
    for j in range(v.size):
        value -= 0.5 * v[j] * v[j]
    return value, S


@kernel
def evaluate(target, space, curves, weight, mean, factor, x, rows, log_p, misfits):
    """Parameters and log posterior at whitened coordinates x of every curve.

    Args:
        target: The posterior.
        space: `Coordinates`.
        curves: Shape (n, frame) float32 [table units], padded.
        weight: Reciprocal variance shapes, shape (n, frame).
        mean: Shape (n, D).
        factor: Shape (n, D, D), lower.
        x: Shape (n, S, D).
        rows: Filled with parameters in the order of `PLACES`, shape (n, S, 6).
        log_p: Filled with `log_posterior`, shape (n, S).
        misfits: Filled with S of `log_posterior`, shape (n, S).
    """
    D = x.shape[2]
    v, z = np.empty(D), np.empty(target.quantiles.shape[0])
    U = np.zeros(curves.shape[1], np.float32)
    W = np.zeros(curves.shape[1], np.float32)
    for item in range(x.shape[0]):
        for s in range(x.shape[1]):
            for j in range(D):
                total = mean[item, j]
                for k in range(j + 1):
                    total += factor[item, j, k] * x[item, s, k]
                v[j] = total
            log_p[item, s], misfits[item, s] = log_posterior(
                target, space, curves[item], weight[item], v, z, rows[item, s], U, W
            )
