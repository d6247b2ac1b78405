"""The relative plot: slopes up to one factor, without the early input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputCurve
from betaplus.patlak.study import make_study

from .scans import FRAMES, blood, fine, frame_mean, image, maps, scan


def found(study):
    return (study.problem.least_squares() * study.problem.scale.reshape(2, 1, 1, 1)).numpy()


def late_input(begin=1000.0) -> InputCurve:
    whole = blood().curve(3720.0)
    late = whole.time >= begin
    return InputCurve(whole.time[late], whole.plasma[late], whole.plasma[late], "Bq/mL")


def exponential(rate=0.02):
    """An input that falls as one exponential from 10 min on."""
    time, plasma, _ = fine()
    late = time >= 600
    at = plasma[np.flatnonzero(late)[0]]
    falling = np.where(late, at * np.exp(-rate * (time - 600) / 60), plasma)
    return InputCurve(time, falling, falling, "Bq/mL")


def test_slopes_are_Ki_times_one_factor():
    """Without the early input, which is not used where it is there either."""
    truth = maps()
    study = make_study(scan(truth), late_input(), t_star=1200.0, relative=True)
    slope, intercept = found(study)
    ratio = slope / truth[0]
    assert 1.2 < ratio.mean() < 6
    assert ratio.std() / ratio.mean() < 1e-4
    time, _, integral = fine()
    missing = np.interp(study.t_star, time, integral)
    about = study.relative
    assert about.alpha > 0 and about.beta > 0 and about.bend < 0.01
    np.testing.assert_allclose(slope, (1 + about.alpha * missing) * truth[0], rtol=2e-3)
    expected = truth[1] + about.beta * missing * truth[0]
    np.testing.assert_allclose(intercept, expected, rtol=2e-3)
    with_all = make_study(scan(truth), blood(), t_star=1200.0, relative=True)
    np.testing.assert_allclose(found(with_all), found(study), rtol=1e-5)
    (remark,) = (r for r in study.remarks if r.startswith("relative Patlak"))
    assert "V0' is V0 plus a multiple of Ki" in remark


def test_one_exponential_leaves_nothing():
    """Then the constant is in the span of what is left, and the residual is none."""
    curve = exponential()
    time = curve.time
    integral = np.r_[0, np.cumsum(np.diff(time) * (curve.plasma[1:] + curve.plasma[:-1]) / 2)] / 60
    pairs = list(zip(FRAMES.start, FRAMES.duration, strict=True))
    rows = np.array([[frame_mean(c, *p) for c in (integral, curve.plasma)] for p in pairs])
    truth = maps()
    followed = image(np.einsum("ti,ixyz->xyzt", rows, truth), FRAMES)
    study = make_study(followed, curve, t_star=1200.0, relative=True)
    assert study.relative.bend < 1e-4
    assert study.residual(study.problem.least_squares()).max() < 1e-4
    ratio = found(study)[0] / truth[0]
    assert ratio.std() / ratio.mean() < 1e-4


def test_frames_before_the_input():
    with pytest.raises(UsageError, match="t_star 300 s but the input begins at 1020 s"):
        make_study(scan(), late_input(), t_star=300.0, relative=True)
    study = make_study(scan(), late_input(), relative=True)  # by the rule
    assert study.t_star >= 1020
    shifted = dataclasses.replace(late_input(), time=late_input().time + 60)
    assert make_study(scan(), shifted, relative=True, delay=400.0).t_star >= 1480
