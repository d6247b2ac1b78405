"""Frame means from the table against the exact recursion, and against an ODE solver."""

from __future__ import annotations

import numpy as np
import torch
from scipy.integrate import solve_ivp

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.physics.compartments import predict
from betaplus.physics.response import InputResponse
from betaplus.simulation.dynamic_study.kinetics import FDG_ORGANS
from betaplus.simulation.dynamic_study.response_table import ResponseTable
from betaplus.simulation.input_functions import draw_blood

HALF_LIFE = FDG_ORGANS.tracer.half_life
TIMING = FrameTiming(
    start=np.array([30.0, 1200.0, 3300.0]), duration=np.array([30.0, 300.0, 300.0])
)


def _blood() -> InputFunction:
    return draw_blood(FDG_ORGANS.blood, 1.0, 4000.0, generator(3))


def _rates(n: int) -> dict[str, np.ndarray]:
    rng = generator(4)
    low = {"K1": 0.005, "k2": 0.01, "k3": 0.001, "k4": 1e-4, "VB": 0.001}
    high = {"K1": 1.5, "k2": 8.0, "k3": 1.2, "k4": 0.3, "VB": 0.9}
    values = {p: low[p] * (high[p] / low[p]) ** rng.uniform(size=n) for p in low}
    values["k4"][: n // 4] = 0.0
    return values


def test_the_table_is_the_recursion() -> None:
    values = _rates(400)
    table = ResponseTable(_blood(), 4000.0, TIMING, HALF_LIFE)
    response = InputResponse(_blood().curve(4000.0), TIMING, HALF_LIFE)
    exact = predict(response, {p: torch.tensor(v) for p, v in values.items()}).numpy()
    np.testing.assert_allclose(table.frame_means(values), exact, rtol=2e-6)


def test_the_table_solves_the_equations() -> None:
    values = {"K1": 0.6, "k2": 1.2, "k3": 0.05, "k4": 0.01, "VB": 0.1}
    curve = _blood().curve(4000.0)
    decay = np.log(2.0) / HALF_LIFE

    def slope(t: float, c: np.ndarray) -> list[float]:
        free, bound = c[:2]
        cp = np.interp(t, curve.time, curve.plasma)
        k1, k2, k3, k4 = (values[p] / 60.0 for p in ("K1", "k2", "k3", "k4"))
        tissue = (1 - values["VB"]) * (free + bound)
        total = tissue + values["VB"] * np.interp(t, curve.time, curve.whole_blood)
        exchange = k3 * free - k4 * bound
        return [k1 * cp - k2 * free - exchange, exchange, total * np.exp(-decay * t)]

    edges = np.unique(np.concatenate([TIMING.start, TIMING.end]))
    solved = solve_ivp(
        slope, (0.0, 3600.0), [0.0, 0.0, 0.0], t_eval=edges, rtol=1e-8, atol=1e-10, max_step=3.0
    )
    counted = dict(zip(edges, solved.y[2], strict=True))
    per = [counted[b] - counted[a] for a, b in zip(TIMING.start, TIMING.end, strict=True)]
    expected = np.array(per) * TIMING.decay_factors(HALF_LIFE) / TIMING.duration
    table = ResponseTable(_blood(), 4000.0, TIMING, HALF_LIFE)
    found = table.frame_means({p: np.array([v]) for p, v in values.items()})[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
