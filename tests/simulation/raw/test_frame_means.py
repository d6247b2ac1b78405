"""Frames of a scan share one sensitivity and have the sums that were planned."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL

from betaplus.core.frames import FrameTiming
from betaplus.simulation.raw.acquisition import Acquisition
from betaplus.simulation.raw.activity import draw_subject
from betaplus.simulation.raw.attenuation import mu_map
from betaplus.simulation.raw.efficiencies import crystal_efficiencies
from betaplus.simulation.raw.frame_means import ScanMeans
from betaplus.simulation.raw.head import finer, make_head
from betaplus.simulation.raw.plan import Plan, make_plan

FRAMES = FrameTiming(np.array([0.0, 60.0, 300.0, 1800.0]), np.array([10.0, 60.0, 300.0, 1200.0]))


def _plan(**options) -> Plan:
    plan = make_plan(scanner=SMALL, tracer="PBR28", counts=1e6, **options)
    short = options.get("time_fraction", 1.0)
    middle = dataclasses.replace(
        FRAMES, start=FRAMES.mid - 0.5 * short * FRAMES.duration, duration=short * FRAMES.duration
    )
    return dataclasses.replace(plan, planned=FRAMES, frames=middle)


@pytest.fixture(scope="module")
def scene():
    plan = _plan()
    head = make_head(finer(plan.grid), plan.seed)
    subject = draw_subject(plan.profile, FRAMES, plan.seed)
    scan = Acquisition(SMALL, head.grid, mu_map(head.labels), crystal_efficiencies(SMALL))
    return head, subject, scan


def _totals(scene, **options):
    head, subject, scan = scene
    means = ScanMeans(_plan(**options), head, subject, scan)
    rows = [means.frame(n).totals() for n in range(len(FRAMES))]
    return means, {k: np.array([row[k] for row in rows]) for k in rows[0]}


@pytest.fixture(scope="module")
def full(scene):
    return _totals(scene)


def test_sums_over_all_frames(full):
    totals = full[1]
    assert totals["prompts"].sum() == pytest.approx(1e6, rel=1e-4)
    assert totals["randoms"].sum() == pytest.approx(4e5, rel=1e-4)
    signal = totals["scatter"] + totals["trues"]
    np.testing.assert_allclose(totals["scatter"][1:] / signal[1:], 0.35, rtol=1e-4)


def test_randoms_follow_the_square_of_the_rate(full):
    totals = full[1]
    rate = totals["trues"] / FRAMES.duration
    np.testing.assert_allclose(
        totals["randoms"][1:] / totals["randoms"][3],
        rate[1:] ** 2 * FRAMES.duration[1:] / (rate[3] ** 2 * FRAMES.duration[3]),
        rtol=1e-4,
    )


def test_trues_follow_activity_duration_and_decay(full, scene):
    head, subject, scan = scene
    weights = scan.weights()
    activity = [np.sum(weights * subject.image(head, n), dtype=float) for n in range(len(FRAMES))]
    middle = np.exp(-np.log(2.0) / 1221.66 * FRAMES.mid)  # C-11; exact but for long frames
    expected = np.array(activity) * FRAMES.duration * middle * full[0].sensitivity
    np.testing.assert_allclose(full[1]["trues"], expected, rtol=0.03)
    np.testing.assert_allclose(full[1]["trues"][:3], expected[:3], rtol=2e-3)


def test_lower_dose(full, scene):
    means, low = _totals(scene, dose_fraction=0.1)
    for name, factor in (("trues", 0.1), ("scatter", 0.1), ("randoms", 0.01)):
        np.testing.assert_allclose(low[name], factor * full[1][name], rtol=1e-5)
    assert means.dose_sensitivity == pytest.approx(0.1 * full[0].sensitivity)


def test_shorter_scan(full, scene):
    means, short = _totals(scene, time_fraction=0.1)
    for name in ("trues", "scatter", "randoms"):
        np.testing.assert_allclose(short[name], 0.1 * full[1][name], rtol=0.04)  # decay in frames
        np.testing.assert_allclose(short[name][:3], 0.1 * full[1][name][:3], rtol=4e-3)
    assert means.dose_sensitivity == full[0].sensitivity
