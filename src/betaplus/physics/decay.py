"""Radioactive decay of frame values: one reference time for all of kinetics, TimeZero."""

from __future__ import annotations

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer

__all__ = ["time_zero_factors"]


def time_zero_factors(
    frames: FrameTiming, tracer: Tracer, decay_corrected_to: float | None
) -> np.ndarray:
    """Return the factors that decay-correct frame values to TimeZero, shape (T,).

    Args:
        frames: Frame timing.
        tracer: Radionuclide and half-life.
        decay_corrected_to: Time the values are corrected to [s from TimeZero], or None if they
            are not decay-corrected.
    """
    if decay_corrected_to is None:
        return frames.decay_factors(tracer.half_life)
    return np.full(len(frames), np.exp(tracer.decay_constant * decay_corrected_to))
