"""The noise of curves as an option: level, standard deviations, weights of frames."""

from __future__ import annotations

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.kinetics.curves import Curves

__all__ = ["noise_option", "weights_option"]


def noise_option(noise: float | str | np.ndarray, curves: Curves) -> float | str | np.ndarray:
    """Return the noise for a `Task`: standard deviations become Bq/mL.

    Args:
        noise: ``auto``, ``estimate``, a level, or standard deviations (T,) [unit of the data].
        curves: The curves.

    Raises:
        UsageError: If it is none of these.
        InputError: If standard deviations do not fit the frames.
    """
    if isinstance(noise, str):
        if noise not in ("auto", "estimate"):
            raise UsageError(
                f"noise {noise!r}", "expected auto, estimate, a level or standard deviations"
            )
        return noise
    if np.ndim(noise) == 0:
        if not 0 < float(noise) < np.inf:
            raise UsageError(f"noise level {noise}", "expected a positive number")
        return float(noise)
    sd = np.asarray(noise, dtype=np.float64)
    if sd.shape != (len(curves.frames),):
        raise InputError(
            f"{sd.size} noise standard deviations for {len(curves.frames)} frames",
            "expected one per frame",
        )
    if not (np.isfinite(sd).all() and (sd > 0).all()):
        raise InputError("a noise standard deviation is not above 0", "expected positive numbers")
    return sd * curves.factors


def weights_option(
    weights: str | np.ndarray, n_frames: int, duration: np.ndarray | None = None
) -> np.ndarray | None:
    """Return relative weights of frames with mean 1, shape (T,), or None for the noise model.

    Args:
        weights: ``model``, ``uniform``, ``duration``, or weights, shape (T,).
        n_frames: Number of frames.
        duration: Durations of the frames [s].

    Raises:
        UsageError: If the name is unknown.
        InputError: If weights do not fit the frames.
    """
    if isinstance(weights, str):
        if weights == "model":
            return None
        if weights == "uniform":
            return np.ones(n_frames)
        if weights == "duration" and duration is not None:
            return duration / duration.mean()
        raise UsageError(
            f"weights {weights!r}", "expected model, uniform, duration or numbers per frame"
        )
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (n_frames,):
        raise InputError(f"{values.size} weights for {n_frames} frames", "expected one per frame")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise InputError(
            "a weight is not above 0", "expected positive numbers", "leave out the frame instead"
        )
    return values / values.mean()
