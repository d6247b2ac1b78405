"""The simplified reference tissue model against an ODE solver, autograd and finite differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.physics.reference_region import SrtmJacobian, srtm
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

FRAMES = FrameTiming(  # with a gap
    np.array([0, 20, 60, 120, 300, 600, 1300, 1900.0]),
    np.array([20, 40, 60, 180, 300, 600, 600, 600.0]),
)


def reference() -> InputCurve:
    time = np.array([0, 30, 90, 200, 400, 900, 1800, 2600.0])
    value = np.array([0, 5, 21, 30, 26, 17, 9, 5.0]) * 1e3
    return InputCurve(time, value, value, "Bq/mL")


def by_ode(R1, k2, BPND, half_life):
    """dC_T = R1 dC_R + k2 C_R - k2a C_T (Lammertsma and Hume 1996, equation 5), frame values."""
    curve, k2a, decay = reference(), k2 / (1 + BPND) / 60, np.log(2) / half_life

    def at(t):
        return np.interp(t, curve.time, curve.plasma)

    def rhs(t, x):
        lag = x[0]  # C_T - R1 C_R
        total = lag + R1 * at(t)
        return [k2 / 60 * at(t) - k2a * total, total * np.exp(-decay * t)]

    edges = np.union1d(FRAMES.start, FRAMES.end)
    stops = np.union1d(edges, curve.time[curve.time < edges[-1]])
    state, sums = np.zeros(2), {0.0: 0.0}
    for a, b in itertools.pairwise(stops):
        state = solve_ivp(rhs, (a, b), state, rtol=1e-9, atol=1e-9, method="DOP853").y[:, -1]
        sums[float(b)] = state[1]
    spans = zip(FRAMES.start, FRAMES.end, strict=True)
    total = np.array([sums[float(e)] - sums[float(s)] for s, e in spans])
    return total * FRAMES.decay_factors(half_life) / FRAMES.duration


def tensors(*values):
    return (torch.tensor([v], dtype=torch.float64) for v in values)


@pytest.mark.parametrize("half_life", [1221.84, 6584.04])
@pytest.mark.parametrize("values", [(1.0, 0.1, 0.0), (1.2, 0.15, 2.5), (0.7, 0.4, -0.3)])
def test_matches_ode(values, half_life):
    response = InputResponse(reference(), FRAMES, half_life)
    ours = srtm(response, response.plasma_mean(), *tensors(*values))[0].numpy()
    np.testing.assert_allclose(ours, by_ode(*values, half_life), rtol=1e-6, atol=1e-3)


def test_the_first_term_is_the_measured_curve():
    response = InputResponse(reference(), FRAMES, 1221.84)
    measured = response.plasma_mean() + torch.arange(8.0, dtype=torch.float64)
    clean, moved = (
        srtm(response, r, *tensors(1.3, 0.2, 1.0))[0] for r in (response.plasma_mean(), measured)
    )
    np.testing.assert_allclose((moved - clean).numpy(), 1.3 * np.arange(8.0), rtol=1e-9, atol=1e-9)


def test_jacobian():
    response = InputResponse(reference(), FRAMES, 1221.84)
    measured = response.plasma_mean() + 3.0
    jacobian = SrtmJacobian(measured, ResponseSpline(response, (0.0, 5.0), (0.0, 0.0)))
    rng = np.random.default_rng(0)
    values = torch.from_numpy(rng.uniform([0.3, 0.05, -0.4], [2.0, 1.0, 6.0], (20, 3)))
    curve, by = jacobian(values)
    exact = srtm(response, measured, *values.unbind(-1))
    np.testing.assert_allclose(curve.numpy(), exact.numpy(), atol=1e-5 * float(exact.max()))
    for row in range(20):
        expected = torch.autograd.functional.jacobian(
            lambda v: srtm(response, measured, *v), values[row]
        )
        error = (by[row] - expected.T).abs().amax(1) / expected.abs().amax(0)
        assert float(error.max()) < 1e-3
