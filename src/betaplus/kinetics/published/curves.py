r"""Curves as the published method has them: samples at frame ends, one blood curve, no delay.

The tissue's impulse response is a sum of two exponentials; convolved with an exponential of the
input it is in closed form, and with an input that is straight between knots a recursion.
"""

from __future__ import annotations

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.simulation.input_functions import feng

__all__ = ["FRAMES", "HALF_LIFE", "MINUTES", "feng_response", "knots_response", "noise_sd"]

FRAMES = FrameTiming.from_durations(
    [5.0] * 12 + [15.0] * 4 + [60.0] * 6 + [120.0] * 5 + [180.0] * 4 + [300.0] * 4
)
"""The only schedule there is."""

MINUTES = FRAMES.end / SECONDS_PER_MINUTE
"""Ends of the frames, shape (35,) [min]."""

HALF_LIFE = 109.8
"""Half-life of F-18 as published [min]."""


def noise_sd(clean: np.ndarray, level: np.ndarray | float) -> np.ndarray:
    """Return l sqrt(C exp(-lambda t) / D) exp(lambda t), 0 where the curve is 0.

    Args:
        clean: Curves, shape (..., 35) [Bq/mL].
        level: l, broadcast to them [sqrt(Bq/mL min)].
    """
    gain = np.exp(np.log(2.0) / HALF_LIFE * MINUTES)
    minutes = FRAMES.duration / SECONDS_PER_MINUTE
    return level * np.sqrt(np.maximum(clean, 0.0) / gain / minutes) * gain


def feng_response(
    theta: np.ndarray, amplitudes: np.ndarray, rates: np.ndarray, arrival: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return noise-free curves and their inputs at frame ends, each of shape (n, 35) [Bq/mL].

    Args:
        theta: K1, k2, k3, k4, VB, shape (n, 5) [mL/cm3/min, 1/min]; k4 may be negative.
        amplitudes: Feng's A1 [Bq/mL/min], A2, A3 [Bq/mL], shape (n, 3).
        rates: Feng's l1, l2, l3, shape (n, 3) [1/min].
        arrival: When the input begins, shape (n,) [min].
    """
    t = np.maximum(MINUTES - arrival[:, None], 0.0)
    blood = feng(t, amplitudes.T[:, :, None], rates.T[:, :, None])
    a1, a2, a3 = amplitudes.T[:, :, None]
    tissue = np.zeros_like(t)
    for alpha, weight in _exponentials(theta):
        alpha = alpha[:, None]
        l1, l2, l3 = rates.T[:, :, None]
        unit = a1 * _ramp_with(alpha, l1, t) - (a2 + a3) * _decay_with(alpha, l1, t)
        unit += a2 * _decay_with(alpha, l2, t) + a3 * _decay_with(alpha, l3, t)
        tissue += weight[:, None] * unit
    return _with_blood(theta, tissue, blood), blood


def knots_response(
    theta: np.ndarray, time: np.ndarray, plasma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return noise-free curves (n, 35) and the input at frame ends (35,) [Bq/mL].

    Args:
        theta: As in `feng_response`, shape (n, 5).
        time: Knots, shape (K,) [s]; the input is 0 before the first.
        plasma: The input at the knots, straight between them, shape (K,) [Bq/mL].
    """
    known = time / SECONDS_PER_MINUTE
    knots = np.union1d(known, np.append(MINUTES, 0.0))
    knots = knots[knots <= MINUTES[-1]]
    values = np.interp(knots, known, plasma, left=0.0)
    start = np.interp(known[0], knots, np.arange(knots.size))  # a jump at the first knot stays one
    tissue = np.zeros((len(theta), knots.size))
    for alpha, weight in _exponentials(theta):
        held = np.zeros(len(theta))
        for j in range(int(start), knots.size - 1):
            step = knots[j + 1] - knots[j]
            slope = (values[j + 1] - values[j]) / step
            fade = np.exp(-alpha * step)
            held = fade * held + step * (
                values[j] * _g(alpha * step) + slope * step * (_g(alpha * step) - _h(alpha * step))
            )
            tissue[:, j + 1] += weight * held
    at = np.searchsorted(knots, MINUTES)
    return _with_blood(theta, tissue[:, at], values[at]), values[at]


def _with_blood(theta: np.ndarray, tissue: np.ndarray, blood: np.ndarray) -> np.ndarray:
    K1, VB = theta[:, :1], theta[:, 4:]
    return (1.0 - VB) * K1 * tissue + VB * blood


def _exponentials(theta: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The impulse response per K1 as rates and weights of two exponentials, stable at small k4."""
    _, k2, k3, k4, _ = theta.T
    half = 0.5 * (k2 + k3 + k4)
    gap = np.sqrt(np.maximum(half * half - k2 * k4, 1e-18))
    fast = half + gap
    slow = np.where(fast > 1e-9, k2 * k4 / np.where(fast > 1e-9, fast, 1.0), half - gap)
    weight = (k3 + k4 - slow) / (2.0 * gap)
    return [(slow, weight), (fast, 1.0 - weight)]


def _decay_with(alpha: np.ndarray, rate: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The convolution of exp(-alpha t) with exp(-rate t)."""
    return np.exp(-np.minimum(alpha, rate) * t) * t * _g(np.abs(alpha - rate) * t)


def _ramp_with(alpha: np.ndarray, rate: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The convolution of exp(-alpha t) with t exp(-rate t)."""
    x = np.abs(rate - alpha) * t
    inner = np.where(rate >= alpha, _h(x), _g(x) - _h(x))
    return np.exp(-np.minimum(alpha, rate) * t) * t * t * inner


def _g(x: np.ndarray) -> np.ndarray:
    """(1 - exp(-x)) / x, the integral of exp(-x u) over u in [0, 1]."""
    small = np.abs(x) < 1e-5
    safe = np.where(small, 1.0, x)
    return np.where(small, 1.0 - x / 2.0 + x * x / 6.0, -np.expm1(-safe) / safe)


def _h(x: np.ndarray) -> np.ndarray:
    """(1 - (1 + x) exp(-x)) / x^2, the integral of u exp(-x u) over u in [0, 1]."""
    small = np.abs(x) < 1e-2
    safe = np.where(small, 1.0, x)
    series = 1 / 2 - x / 3 + x**2 / 8 - x**3 / 30 + x**4 / 144 - x**5 / 840
    return np.where(small, series, (_g(safe) - np.exp(-safe)) / safe)
