"""Noise-free curves at given coordinates of the prior, for methods that simulate."""

from __future__ import annotations

import numpy as np

from betaplus.kinetics.exact.compile import kernel
from betaplus.kinetics.exact.density import parameters_at

__all__ = ["curves_at"]


@kernel
def curves_at(target, space, v, rows, curves):
    """Fill parameters and noise-free curves at coordinates v, whose prior is N(0, I).

    Args:
        target: The posterior.
        space: `betaplus.kinetics.exact.density.Coordinates`.
        v: Shape (n, D).
        rows: Filled in the order of `betaplus.kinetics.exact.density.PLACES`, shape (n, 6).
        curves: Filled [table units], 0 where frames are padding, shape (n, frame) float32.
    """
    U, W = np.zeros(curves.shape[1], np.float32), np.zeros(curves.shape[1], np.float32)
    z = np.empty(target.quantiles.shape[0])
    for i in range(v.shape[0]):
        parameters_at(target, space, v[i], z, rows[i], U, W)
        a, b = np.float32(rows[i, 0] * (1.0 - rows[i, 4])), np.float32(rows[i, 4])
        for t in range(curves.shape[1]):
            curves[i, t] = a * U[t] + b * W[t] if t < target.n_frames else np.float32(0.0)
