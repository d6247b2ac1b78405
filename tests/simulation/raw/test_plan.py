"""What may be asked for."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.simulation.raw.plan import make_plan


def _sum(plan):
    return plan.budget.trues + plan.budget.scatter + plan.budget.randoms


def test_counts_per_voxel_are_those_of_the_mmr():
    full, small = make_plan(size="full"), make_plan()
    assert _sum(full) == pytest.approx(5e8)
    assert full.scanner.name == "mMR" and small.scanner.name == "teaching"
    assert _sum(small) / np.prod(small.grid.shape) == pytest.approx(
        _sum(full) / np.prod(full.grid.shape)
    )


def test_a_shorter_scan_is_the_middle_of_the_frame():
    plan = make_plan(time_fraction=0.25)
    assert plan.planned.mid[0] == plan.frames.mid[0] == 3000.0
    assert plan.frames.duration[0] == 300.0


def test_dynamic_has_the_frames_of_the_tracer():
    plan = make_plan(dynamic=True, tracer="PBR28", time_fraction=0.5)
    assert len(plan.frames) == len(plan.profile.durations) == 27
    np.testing.assert_allclose(plan.frames.mid, plan.planned.mid)


def test_time_of_flight_covers_the_field_of_view():
    scanner = make_plan(tof=True).scanner
    assert scanner.tof and scanner.tof_bins % 2 == 1
    assert scanner.tof_bins * scanner.tof_bin >= 2.0 * scanner.fov_radius
    assert (scanner.tof_bins - 3) * scanner.tof_bin < 2.0 * scanner.fov_radius
    assert not make_plan(scanner=scanner, tof=False).scanner.tof
    assert make_plan(scanner=scanner, tof=True).scanner == scanner


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"size": "huge"}, "'huge' is unknown"),
        ({"scanner": "MMX"}, "'MMX' is unknown"),
        ({"anatomy": "body"}, "'body' is unknown"),
        ({"tracer": "X"}, "'X' is unknown"),
        ({"dose_fraction": 0.0}, "dose fraction 0"),
        ({"dose_fraction": 1.1}, "dose fraction 1.1"),
        ({"time_fraction": float("nan")}, "time fraction nan"),
        ({"counts": 0.5}, "0.5 counts"),
        ({"counts": float("inf")}, "inf counts"),
        ({"randoms": 1.0}, "share of randoms"),
        ({"scatter": -0.1}, "share of scatter"),
        ({"realisations": 0}, "0 realisations"),
        ({"realisations": 100}, "100 realisations"),
        ({"size": "full", "tof": True}, "million bins"),
        ({"scanner": "Quadra"}, "million bins"),
        ({"scanner": "Vision600", "tof": False}, "million bins"),
    ],
)
def test_refusals(options, text):
    with pytest.raises(UsageError, match=text):
        make_plan(**options)
