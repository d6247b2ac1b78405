"""SUVR by hand, and its noise."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.kinetics.graphical.suvr import Suvr

from .scans import FRAMES, check_bits, check_spread, noisy, reference, reference_task, run, task

UNEVEN = FrameTiming(np.array([0, 600, 1800, 3000, 3300.0]), np.array([600, 1200, 1200, 300, 600]))
REFERENCE = np.array([5.0, 9, 8, 6, 5])
CURVE = np.array([6.0, 12, 14, 13, 9])


def uneven(**changes):
    return reference_task("SUVR", **changes | {"frames": UNEVEN, "reference": REFERENCE})


def test_by_hand():
    # 3900 s: the last 20 min begin at 2700 s
    out = run("suvr", uneven(predict=True), CURVE)
    ratio = (300 * 13 + 600 * 9) / (300 * 6 + 600 * 5)
    assert out["SUVR"][0] == pytest.approx(ratio, rel=1e-6)
    assert (out["t_star"][0], out["frames_used"][0], out["status"][0]) == (3000, 2, 1)
    np.testing.assert_allclose(out["fit"][0, 3:], ratio * REFERENCE[3:], rtol=1e-6)
    assert np.isnan(out["fit"][0, :3]).all()
    out = run("suvr", uneven(t_star=1700.0), CURVE)
    ratio = (1200 * 14 + 300 * 13 + 600 * 9) / (1200 * 8 + 300 * 6 + 600 * 5)
    assert out["SUVR"][0] == pytest.approx(ratio, rel=1e-6)
    assert out["t_star"][0] == 1800
    assert run("suvr", uneven(), CURVE, window=2400.0)["frames_used"][0] == 3


def test_last_frame_alone():
    """Always taken, also where it is longer than the window; the level stays unknown."""
    out = run("suvr", uneven(), CURVE, window=60.0)
    assert out["SUVR"][0] == pytest.approx(9 / 5)
    assert np.isnan(out["SUVR_sd"][0]) and np.isnan(out["noise"][0]) and out["status"][0] == 1
    assert out["quantiles"][0, 0, 1] == pytest.approx(9 / 5) and np.isnan(out["quantiles"][0, 0, 0])
    sd = np.array([1.0, 1, 1, 0.5, 0.25])
    known = run("suvr", uneven(noise=sd), CURVE, window=60.0)
    assert known["SUVR_sd"][0] == pytest.approx(0.25 / 5)


def test_error_propagation_by_hand():
    sd = np.array([1.0, 1, 1, 0.5, 0.25])
    out = run("suvr", uneven(noise=sd), CURVE)
    expected = np.hypot(300 * 0.5, 600 * 0.25) / (300 * 6 + 600 * 5)
    assert out["SUVR_sd"][0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("noise", ["auto", 3.0])
def test_spread(noise):
    work = reference_task("SUVR", noise=noise, t_star=2000.0)
    out = run("suvr", work, noisy(work, 1.3 * reference(), 3.0, 1500))
    check_spread(out, "SUVR", 0.08)
    assert out["SUVR"].mean() == pytest.approx(1.3, rel=0.005)
    assert np.sqrt(np.mean(out["noise"].astype(float) ** 2)) == pytest.approx(3.0, rel=0.03)
    assert (out["status"] == 1).mean() > 0.99


def test_bits(monkeypatch):
    work = reference_task("SUVR", samples=3, predict=True)
    curves = noisy(work, 1.3 * reference(), 3.0, 20)
    check_bits("suvr", work, curves, "betaplus.kinetics.graphical.fitter", monkeypatch)


def test_late_scans_will_do():
    late = np.arange(len(FRAMES)) >= len(FRAMES) - 4
    work = reference_task("SUVR", frames=FRAMES.select(late), reference=reference()[late])
    out = run("suvr", work, 2 * reference()[late])
    assert out["SUVR"][0] == pytest.approx(2.0)


def test_bad_input():
    with pytest.raises(UsageError, match="without a reference region"):
        Suvr().prepare(task("SUVR"))
    with pytest.raises(UsageError, match="t_star 4000 s leaves 0 of 5 frames"):
        Suvr().prepare(uneven(t_star=4000.0))
    with pytest.raises(UsageError, match="window=0"):
        Suvr.Settings(window=0.0)
    bad = reference().copy()
    bad[-2] = -1.0
    with pytest.raises(InputError, match=r"reference region is -1 Bq/mL in frame 39"):
        Suvr().prepare(task("SUVR", reference=bad))
