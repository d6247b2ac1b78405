"""The forward models against an ODE solver and finite differences."""

from __future__ import annotations

import csv
import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from betaplus.core import FrameTiming, InputCurve, InputFunction, Tracer, UsageError
from betaplus.physics.compartments import MODELS, find_model, macro_parameters, predict
from betaplus.physics.response import InputResponse

UNEVEN = FrameTiming(  # a 20 s gap, frames from 5 s to 10 min
    np.array([0, 5, 10, 20, 40, 60, 90, 150, 210, 300, 420, 720, 1320, 1920, 2540, 3140.0]),
    np.array([5, 5, 10, 20, 20, 30, 60, 60, 90, 120, 300, 600, 600, 600, 600, 600.0]),
)
RATES = {
    "1TCM": {"K1": 0.35, "k2": 0.6},
    "2TCM3k": {"K1": 0.119, "k2": 0.163, "k3": 0.108},
    "2TCM": {"K1": 0.52, "k2": 1.4, "k3": 0.3, "k4": 0.05},
}


def synthetic_curve() -> InputCurve:
    time = np.array([0, 8, 14, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 2600, 3800.0])
    plasma = np.array([0, 0, 9, 60, 41, 30, 22, 16, 11, 7.5, 5, 3.1, 2.2, 1.7]) * 1e3
    return InputCurve(time, plasma, plasma * np.linspace(1.05, 0.8, time.size), "Bq/mL")


