"""Splined responses and their derivatives against the exact ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core import FrameTiming, InputCurve
from betaplus.physics.compartment_jacobian import CompartmentJacobian
from betaplus.physics.compartments import MODELS, predict
from betaplus.physics.response import InputResponse
from betaplus.physics.response_spline import ResponseSpline

FRAMES = FrameTiming.from_durations([5.0] * 12 + [10] * 6 + [30] * 4 + [60] * 5 + [300] * 10)
BOX = {
    "K1": (0.01, 5.0),
    "k2": (0.02, 10.0),
    "k3": (0.001, 2.0),
    "k4": (-0.1, 0.5),
    "VB": (0.0, 1.0),
    "delay": (-30.0, 60.0),
}
# of the largest derivative; whole blood has kinks, so its derivative by delay has corners
LIMITS = {"K1": 5e-6, "VB": 5e-6, "delay": 5e-3}


@pytest.fixture(scope="module")
def response() -> InputResponse:
    time = np.array([0, 8, 11, 14, 17, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 2600, 3800.0])
    plasma = np.array([0, 0, 4, 30, 60, 50, 36, 28, 22, 16, 11, 7.5, 5, 3.1, 2.2, 1.7]) * 1e3
    blood = plasma * np.linspace(1.05, 0.8, time.size)
    return InputResponse(InputCurve(time, plasma, blood, "Bq/mL"), FRAMES, 1221.66)


def spline(response, fitted):
    rates = BOX["k4"][0], BOX["k2"][1] + BOX["k3"][1] + BOX["k4"][1]
    return ResponseSpline(response, rates, BOX["delay"] if fitted else (3.3, 3.3))


def drawn(names, n=400):
    """Log-uniform where possible, corners of the box first."""
    generator = torch.Generator().manual_seed(1)
    columns = []
    for i, name in enumerate(names):
        low, high = BOX[name]
        u = torch.rand(n, dtype=torch.float64, generator=generator)
        corner = torch.arange(2 ** len(names)) >> i & 1
        u[: len(corner)] = corner.double()
        columns.append(low * (high / low) ** u if low > 0 else low + (high - low) * u)
    return torch.stack(columns, 1)


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize("model", list(MODELS))
def test_matches_the_exact_model(response, model, fitted):
    curve = CompartmentJacobian(MODELS[model], spline(response, fitted))
    assert curve.parameters == (*MODELS[model].parameters, *(["delay"] if fitted else []))
    values = drawn(curve.parameters).requires_grad_()
    named = dict(zip(curve.parameters, values.unbind(1), strict=True))
    if not fitted:
        named["delay"] = torch.full((len(values),), 3.3, dtype=torch.float64)
    exact = predict(response, named)
    ours, by = curve(values.detach())
    peak = exact.abs().amax(1)
    error = ((ours - exact).abs().amax(1) / peak).max()
    assert error < (1e-5 if fitted else 1e-6)
    for frame in (3, 7, 15, 25, 36):
        (slope,) = torch.autograd.grad(exact[:, frame].sum(), values, retain_graph=True)
        scale = by.abs().amax(2)
        limit = torch.tensor([LIMITS.get(name, 2e-4) for name in curve.parameters])
        assert ((by[:, :, frame] - slope).abs() <= limit * scale).all()


@pytest.mark.parametrize("fitted", [False, True])
def test_derivatives_are_those_of_the_splined_curve(response, fitted):
    """Optimisers need the derivative of what they evaluate, to the last digits."""
    curve = CompartmentJacobian(MODELS["2TCM"], spline(response, fitted))
    generator = torch.Generator().manual_seed(2)
    low, high = torch.tensor([BOX[p] for p in curve.parameters], dtype=torch.float64).T
    values = low + (high - low) * (
        0.05 + 0.9 * torch.rand(200, len(low), dtype=torch.float64, generator=generator)
    )
    _, by = curve(values)
    for j, name in enumerate(curve.parameters):
        step = torch.zeros_like(low)
        step[j] = 1e-6 * (high[j] - low[j])
        difference = (curve(values + step)[0] - curve(values - step)[0]) / (2 * step[j])
        scale = difference.abs().amax(1, keepdim=True)
        assert ((by[:, j] - difference).abs() < 1e-4 * scale).all(), name


def test_bits_do_not_depend_on_the_batch(response):
    curve = CompartmentJacobian(MODELS["2TCM"], spline(response, True))
    values = drawn(curve.parameters)
    together, by = curve(values)
    for i in (0, 1, 17, 399):
        alone, by_alone = curve(values[i : i + 1])
        assert torch.equal(alone[0], together[i]) and torch.equal(by_alone[0], by[i])
