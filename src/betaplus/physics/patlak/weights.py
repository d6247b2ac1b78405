"""Weights of frames from counts."""

from __future__ import annotations

import numpy as np

__all__ = ["frame_weights"]

_LEAST = 1e-3  # of the largest frame: keeps a frame without activity from ruling the fit


def frame_weights(duration: np.ndarray, decay: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return w_f = D_f / (DCF_f y_f), of mean 1 over all.

    The variance of a decay-corrected frame mean is that of Poisson counts, y D / DCF of them, times
    (DCF / D)^2: y DCF / D (as `betaplus.physics.noise.noise_gain`). The same for all voxels of a
    slice, so that one matrix M serves them.

    Args:
        duration: D, shape (F,) or, where slices are seen at times of their own, (F, Z) [s].
        decay: DCF, likewise.
        mean: y, the mean of every frame over the voxels wanted, shape (F,), any unit.
    """
    mean = np.asarray(mean, dtype=np.float64)
    activity = np.maximum(mean, _LEAST * mean.max(initial=0.0))
    if not activity.max() > 0.0:
        activity = np.ones_like(mean)
    per_frame = activity.reshape(activity.shape + (1,) * (np.ndim(duration) - 1))
    weight = duration / (decay * per_frame)
    return np.asarray(weight / weight.mean())
