"""Dispersion of the sampling line, undone: against curves dispersed on a fine grid by scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from betaplus.core import FrameTiming, InputCurve
from betaplus.physics.response import InputResponse

HALF_LIFE = 1221.66
FRAMES = FrameTiming.from_durations([5.0] * 6 + [10.0] * 6 + [30.0] * 4 + [120.0] * 4)
KNOTS = np.r_[0.0, 12.0, 24.0, 40.0, 90.0, 300.0, 900.0]
TRUE = np.r_[0.0, 0.0, 100.0, 40.0, 20.0, 9.0, 5.0]
TAU = 7.0


def dispersed(time):
    """C' = (C_a - C) / tau by an ODE solver."""
    out = [0.0]
    for a, b in itertools.pairwise(time):
        solved = solve_ivp(
            lambda t, c: (np.interp(t, KNOTS, TRUE) - c) / TAU, (a, b), [out[-1]], rtol=1e-9
        )
        out.append(float(solved.y[0, -1]))
    return np.array(out)


@pytest.fixture(scope="module")
def measured():
    time = np.unique(np.r_[np.arange(0.0, 120.0, 0.25), np.arange(120.0, 901.0, 4.0), KNOTS])
    values = dispersed(time)
    return InputCurve(time, values, 0.8 * values, "Bq/mL")


@pytest.mark.parametrize("delay", [0.0, 6.3])
def test_dispersion_is_undone(measured, delay):
    """Tissue, plasma and whole blood of the dispersed samples are those of the true input."""
    true = InputCurve(KNOTS, TRUE, 0.8 * TRUE, "Bq/mL")
    got = InputResponse(measured, FRAMES, HALF_LIFE, dispersion=TAU)
    want = InputResponse(true, FRAMES, HALF_LIFE)
    rates = torch.tensor([0.0, 0.1, 1.0, 8.0], dtype=torch.float64)
    for a, b, limit in (
        (got.tissue(rates, delay), want.tissue(rates, delay), 1e-3),
        (got.plasma_mean(delay), want.plasma_mean(delay), 5e-3),
        (got.blood(delay), want.blood(delay), 5e-3),
    ):
        assert float((a - b).abs().max() / b.abs().max()) < limit
    plain = InputResponse(measured, FRAMES, HALF_LIFE).tissue(rates, delay)
    assert float((plain - want.tissue(rates, delay)).abs().max() / plain.abs().max()) > 0.02


def test_total_is_kept(measured):
    """Undoing dispersion moves activity in time and makes none."""
    whole = FrameTiming.from_durations([10.0, 890.0])
    stable = 1e12
    got = InputResponse(measured, whole, stable, dispersion=TAU).plasma_mean().numpy()
    area = (got * whole.duration).sum()
    last = measured.plasma[-1]
    trapezoid = np.trapezoid(measured.plasma, measured.time)
    assert area == pytest.approx(trapezoid + TAU * last, rel=1e-9)
