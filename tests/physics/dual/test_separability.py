"""The bound: against other derivatives, against least squares of noisy mixtures, and its shape."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.tracer import Tracer
from betaplus.physics.compartment_jacobian import CompartmentJacobian
from betaplus.physics.compartments import find_model, predict
from betaplus.physics.dual import Mixing, TracerKinetics, separability
from betaplus.physics.least_squares import levenberg_marquardt
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

SHORT = [15.0] * 4 + [60.0] * 4 + [150.0] * 2


def bolus(late, fall):
    time = np.concatenate([np.arange(0.0, 100.0, 5.0), np.geomspace(100.0, 7500.0, 30)])
    t = np.maximum(time - 10.0, 0.0) / 60.0
    value = 5000 * ((150 * t - 4 - late) * np.exp(-4 * t) + 4 * np.exp(-fall * t))
    value += 5000 * late * np.exp(-0.008 * t)
    return InputCurve(time, np.maximum(value, 0.0), np.maximum(value, 0.0), "Bq/mL")


FAST = TracerKinetics(
    tracer=Tracer.of("C11", name="C"),
    injection=0.0,
    curve=bolus(1.5, 0.2),
    model="1TCM",
    values={"K1": 0.3, "k2": 0.05, "VB": 0.05},
)
FDG = TracerKinetics(
    tracer=Tracer.of("F18", name="FDG"),
    injection=0.0,
    curve=bolus(3.0, 0.12),
    model="2TCM3k",
    values={"K1": 0.11, "k2": 0.15, "k3": 0.1, "VB": 0.05},
)


def protocol(delay):
    before, left = [], delay
    for d in [*SHORT, *[300.0] * 20]:
        if left <= 0:
            break
        before.append(min(d, left))
        left -= d
    frames = FrameTiming.from_durations([*before, *SHORT, *[300.0] * 9])
    return frames, (FAST, dataclasses.replace(FDG, injection=delay))


def dense(frames, parts, found):
    """Jacobian of the mixture by the splines' closed forms, and the precision of the frames."""
    mixing = Mixing(frames, [p.tracer for p in parts], [p.injection for p in parts])
    rows = []
    for i, part in enumerate(parts):
        response = InputResponse(part.curve, mixing.own_frames(i), part.tracer.half_life)
        spline = ResponseSpline(response, (0.0, 1.0), (0.0, 0.0))
        model = find_model(part.model)
        values = torch.tensor([[part.values[p] for p in model.parameters]], dtype=torch.float64)
        _, by = CompartmentJacobian(model, spline)(values)
        full = np.zeros((by.shape[1], len(frames)))
        full[:, mixing.seen[i]] = by[0].numpy() * mixing.decay[i, mixing.seen[i]]
        rows.append(full)
    precision = frames.duration / 60 / (25.0 * (found.means + 1.0))
    return rows, precision


@pytest.mark.parametrize("delay", [0.0, 1200.0])
def test_bound_is_the_inverse_information_of_other_derivatives(delay):
    frames, parts = protocol(delay)
    found = separability(frames, parts, level=5.0, floor=1.0)
    rows, w = dense(frames, parts, found)
    J = np.concatenate(rows)
    both = np.linalg.inv((J * w) @ J.T)
    sd = np.sqrt(np.diag(both))
    assert [found.dual[0][p] for p in ("K1", "k2", "VB")] == pytest.approx(sd[:3], rel=2e-3)
    assert [found.dual[1][p] for p in ("K1", "k2", "k3", "VB")] == pytest.approx(sd[3:], rel=2e-3)
    single = np.linalg.inv((rows[0] * w) @ rows[0].T)
    gradient = np.array([1 / 0.05, -0.3 / 0.05**2])  # of VT = K1 / k2
    assert found.alone[0]["VT"] == pytest.approx(
        np.sqrt(gradient @ single[:2, :2] @ gradient), rel=2e-3
    )
    assert found.values[0]["VT"] == pytest.approx(6.0)


