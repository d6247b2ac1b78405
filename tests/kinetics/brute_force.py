"""Posteriors by quadrature over a grid: slow, short, and sharing no code with the methods."""

from __future__ import annotations

import numpy as np
import torch

from betaplus.core import FrameTiming, InputCurve
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse

HALF_LIFE = 6584.04
FRAMES = FrameTiming.from_durations([10.0] * 6 + [30.0] * 4 + [120.0] * 4 + [300.0] * 4)
TIME = np.array([0, 9, 14, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 3000.0])
PLASMA = np.array([0, 0, 9, 60, 41, 30, 22, 16, 11, 7.5, 5, 3.1, 2.2]) * 1e3
CURVE = InputCurve(TIME, PLASMA, 0.9 * PLASMA, "Bq/mL")


def response():
    return InputResponse(CURVE, FRAMES, HALF_LIFE)


def noisy(clean, level, seed):
    work = response()
    sd = level * np.sqrt((clean + noise_floor(work)) * noise_gain(FRAMES, HALF_LIFE))
    return clean + sd * np.random.default_rng(seed).standard_normal(clean.shape)


def log_likelihood(y, curves, level, floor):
    """Log density of y (T,) for curves (..., T), the level known, every constant kept."""
    variance = level**2 * (np.maximum(curves, 0) + floor) * noise_gain(FRAMES, HALF_LIFE)
    terms = (y - curves) ** 2 / variance + np.log(2 * np.pi * variance)
    return -0.5 * terms.sum(-1)


def tissue(rates):
    """Unit responses (n, T) at rates (n,) [1/min]."""
    return response().tissue(torch.as_tensor(rates, dtype=torch.float64)).numpy()


def blood():
    return response().blood().numpy()


def moments(log_weight, *values):
    """Mean and SD of values on the grid, and the log of the summed weight."""
    top = log_weight.max()
    w = np.exp(log_weight - top)
    total = w.sum()
    out = []
    for value in values:
        mean = (w * value).sum() / total
        out.append((mean, np.sqrt((w * (value - mean) ** 2).sum() / total)))
    return out, float(np.log(total) + top)
