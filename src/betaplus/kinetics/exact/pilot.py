"""A lean exact pass: where the posterior is, how wide, and its density at fixed points around.

Methods with a network see a posterior through this: in the whitened coordinates x, with
v = mean + factor x, it is N(0, I) but for what the network has to learn, whatever the tracer, the
input function, the frames or the dose.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.density import log_posterior, probit
from betaplus.kinetics.exact.kernel import evidence_position
from betaplus.kinetics.exact.lanes import interpolate
from betaplus.kinetics.exact.mixture import fit_moments, tempered_weights
from betaplus.kinetics.exact.residuals import togetherness
from betaplus.kinetics.exact.sampler import sample_curve
from betaplus.kinetics.exact.summary import _status

__all__ = ["Pilot", "pilot_curves"]

_POINTS_PER_DIMENSION = 5.0  # that the moments rest on, at least


class Pilot(NamedTuple):
    """What a lean pass found out, for n curves with D free parameters."""

    mean: np.ndarray  # (n, D)
    factor: np.ndarray  # (n, D, D) lower
    probes: np.ndarray  # (n, P) log density at the probes less that of N(mean, factor factor')
    top: np.ndarray  # (n,) log density at the mean, as in `log_posterior`
    weight: np.ndarray  # (n, frame) reciprocal variance shape of the fitted curve
    residual: np.ndarray  # (n, frame) of the fitted curve over its standard deviation
    level: np.ndarray  # (n,) log of the noise level at the mean, in table units
    ess: np.ndarray  # (n,)
    status: np.ndarray  # (n,) 1 ok, 4 misfit


@kernel
def pilot_curves(target, points, effort, space, places, curves, probes, out):
    """Fill a `Pilot` curve by curve.

    Args:
        target: The posterior.
        points: Shared points.
        effort: How many points.
        space: Work space of this thread.
        places: `betaplus.kinetics.exact.density.Coordinates`.
        curves: Shape (n, frame) float32 [table units], padded.
        probes: Shape (P, D), whitened.
        out: The `Pilot` to fill.
    """
    D = places.free.size
    d = target.quantiles.shape[0]
    nodes = np.empty((space.w.size, D))
    means, factors = np.empty((1, D)), np.empty((1, D, D))
    v, z, row = np.empty(D), np.empty(d), np.empty(6)
    U, W = space.U, space.W
    for item in range(curves.shape[0]):
        y = curves[item]
        n, size, _, a, b, _ = sample_curve(target, points, y, effort, space)
        for i in range(n):
            for j in range(d):
                if places.searched[j] >= 0:
                    nodes[i, places.searched[j]] = space.z[i, j]
            if places.K1 >= 0:
                nodes[i, places.K1] = probit(places.quantiles[0], space.theta_all[i, 0])
            if places.VB >= 0:
                nodes[i, places.VB] = probit(places.quantiles[1], space.theta_all[i, 4])
        tempered_weights(space.log_w, n, _POINTS_PER_DIMENSION * D, space.w)
        fit_moments(nodes, n, space.w, means, factors, 0)
        weight = out.weight[item]
        for t in range(y.size):
            weight[t] = 1.0
        for t in range(target.n_frames):
            c = max(a * space.mode_U[t] + b * space.mode_W[t], 0.0)
            weight[t] = 1.0 / (target.floor[t] + target.gain[t] * c)
            space.own_weight[t] = weight[t]
        for j in range(D):
            v[j] = means[0, j]
            out.mean[item, j] = means[0, j]
            for k in range(D):
                out.factor[item, j, k] = factors[0, j, k]
        top, S = log_posterior(target, places, y, weight, v, z, row, U, W)
        level = 0.5 * np.log(max(S, 1e-30) / target.n_frames)
        out.top[item], out.level[item], out.ess[item] = top, level, size
        for t in range(target.n_frames):
            c = row[0] * (1.0 - row[4]) * U[t] + row[4] * W[t]
            out.residual[item, t] = (y[t] - c) * np.sqrt(weight[t]) * np.exp(-level)
        known = interpolate(target.precision, evidence_position(target, S))
        chi2 = S * known / target.n_frames
        for p in range(probes.shape[0]):
            square = 0.0
            for j in range(D):
                s = means[0, j]
                for k in range(j + 1):
                    s += factors[0, j, k] * probes[p, k]
                v[j] = s
                square += probes[p, j] * probes[p, j]
            here, S = log_posterior(target, places, y, weight, v, z, row, U, W)
            out.probes[item, p] = here - top + 0.5 * square
        out.status[item] = _status(target, togetherness(target, y, n, space), chi2, 0)
