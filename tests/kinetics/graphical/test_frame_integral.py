"""The matrix that integrates frame means, against integrals known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.kinetics.graphical.frame_integral import arrival, check_complete, frame_integral
from betaplus.physics.response import InputResponse

from .scans import FRAMES, HALF_LIFE, one_tissue, plasma


def means(function, frames, half_life):
    """Frame means by Gauss-Legendre, decay inside the frame included."""
    x, w = np.polynomial.legendre.leggauss(60)
    t = frames.start[:, None] + frames.duration[:, None] * (1 + x) / 2
    w = w * np.exp(-np.log(2) / half_life * (t - frames.start[:, None]))
    return (w * function(t)).sum(1) / w.sum(1)


@pytest.mark.parametrize("half_life", [122.24, 1221.84, 1e7])
@pytest.mark.parametrize("first", [0.0, 8.0])
def test_straight_lines_are_exact(half_life, first):
    """Also over gaps, and over the time from the arrival to the first frame."""
    frames = FrameTiming(
        np.array([first, 20, 50, 120, 300, 620.0]), np.array([20 - first, 30, 60, 180, 300, 200.0])
    )
    matrix = frame_integral(frames, half_life, 0.0)
    curve = means(lambda t: 3.0 * t, frames, half_life)
    expected = means(lambda t: 1.5 * t**2 / 60, frames, half_life)
    np.testing.assert_allclose(matrix @ curve, expected, rtol=1e-10)


def test_bends_are_followed():
    """A curve with a maximum in coarse frames: a fraction of the error of flat frames."""
    frames = FrameTiming.from_durations([60.0] * 5 + [300.0] * 3 + [900.0] * 4)

    def curve(t):
        return t / 600 * np.exp(1 - t / 600)

    def integral(t):
        return 10 * np.e * (1 - (1 + t / 600) * np.exp(-t / 600))

    y, expected = means(curve, frames, 1221.84), means(integral, frames, 1221.84)
    ours = frame_integral(frames, 1221.84, 0.0) @ y
    level = np.tril(np.ones((12, 12)), -1) + 0.5 * np.eye(12)
    as_flat = level @ (y * frames.duration) / 60
    late = frames.start >= 600
    error, worse = (np.abs(v / expected - 1)[late].max() for v in (ours, as_flat))
    assert error < 0.002 and error < 0.15 * worse


def test_bolus():
    y = one_tissue(0.4, 0.1)
    integral = frame_integral(FRAMES, HALF_LIFE, arrival(plasma(), 0.0)) @ y
    # dC/dt = K1 Cp - k2 C, so that k2 int C = K1 int Cp - C, frame by frame
    zero = torch.zeros((), dtype=torch.float64)
    total = InputResponse(plasma(), FRAMES, HALF_LIFE).tissue(zero).numpy()
    expected = (0.4 * total - y) / 0.1
    late = FRAMES.start > 300
    np.testing.assert_allclose(integral[late], expected[late], rtol=5e-4)


def test_arrival():
    # 1 % of the peak of 60,000 is 600: from 0 at 8 s to 9,000 at 12 s
    assert arrival(plasma(), 0.0) == pytest.approx(8 + 4 * 600 / 9000)
    assert arrival(plasma(), 5.0) == pytest.approx(13 + 4 * 600 / 9000)


def test_incomplete_scans_are_refused():
    frames = FrameTiming(np.array([20.0, 60, 120]), np.array([40.0, 60, 600]))
    check_complete(frames, 10.0, "Logan")
    with pytest.raises(InputError, match="first frame starts at 20 s, the input at 9 s"):
        check_complete(frames, 9.0, "Logan")
    gap = FrameTiming(np.array([0.0, 60, 500]), np.array([60.0, 300, 500]))
    with pytest.raises(InputError, match=r"140 s without counts between frames 2 and 3.*100 s"):
        check_complete(gap, 0.0, "MRTM2")
    check_complete(FrameTiming(np.array([0.0, 400]), np.array([300.0, 600])), 0.0, "MRTM2")
