"""The published simulator: its curves against an ODE solver, its noise, its speed of repetition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from betaplus.kinetics.published.curves import (
    FRAMES,
    HALF_LIFE,
    MINUTES,
    feng_response,
    knots_response,
    noise_sd,
)
from betaplus.kinetics.published.simulator import (
    HIGH,
    LOW,
    SCALE,
    from_standard,
    simulate,
    to_standard,
)
from betaplus.simulation.input_functions import feng

AMPLITUDES, RATES, ARRIVAL = np.array([2.8e5, 7e3, 7e3]), np.array([4.1, 0.12, 0.01]), 0.31


def plasma(minutes):
    return feng(np.asarray(minutes) - ARRIVAL, AMPLITUDES, RATES)


def solved(theta):
    """The curve at frame ends by `solve_ivp`."""
    K1, k2, k3, k4, VB = theta

    def change(t, state):
        free, bound = state
        return [K1 * plasma(t) - (k2 + k3) * free + k4 * bound, k3 * free - k4 * bound]

    after = MINUTES > ARRIVAL
    found = solve_ivp(
        change, (ARRIVAL, 50.0), [0, 0], "LSODA", MINUTES[after], rtol=1e-10, atol=1e-8
    )
    curve = np.zeros(35)
    curve[after] = (1 - VB) * found.y.sum(0)
    return curve + VB * plasma(MINUTES)


@pytest.mark.parametrize(
    "theta",
    [
        (0.6, 1.9, 0.03, -0.1, 0.1),  # grows
        (0.1, 0.3, 0.1, 0.0, 0.05),
        (0.02, 0.1, 0.02, 0.1, 0.2),
        (0.3, 4.0, 0.08, 0.02, 0.1),  # a rate near one of the input's
    ],
)
def test_curves_are_the_solution_at_frame_ends(theta):
    rows = np.array([theta])
    closed, blood = feng_response(rows, AMPLITUDES[None], RATES[None], np.array([ARRIVAL]))
    np.testing.assert_allclose(closed[0], solved(theta), rtol=1e-7, atol=1e-6)
    np.testing.assert_allclose(blood[0], plasma(MINUTES), rtol=1e-12)
    time = np.r_[0.0, np.linspace(ARRIVAL, 4.0, 2000), np.geomspace(4.0, 50.0, 1000)[1:]]
    time = 60 * np.union1d(time, MINUTES)
    recursed, aif = knots_response(rows, time, plasma(time / 60))
    np.testing.assert_allclose(recursed[0], closed[0], rtol=3e-5, atol=0.1)
    np.testing.assert_allclose(aif, blood[0], rtol=1e-9, atol=1e-6)


def test_the_largest_rate_of_change_is_no_special_case():
    """Where a rate of the tissue equals one of the input's, the curve is its neighbours' mean."""
    theta = np.array([[0.3, 4.1, 0.0, 0.0, 0.1]] * 3)
    theta[:, 1] += [-1e-7, 0.0, 1e-7]
    curves, _ = feng_response(
        theta, *(np.tile(v, (3, 1)) for v in (AMPLITUDES, RATES)), np.full(3, ARRIVAL)
    )
    np.testing.assert_allclose(curves[1], 0.5 * (curves[0] + curves[2]), rtol=1e-9)


def test_knots_that_start_late_have_no_input_before():
    curves, aif = knots_response(
        np.array([[0.3, 0.5, 0.1, 0.0, 0.1]]), np.array([30.0, 3000.0]), np.array([100.0, 100.0])
    )
    before = FRAMES.end < 30.0
    assert (curves[0, before] == 0).all() and (aif[before] == 0).all()
    np.testing.assert_allclose(aif[~before], 100.0)
    minutes = MINUTES[~before] - 0.5
    k2, k3, K1, VB = 0.5, 0.1, 0.3, 0.1
    free = 100 * K1 / (k2 + k3) * (1 - np.exp(-(k2 + k3) * minutes))
    bound = k3 * (100 * K1 / (k2 + k3) * minutes - free / (k2 + k3))
    np.testing.assert_allclose(curves[0, ~before], 0.9 * (free + bound) + VB * 100, rtol=1e-9)


def test_simulations():
    some = simulate(20_000, seed=3)
    assert ((some.theta >= LOW) & (some.theta <= HIGH)).all()
    assert (some.level >= 3).all() and (some.level <= 6).all()
    x = to_standard(some.theta)
    np.testing.assert_allclose(x.mean(0), 0, atol=0.03)
    np.testing.assert_allclose(x.std(0), 1, atol=0.02)
    np.testing.assert_allclose(from_standard(x), some.theta, rtol=1e-12, atol=1e-12)
    decay = np.exp(np.log(2) / HALF_LIFE * MINUTES)
    sd = some.level[:, None] * np.sqrt(some.clean * decay / (FRAMES.duration / 60))
    np.testing.assert_allclose(noise_sd(some.clean, some.level[:, None]), sd, rtol=1e-12)
    there = sd > 0
    assert (some.curves[~there] == some.clean[~there]).all()
    z = (some.curves - some.clean)[there] / sd[there]
    assert abs(z.mean()) < 0.01 and abs(z.std() - 1) < 0.01
    condition = some.condition()
    assert condition.shape == (20_000, 70) and condition.dtype == np.float32
    np.testing.assert_allclose(condition[:, 35:] * SCALE, some.blood, rtol=1e-6)
    again = simulate(20_000, seed=3)
    assert (again.curves == some.curves).all()
    assert not (simulate(20_000, 3, item=1).theta == some.theta).any()
