"""Blood curves: Feng's formula, scale with dose, samples that core accepts."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.seeds import generator
from betaplus.simulation.input_functions import draw_blood, feng, sample_times
from betaplus.simulation.tracers import PROFILES


def test_feng_is_zero_at_arrival_and_has_its_closed_integral():
    amplitudes, rates = (851.1, 21.88, 20.81), (4.134, 0.1191, 0.01043)
    assert feng(np.array([-3.0, 0.0]), amplitudes, rates) == pytest.approx([0, 0], abs=1e-12)
    t = np.linspace(0, 50, 500_001)
    (a1, a2, a3), (l1, l2, l3) = amplitudes, rates
    fall = np.exp(-l1 * 50)
    closed = a1 * (1 - fall * (1 + 50 * l1)) / l1**2 - (a2 + a3) * (1 - fall) / l1
    closed += a2 * (1 - np.exp(-l2 * 50)) / l2 + a3 * (1 - np.exp(-l3 * 50)) / l3
    assert np.trapezoid(feng(t, amplitudes, rates), t) == pytest.approx(closed, rel=1e-6)


@pytest.mark.parametrize("name", PROFILES)
def test_samples_cover_the_scan_and_need_no_mending(name):
    profile = PROFILES[name]
    end = float(profile.frames.end[-1])
    blood = draw_blood(profile.blood, profile.activity_per_gram, end, generator(1))
    curve = blood.curve(end)
    assert blood.time[0] == 0.0 and blood.time[-1] == end
    assert (np.diff(sample_times(end)) > 0).all()
    assert not any(
        word in r for r in curve.remarks for word in ("extrapolated", "negative", "zero")
    )
    assert blood.plasma[0] == 0.0
    assert 10 < blood.time[np.argmax(blood.plasma)] < 70


@pytest.mark.parametrize("name", PROFILES)
def test_curves_scale_with_activity(name):
    profile = PROFILES[name]
    one = draw_blood(profile.blood, 1000.0, 3600.0, generator(2))
    three = draw_blood(profile.blood, 3000.0, 3600.0, generator(2))
    assert three.plasma == pytest.approx(3 * one.plasma)
    assert three.whole_blood == pytest.approx(3 * one.whole_blood)


def test_fdg_levels_are_those_of_people():
    profile = PROFILES["FDG"]
    late, area, peak = [], [], []
    for seed in range(200):
        blood = draw_blood(profile.blood, 1.0, 3600.0, generator(seed))
        curve = blood.curve(3600.0)
        late.append(curve.plasma[-1])
        area.append(np.trapezoid(curve.plasma, curve.time) / 60)
        peak.append(curve.plasma.max())
    assert 1.5 < np.median(late) < 2.2  # SUV
    assert 160 < np.median(area) < 220  # SUV min
    assert 10 < np.median(peak) < 30
    assert 0.08 < np.std(np.log(area)) < 0.25
    ratio = blood.whole_blood[1:][blood.plasma[1:] > 0] / blood.plasma[1:][blood.plasma[1:] > 0]
    assert (ratio < 1).all() and (ratio > 0.75).all()


def test_pbr28_is_metabolised():
    profile = PROFILES["PBR28"]
    blood = draw_blood(profile.blood, 1.0, 3600.0, generator(0))
    known = blood.parent_fraction[np.isfinite(blood.parent_fraction)]
    assert known[0] == 1.0 and 0.05 < known[-1] < 0.2
    assert (np.diff(known) < 0).all()
    curve = blood.curve(3600.0)
    assert curve.plasma[-1] == pytest.approx(blood.plasma[-1] * known[-1])
