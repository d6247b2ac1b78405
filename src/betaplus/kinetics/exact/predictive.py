"""Posterior predictive curves from weighted draws in whitened coordinates."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.density import parameters_at

__all__ = ["predict_curves"]


@kernel
def predict_curves(target, space, mean, factor, x, w, level2, fit, fit_std, sigma):
    """Fill mean and SD of the noise-free curve and the RMS of the noise's SD, in table units.

    Args:
        target: The posterior.
        space: `betaplus.kinetics.exact.density.Coordinates`.
        mean: Shape (n, D).
        factor: Shape (n, D, D), lower.
        x: Shape (n, S, D).
        w: Normalised weights, shape (n, S).
        level2: Squared noise level in table units, shape (n,).
        fit: Filled, shape (n, T).
        fit_std: Likewise.
        sigma: Likewise.
    """
    n, draws, D = x.shape
    v, z, row = np.empty(D), np.empty(target.quantiles.shape[0]), np.empty(6)
    width = target.floor.size
    U, W = np.zeros(width, np.float32), np.zeros(width, np.float32)
    frames = target.n_frames
    first, second, variance = np.zeros(frames), np.zeros(frames), np.zeros(frames)
    for item in range(n):
        first[:] = 0.0
        second[:] = 0.0
        variance[:] = 0.0
        for s in range(draws):
            for j in range(D):
                total = mean[item, j]
                for k in range(j + 1):
                    total += factor[item, j, k] * x[item, s, k]
                v[j] = total
            parameters_at(target, space, v, z, row, U, W)
            for t in range(frames):
                c = row[0] * (1.0 - row[4]) * U[t] + row[4] * W[t]
                first[t] += w[item, s] * c
                second[t] += w[item, s] * c * c
                shape = target.floor[t] + target.gain[t] * max(c, 0.0)
                variance[t] += w[item, s] * level2[item] * shape
        for t in range(frames):
            fit[item, t] = first[t]
            fit_std[item, t] = np.sqrt(max(second[t] - first[t] * first[t], 0.0))
            sigma[item, t] = np.sqrt(variance[t])