def measured_curve(reference_data) -> InputCurve:
    """A metabolite-corrected arterial curve of the PBR28 study, whole blood beside it."""
    with (reference_data / "tacs_pbr28" / "pbr28_blooddata.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["PET"] == "jdcs_1"]
    blood = InputFunction(
        time=np.array([float(r["Time"]) for r in rows]),
        plasma=np.array([float(r["Cpl_metabcorr"]) for r in rows]),
        whole_blood=np.array([float(r["Cbl_dispcorr"]) for r in rows]),
        plasma_kind="parent",
    )
    return blood.curve(UNEVEN.end[-1])


def solve(model, rates, VB, delay, curve, frames, half_life):
    """Frame values from an ODE for the tissues and, beside them, the decayed integral."""
    decay = np.log(2) / half_life
    K1, k2, k3, k4 = (rates.get(k, 0.0) / 60 for k in ("K1", "k2", "k3", "k4"))

    def plasma(t):
        return np.interp(t - delay, curve.time, curve.plasma, left=0.0)

    def blood(t):
        return np.interp(t - delay, curve.time, curve.whole_blood, left=0.0)

    def rhs(t, y):
        free, bound, _ = y
        total = (1 - VB) * (free + bound) + VB * blood(t)
        return [
            K1 * plasma(t) - (k2 + k3) * free + k4 * bound,
            k3 * free - k4 * bound,
            total * np.exp(-decay * t),
        ]

    edges = np.union1d(frames.start, frames.end)
    stops = np.unique(
        np.clip(
            np.concatenate([[min(delay, 0.0)], edges, curve.time + delay]),
            min(delay, 0.0),
            edges[-1],
        )
    )
    state, integral = np.zeros(3), {float(stops[0]): 0.0}
    for a, b in itertools.pairwise(stops):  # the input is smooth inside each piece
        step = solve_ivp(rhs, (a, b), state, rtol=1e-9, atol=1e-12, method="DOP853")
        state = step.y[:, -1]
        integral[float(b)] = state[2]
    out = np.array(
        [
            integral[float(e)] - integral[float(s)]
            for s, e in zip(frames.start, frames.end, strict=True)
        ]
    )
    return out * frames.decay_factors(half_life) / frames.duration


def parameters(rates, VB, delay, **kw):
    values = {**rates, "VB": VB, "delay": delay}
    return {k: torch.tensor([v], dtype=torch.float64, **kw) for k, v in values.items()}


@pytest.mark.parametrize("nuclide", ["F18", "C11"])
@pytest.mark.parametrize("model", list(MODELS))
@pytest.mark.parametrize("delay", [0.0, 7.3, -4.0])
def test_matches_ode_synthetic(model, nuclide, delay):
    check_ode(model, nuclide, delay, synthetic_curve())


@pytest.mark.parametrize("nuclide", ["F18", "C11"])
@pytest.mark.parametrize("model", list(MODELS))
def test_matches_ode_measured(model, nuclide, reference_data):
    check_ode(model, nuclide, 5.5, measured_curve(reference_data))


def check_ode(model, nuclide, delay, curve):
    half_life = Tracer.of(nuclide).half_life
    response = InputResponse(curve, UNEVEN, half_life)
    ours = predict(response, parameters(RATES[model], 0.06, delay))[0].numpy()
    theirs = solve(model, RATES[model], 0.06, delay, curve, UNEVEN, half_life)
    assert np.abs(ours - theirs).max() < 1e-6 * theirs.max()


def test_constant_input_has_a_closed_form():
    """C = c (1 - exp(-k2 t)) K1/k2 for a constant input, averaged with decay inside the frame."""
    curve = InputCurve(np.array([0.0, 4000.0]), np.full(2, 5.0), np.full(2, 5.0), "Bq/mL")
    half_life = 122.46
    decay, k2, K1 = np.log(2) / half_life, 0.7 / 60, 0.4 / 60
    s, e = UNEVEN.start, UNEVEN.end

    def integral(rate):
        return (np.exp(-rate * s) - np.exp(-rate * e)) / rate

    expected = 5 * K1 / k2 * (1 - integral(decay + k2) / integral(decay))
    response = InputResponse(curve, UNEVEN, half_life)
    ours = predict(response, parameters({"K1": 0.4, "k2": 0.7}, 0.0, 0.0))[0].numpy()
    np.testing.assert_allclose(ours, expected, rtol=1e-8)  # 26 half-lives: cancellation


def test_slow_rates_are_stable():
    """The k4 -> 0 and k2 -> 0 limits join the irreversible models smoothly."""
    response = InputResponse(synthetic_curve(), UNEVEN, 6584.04)
    almost = predict(response, parameters({"K1": 0.1, "k2": 0.2, "k3": 0.1, "k4": 1e-10}, 0.0, 0.0))
    exact = predict(response, parameters({"K1": 0.1, "k2": 0.2, "k3": 0.1}, 0.0, 0.0))
    torch.testing.assert_close(almost, exact, rtol=1e-8, atol=0)


@pytest.mark.parametrize("model", list(MODELS))
def test_gradients_match_finite_differences(model):
    response = InputResponse(synthetic_curve(), UNEVEN, 1221.66)
    values = parameters(RATES[model], 0.06, 3.2, requires_grad=True)
    names = list(values)

    def function(*inputs):
        return predict(response, dict(zip(names, inputs, strict=True))) / 1e3

    assert torch.autograd.gradcheck(
        function, tuple(values.values()), eps=1e-6, rtol=1e-5, atol=1e-6
    )


def test_batch_equals_single():
    response = InputResponse(synthetic_curve(), UNEVEN, 6584.04)
    many = {
        k: torch.tensor([v, 2 * v, 0.5 * v], dtype=torch.float64) for k, v in RATES["2TCM"].items()
    }
    many |= {
        "VB": torch.tensor([0.0, 0.05, 0.3], dtype=torch.float64),
        "delay": torch.tensor([0.0, 5, -3], dtype=torch.float64),
    }
    together = predict(response, many)
    for i in range(3):
        alone = predict(response, {k: v[i : i + 1] for k, v in many.items()})
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-12, atol=1e-9)


def test_macro_parameters():
    values = {k: np.array([v]) for k, v in RATES["2TCM"].items()}
    macro = macro_parameters(find_model("2TCM"), values)
    np.testing.assert_allclose(macro["Ki"], 0.52 * 0.3 / 1.7)
    np.testing.assert_allclose(macro["VT"], 0.52 / 1.4 * (1 + 0.3 / 0.05))


def test_unknown_model():
    with pytest.raises(UsageError, match="2TCM3k"):
        find_model("3TCM")
