"""Noise of time-activity curves: counts in a frame, carried through decay correction."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from betaplus.core.frames import FrameTiming
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.physics.response import InputResponse

__all__ = ["NOISE_FLOOR", "noise_floor", "noise_gain"]

NOISE_FLOOR = 1e-3
"""Floor of the noise model as a fraction of the largest frame mean of the input function."""


def noise_gain(frames: FrameTiming, half_life: float) -> np.ndarray:
    """Return g with variance = l^2 (C + c0) g, shape (T,) [1/min].

    g = DCF / D with the duration D in minutes and the decay factor averaged over the frame
    (PET-TRACER, arXiv 2509.13614, with its pointwise factors replaced by frame averages).
    """
    return frames.decay_factors(half_life) / (frames.duration / SECONDS_PER_MINUTE)


def noise_floor(response: InputResponse) -> float:
    """Return c0 [input unit], which keeps the variance above 0 before arrival."""
    mean: Tensor = response.plasma_mean()
    return NOISE_FLOOR * float(mean.max())