def test_least_squares_of_noisy_mixtures_spread_as_the_bound_says():
    """At high counts, where a fit is unbiased and linear in the noise: 400 fits."""
    frames, parts = protocol(1200.0)
    found = separability(frames, parts, level=0.05, floor=1.0)
    mixing = Mixing(frames, [p.tracer for p in parts], [0.0, 1200.0])
    sd = torch.from_numpy(np.sqrt((found.means + 1.0) * 60 / frames.duration) * 0.05)
    rng = np.random.default_rng(0)
    data = torch.from_numpy(found.means + sd.numpy() * rng.standard_normal((400, len(frames))))
    jacobians, at = [], []
    for i, part in enumerate(parts):
        response = InputResponse(part.curve, mixing.own_frames(i), part.tracer.half_life)
        spline = ResponseSpline(response, (0.0, 2.0), (0.0, 0.0))
        jacobians.append(CompartmentJacobian(find_model(part.model), spline))
        at += [part.values[p] for p in find_model(part.model).parameters]

    def residuals(values, problems):
        mean = torch.zeros(len(values), len(frames), dtype=torch.float64)
        slope = torch.zeros(len(values), 7, len(frames), dtype=torch.float64)
        for i, rows in enumerate((slice(0, 3), slice(3, 7))):
            seen = torch.from_numpy(np.flatnonzero(mixing.seen[i]))
            d = torch.from_numpy(mixing.decay[i, mixing.seen[i]])
            curve, by = jacobians[i](values[:, rows])
            mean[:, seen] += d * curve
            slope[:, rows, seen] += d * by
        return (mean - data[problems]) / sd, slope / sd

    start = torch.tensor(at, dtype=torch.float64).repeat(400, 1)
    fit = levenberg_marquardt(residuals, start, start[0] * 0.2, start[0] * 5.0)
    v = fit.values.numpy()
    VT, Ki = v[:, 0] / v[:, 1], v[:, 3] * v[:, 5] / (v[:, 4] + v[:, 5])
    assert VT.std() == pytest.approx(found.dual[0]["VT"], rel=0.12)
    assert Ki.std() == pytest.approx(found.dual[1]["Ki"], rel=0.12)
    assert v[:, 0].std() == pytest.approx(found.dual[0]["K1"], rel=0.12)


def test_waiting_helps_and_the_second_tracer_costs_less_the_later_it_comes():
    """A slow C-11 tracer before FDG: tens of times at once, about twice after half an hour."""
    slow = dataclasses.replace(FAST, values={**FAST.values, "k2": 0.035})
    ratio = []
    for delay in (0.0, 600.0, 1200.0, 1800.0):
        frames, (_, second) = protocol(delay)
        found = separability(frames, (slow, second), floor=1.0, noise="own")
        ratio.append(found.inflation[0]["VT"])
        assert all(value > 0.999 for one in found.inflation for value in one.values())
    assert ratio == sorted(ratio, reverse=True)
    assert ratio[0] > 15 and 4 < ratio[1] < 20 and 1.5 < ratio[3] < 3


def test_noise_alone_and_known_parameters():
    frames, parts = protocol(600.0)
    mixture = separability(frames, parts, floor=1.0)
    own = separability(frames, parts, floor=1.0, noise="own")
    assert own.dual == mixture.dual
    assert own.alone[0]["VT"] < mixture.alone[0]["VT"]
    known = [dataclasses.replace(p, fixed=("VB",)) for p in parts]
    calmer = separability(frames, known, floor=1.0)
    assert "VB" not in calmer.dual[0] and calmer.dual[0]["K1"] < mixture.dual[0]["K1"]
    louder = separability(frames, parts, floor=1.0, level=10.0)
    assert louder.dual[1]["Ki"] == pytest.approx(2 * mixture.dual[1]["Ki"])
    assert louder.inflation[1]["Ki"] == pytest.approx(mixture.inflation[1]["Ki"])


def test_the_same_tracer_twice_cannot_be_told_apart():
    frames = FrameTiming.from_durations([*SHORT, *[300.0] * 9])
    found = separability(frames, (FAST, FAST), floor=1.0)
    assert found.inflation[0]["VT"] == np.inf
    with pytest.raises(UsageError, match="noise 'white' is unknown"):
        separability(frames, (FAST, FDG), noise="white")


def test_means_are_the_forward_model():
    frames, parts = protocol(0.0)
    found = separability(frames, parts, floor=1.0)
    total = np.zeros(len(frames))
    for part in parts:
        response = InputResponse(part.curve, frames, part.tracer.half_life)
        values = {k: torch.tensor(v, dtype=torch.float64) for k, v in part.values.items()}
        factors = frames.decay_factors(part.tracer.half_life)
        total += predict(response, values).numpy() / factors
    assert found.means == pytest.approx(total, rel=1e-12)
