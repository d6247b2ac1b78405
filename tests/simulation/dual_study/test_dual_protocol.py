"""Frames, decay and draws of protocols of two tracers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from betaplus.core.errors import InputError, UsageError
from betaplus.core.frames import FrameTiming
from betaplus.simulation.dual_study import (
    PROTOCOLS,
    draw_dual_protocol,
    dual_protocol,
    find_dual_protocol,
)
from betaplus.simulation.dual_study.schedule import SCHEDULES, find_schedule


@pytest.mark.parametrize("name", sorted(SCHEDULES))
@pytest.mark.parametrize("delay", [0.0, 45.0, 600.0, 1200.0, 2400.0, 3333.3])
def test_frames_fill_the_scan_and_one_begins_at_the_second_injection(
    name: str, delay: float
) -> None:
    frames = SCHEDULES[name](delay, 3600.0)
    assert frames.start[0] == 0.0 and frames.end[-1] == pytest.approx(delay + 3600.0)
    assert np.abs(frames.start - delay).min() < 1e-6
    assert frames.gaps.max(initial=0.0) < 1e-6
    if name.isdigit():
        assert len(frames) == int(name)
        last = frames.duration[frames.start > delay - 1e-6]
        assert (np.diff(last) >= -2.0).all()  # they grow, but for rounding


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_decay_is_the_mean_over_the_frame_since_the_own_injection(name: str) -> None:
    protocol = find_dual_protocol(name)
    d, frames = protocol.mixing.decay, protocol.frames
    assert len(frames) == 18 and d.shape == (2, 18)
    for i, (profile, injection) in enumerate(
        zip(protocol.tracers, protocol.injections, strict=True)
    ):
        rate = np.log(2.0) / profile.tracer.half_life
        for f in range(len(frames)):
            low, high = frames.start[f] - injection, frames.end[f] - injection
            mean = 0.0
            if low > -1e-6:
                area, _ = quad(lambda t, rate=rate: np.exp(-rate * t), low, high, epsabs=1e-13)
                mean = area / (high - low)
            assert d[i, f] == pytest.approx(mean, rel=1e-9, abs=1e-15)
    assert not protocol.mixing.split.any()


def test_delay_and_order_move_the_frames_with_them() -> None:
    protocol = dual_protocol("FDG", "FMZ", 1500.0, doses=(1.0, 0.5))
    other = protocol.replace(delay=300.0)
    assert 300.0 in other.frames.start and len(other.frames) == len(protocol.frames)
    back = protocol.reversed()
    assert [p.tracer.name for p in back.tracers] == ["FMZ", "FDG"] and back.doses == (0.5, 1.0)
    given = FrameTiming.from_durations([600.0] * 8)
    split = protocol.replace(schedule=given, delay=900.0)
    assert split.frames is given and split.mixing.split[1, 1]


def test_draws_lie_in_their_ranges_and_belong_to_their_number() -> None:
    drawn = [draw_dual_protocol(3, i, either_order=True) for i in range(60)]
    delays = np.array([p.delay for p in drawn])
    levels = np.array([p.level for p in drawn])
    assert delays.min() >= 0 and delays.max() <= 2400 and np.ptp(delays) > 1800
    assert levels.min() >= 2.9 and levels.max() <= 20.0
    firsts = [p.tracers[0].tracer.name for p in drawn]
    assert 15 < firsts.count("FDG") < 45
    again = draw_dual_protocol(3, 17, either_order=True)
    assert (again.delay, again.doses, again.level) == (
        drawn[17].delay, drawn[17].doses, drawn[17].level,
    )  # fmt: skip


def test_what_cannot_be_scanned_is_refused() -> None:
    with pytest.raises(UsageError, match="tracer 'XYZ' is unknown"):
        dual_protocol("XYZ", "FDG")
    with pytest.raises(UsageError, match="delay of -1"):
        dual_protocol("FMZ", "FDG", -1.0)
    with pytest.raises(UsageError, match="protocol 'none' is unknown"):
        find_dual_protocol("none")
    with pytest.raises(UsageError, match="frames '17' are unknown"):
        find_schedule("17")
    with pytest.raises(TypeError, match="colour"):
        dual_protocol("FMZ", "FDG", colour=1)
    late = dual_protocol("FMZ", "FDG", schedule=FrameTiming.from_durations([600.0]))
    with pytest.raises(InputError, match="before the end of the scan"):
        _ = late.mixing
