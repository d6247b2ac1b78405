"""The Patlak operator against quadrature, and the errors that it does not make."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.physics.patlak import PatlakOperator
from betaplus.physics.response import InputResponse
from betaplus.simulation.input_functions import feng

HALF_LIFE = 6584.04
FENG = (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043)


def bolus(arrival=15.0) -> InputCurve:
    pieces = np.arange(0, 200, 1.0), np.arange(200, 700, 5), np.arange(700, 3700, 50)
    time = np.concatenate(pieces)
    plasma = 100 * np.maximum(feng((time - arrival) / 60, *FENG), 0)
    return InputCurve(time, plasma, plasma, "Bq/mL")


def by_quadrature(curve, frames, half_life, delay):
    """Frame means of the input and of its integral [min], decay inside the frame, by trapezia."""
    decay = np.log(2) / half_life
    out = []
    for start, end in zip(frames.start, frames.end, strict=True):
        t = np.linspace(start, end, 4001)
        before = np.unique(np.r_[curve.time[curve.time < start - delay], start - delay])
        value = np.interp(t - delay, curve.time, curve.plasma, left=0.0)
        until = np.trapezoid(np.interp(before, curve.time, curve.plasma, left=0.0), before)
        within = np.r_[0, np.cumsum(np.diff(t) * (value[1:] + value[:-1]) / 2)]
        weight = np.exp(-decay * t)
        means = [
            np.trapezoid(weight * v, t) / np.trapezoid(weight, t) for v in (until + within, value)
        ]
        out.append([means[0] / 60, means[1]])
    return np.array(out)


@pytest.mark.parametrize(("half_life", "delay"), [(6584.04, 0.0), (1221.84, 7.5), (122.24, -4.0)])
def test_matrix_is_frame_means(half_life, delay):
    frames = FrameTiming(
        np.array([0, 10, 30, 90, 300, 700, 1300.0]), np.array([10, 20, 60, 180, 300, 600, 600.0])
    )
    curve = bolus()
    operator = PatlakOperator(InputResponse(curve, frames, half_life), delay)
    expected = by_quadrature(curve, frames, half_life, delay)
    np.testing.assert_allclose(operator.matrix.numpy(), expected, rtol=2e-5, atol=1e-3)
    assert operator.in_shape == (2,) and operator.out_shape == (7,)


def test_forward_and_adjoint():
    operator = PatlakOperator(InputResponse(bolus(), FrameTiming.from_durations([60.0] * 9), 6584))
    rng = np.random.default_rng(0)
    x, y, w = (torch.from_numpy(rng.random(s)) for s in ((4, 5, 2), (4, 5, 9), (4, 5, 9)))
    matrix = operator.matrix.numpy()
    np.testing.assert_allclose(operator.forward(x).numpy(), x.numpy() @ matrix.T, rtol=1e-12)
    left, right = (operator.forward(x) * y).sum(), (x * operator.adjoint(y)).sum()
    assert abs(float(left / right) - 1) < 1e-12
    expected = np.einsum("tp,abt,tq->abpq", matrix, w.numpy(), matrix)
    np.testing.assert_allclose(operator.normal(w).numpy(), expected, rtol=1e-12)
    alone = operator.normal(w[1, 2])
    assert torch.equal(alone, operator.normal(w)[1, 2])  # the same bits in any batch
    z = x.clone().requires_grad_()
    (operator.forward(z) * y).sum().backward()
    np.testing.assert_allclose(z.grad.numpy(), operator.adjoint(y).numpy(), rtol=1e-12)


@pytest.mark.parametrize(("minutes", "least"), [(5, 2.0), (10, 4.0)])
def test_samples_at_mid_times_bias_Ki_and_this_does_not(minutes, least):
    """Curves that follow Patlak's equation exactly, by quadrature; frames as the only samples."""
    Ki, V0, duration = 0.03, 0.5, 60.0 * minutes
    frames = FrameTiming.from_durations([duration] * (60 // minutes))
    for arrival in (0.0, 15.0, 44.0):
        curve = bolus(arrival)
        exact = by_quadrature(curve, frames, HALF_LIFE, 0.0)
        late = frames.start >= 1200
        y = exact @ [Ki, V0]

        def solve(a, b, late=late, y=y):
            return np.linalg.lstsq(np.stack([a, b], 1)[late], y[late], rcond=None)[0]

        matrix = PatlakOperator(InputResponse(curve, frames, HALF_LIFE)).matrix.numpy()
        np.testing.assert_allclose(solve(*matrix.T), [Ki, V0], rtol=1e-5)
        sample = np.interp(frames.mid, curve.time, curve.plasma)
        step = np.diff(frames.mid, prepend=0.0)
        before = np.r_[0.0, sample[:-1]]
        summed = np.cumsum(step * (sample + before) / 2) / 60
        assert least < 100 * (solve(summed, sample)[0] / Ki - 1) < 12


def test_integrating_to_the_end_of_the_frame_shifts_V0():
    Ki, V0, duration = 0.03, 0.5, 300.0
    frames = FrameTiming.from_durations([duration] * 12)
    curve = bolus()
    y = by_quadrature(curve, frames, HALF_LIFE, 0.0) @ [Ki, V0]
    matrix = PatlakOperator(InputResponse(curve, frames, HALF_LIFE)).matrix.numpy()
    fine = np.arange(0, 3600.5, 0.5)
    value = np.interp(fine, curve.time, curve.plasma)
    integral = np.r_[0, np.cumsum(0.25 * (value[1:] + value[:-1]))] / 60
    ends = np.interp(frames.end, fine, integral)
    late = frames.start >= 1200
    wrong = np.linalg.lstsq(np.stack([ends, matrix[:, 1]], 1)[late], y[late], rcond=None)[0]
    assert abs(wrong[0] / Ki - 1) < 0.002
    shift = -Ki * duration / 60 / 2
    assert abs((wrong[1] - V0) / shift - 1) < 0.06
