"""Curves of the trust benchmark against an ODE solver, quantiles and what a shift is."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.pipeline.benchmark.kinetics.trust import cases as trust_cases
from betaplus.pipeline.benchmark.kinetics.trust.cases import (
    TISSUES,
    draw_tissue,
    frame_shifted,
    level_at,
    liver_curves,
    noisy_curves,
    sample_shifted,
)
from betaplus.simulation.input_functions import feng

FRAMES = FrameTiming.from_durations([10.0] * 6 + [30.0] * 4 + [60.0] * 5 + [300.0] * 6)
TIME = np.r_[0.0:120.0:4.0, 120.0:2280.0:60.0, 2280.0]
PLASMA = 100.0 * feng(TIME / 60, (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043))
CURVE = InputCurve(TIME, PLASMA, 0.9 * PLASMA, "Bq/mL")
LONG = 1e12  # s: no decay, so that frame values are plain means


@pytest.fixture(scope="module")
def response() -> InputResponse:
    return InputResponse(CURVE, FRAMES, LONG)


@pytest.mark.parametrize("blood_volume", [False, True])
def test_liver_curves_solve_the_equations_of_two_inputs(response, monkeypatch, blood_volume):
    draws = {}

    def spy(seed, item, draw):
        rng = kept(seed, item, draw)
        if draw == 12:
            draws[item] = kept(seed, item, draw).random(3)
        return rng

    kept = trust_cases.generator
    monkeypatch.setattr(trust_cases, "generator", spy)
    found = liver_curves(response, 2, 3, blood_volume=blood_volume)
    p = {name: value[1] for name, value in draw_tissue("liver", 2, 3).items()}
    u = draws[1]
    transit, share = 20 + 40 * u[0], 0.75 + 0.05 * u[1]
    VB = 0.1 + 0.2 * u[2] if blood_volume else p["VB"]
    k2, k3, k4 = (p[name] / 60 for name in ("k2", "k3", "k4"))

    def slopes(t, state):
        portal, portal_blood, free, bound, _ = state
        plasma = np.interp(t - p["delay"], TIME, PLASMA, left=0.0)
        mixed = (1 - share) * plasma + share * portal
        tissue = free + bound
        blood = (1 - share) * 0.9 * plasma + share * portal_blood
        return [
            (plasma - portal) / transit,
            (0.9 * plasma - portal_blood) / transit,
            p["K1"] / 60 * mixed - (k2 + k3) * free + k4 * bound,
            k3 * free - k4 * bound,
            (1 - VB) * tissue + VB * blood,
        ]

    edges = np.r_[0.0, FRAMES.end]
    solved = solve_ivp(
        slopes, (0, edges[-1]), np.zeros(5), t_eval=edges, rtol=1e-8, atol=1e-6, max_step=1.0
    )
    means = np.diff(solved.y[4]) / FRAMES.duration
    np.testing.assert_allclose(found[1], means, rtol=2e-4, atol=1e-3 * means.max())


def test_tissues_have_the_quantiles_of_the_table():
    drawn = draw_tissue("grey matter", 4000, 1)
    for name, limits in TISSUES["grey matter"].items():
        below = [(drawn[name] < q).mean() for q in limits]
        np.testing.assert_allclose(below, [0.05, 0.5, 0.95], atol=0.03)
    assert (draw_tissue("liver", 500, 1)["VB"] >= 0).all()


def test_noise_is_what_was_asked_for(response):
    clean = liver_curves(response, 500, 2)
    level = level_at(response, clean, 0.02)
    gain = noise_gain(FRAMES, LONG)
    sd = level[:, None] * np.sqrt((clean + noise_floor(response)) * gain)
    late = (sd / clean)[:, -4:]
    np.testing.assert_allclose(np.sqrt((late**2).mean(axis=1)), 0.02)
    z = (noisy_curves(response, clean, 0.02, 5) - clean) / sd
    assert z.std() == pytest.approx(1, abs=0.03) and abs(z.mean()) < 0.03
    first = noisy_curves(response, clean[:3], 0.02, 5)
    np.testing.assert_array_equal(first, noisy_curves(response, clean, 0.02, 5)[:3])


def test_shifts_move_values_and_not_times():
    shifted = frame_shifted(np.array([[1.0, 2.0, 3.0]]), np.zeros(1))
    assert shifted.tolist() == [[0.0, 1.0, 2.0]]
    later = sample_shifted(CURVE)
    np.testing.assert_array_equal(later.time, TIME)
    np.testing.assert_array_equal(later.plasma[1:], PLASMA[:-1])
    np.testing.assert_array_equal(later.whole_blood[1:], 0.9 * PLASMA[:-1])
    assert later.plasma[0] == 0
