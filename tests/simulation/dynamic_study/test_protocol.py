"""Frame times and counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.simulation.dynamic_study.protocol import (
    DYNAMIC,
    PASSES,
    count_share,
    find_protocol,
)

HALF_LIFE = Tracer.of("F18", name="FDG").half_life


def test_an_hour_in_35_frames() -> None:
    timing = DYNAMIC.timing(0)
    assert len(timing) == 35
    assert timing.gaps.max() == 0.0 and DYNAMIC.end == 3600.0
    late = DYNAMIC.late()
    np.testing.assert_array_equal(late.start[:, 0], np.arange(1200.0, 3600.0, 300.0))


def test_six_passes_over_five_beds() -> None:
    assert PASSES.start.shape == (6, 5)
    assert PASSES.start.min() == 600.0 and PASSES.end == 4200.0
    assert (np.diff(PASSES.start, axis=1) == 45.0).all()  # one bed after the other
    assert np.bincount(PASSES.beds(247)).tolist() == [50, 49, 50, 49, 49]
    assert len(PASSES.late()) == 6


def test_counts_are_decays_over_those_of_the_static_scan() -> None:
    timing = FrameTiming(
        start=np.array([0.0, 3000.0, 3600.0]), duration=np.array([60.0, 300.0, 600.0])
    )

    def decays(start: float, duration: float) -> float:
        return quad(lambda t: 0.5 ** (t / HALF_LIFE), start, start + duration)[0]

    expected = [
        decays(s, d) / decays(3600.0, 600.0)
        for s, d in zip(timing.start, timing.duration, strict=True)
    ]
    np.testing.assert_allclose(count_share(timing, HALF_LIFE), expected, rtol=1e-9)


def test_unknown_protocols_are_refused() -> None:
    with pytest.raises(UsageError, match="expected dynamic or passes"):
        find_protocol("static")
