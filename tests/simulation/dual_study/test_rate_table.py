"""The table against the exact response and against a differential equation solved by scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.seeds import generator
from betaplus.physics.compartments import predict
from betaplus.physics.response import InputResponse
from betaplus.simulation.dual_study.rate_table import RateTable
from betaplus.simulation.input_functions import draw_blood
from betaplus.simulation.tracers import PROFILES

FRAMES = FrameTiming.from_durations([10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0])
HALF_LIFE = 1221.66


def _curve() -> InputCurve:
    profile = PROFILES["FMZ"]
    return draw_blood(profile.blood, profile.activity_per_gram, 2400.0, generator(4)).curve(2400.0)


@pytest.mark.parametrize("arrival", [0.0, 3.5, -6.0])
def test_table_is_as_good_as_the_exact_response(arrival: float) -> None:
    curve = _curve()
    rng = generator(5)
    n = 3000
    p = {
        "K1": rng.uniform(0.005, 1.2, n),
        "k2": 10.0 ** rng.uniform(-2.5, 0.5, n),
        "k3": 10.0 ** rng.uniform(-6.0, 0.0, n),
        "k4": 10.0 ** rng.uniform(-3.0, 0.0, n),
        "VB": rng.uniform(0.0, 0.95, n),
    }
    p["k4"][:100] = 0.0
    p["k3"][100:200], p["k4"][100:200] = 0.0, 0.1
    p["k2"][100:150] = 0.1  # both rates alike
    found = RateTable(curve, FRAMES, HALF_LIFE, arrival).frame_means(p)
    values = {k: torch.tensor(v) for k, v in p.items()}
    values["delay"] = torch.full((n,), arrival, dtype=torch.float64)
    exact = predict(InputResponse(curve, FRAMES, HALF_LIFE), values).numpy()
    error = np.abs(found - exact) / exact.max(axis=1, keepdims=True)
    assert found.dtype == np.float32 and found.min() >= 0.0
    assert error.max() < 2e-6


def test_table_against_the_differential_equations() -> None:
    curve = _curve()
    K1, k2, k3, k4, VB = 0.3, 0.12, 0.06, 0.03, 0.05
    rate = np.log(2.0) / HALF_LIFE

    def slope(t: float, c: np.ndarray) -> list[float]:
        plasma = np.interp(t, curve.time, curve.plasma)
        inflow = (K1 * plasma - (k2 + k3) * c[0] + k4 * c[1]) / 60.0
        return [inflow, (k3 * c[0] - k4 * c[1]) / 60.0]

    out = solve_ivp(slope, (0.0, 2400.0), [0.0, 0.0], max_step=2.0, rtol=1e-9, atol=1e-6,
                    dense_output=True)  # fmt: skip

    def measured(t: float) -> float:
        tissue = (1.0 - VB) * out.sol(t).sum() + VB * np.interp(t, curve.time, curve.whole_blood)
        return float(tissue * np.exp(-rate * t))

    p = {"K1": K1, "k2": k2, "k3": k3, "k4": k4, "VB": VB}
    found = RateTable(curve, FRAMES, HALF_LIFE).frame_means(
        {k: np.array([v]) for k, v in p.items()}
    )
    for f in (2, 4, 7):
        low, high = FRAMES.start[f], FRAMES.end[f]
        area, _ = quad(measured, low, high, limit=400, epsrel=1e-7)
        still, _ = quad(lambda t: np.exp(-rate * t), low, high)
        assert found[0, f] == pytest.approx(area / still, rel=2e-5)
