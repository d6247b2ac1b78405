"""The mixture of two tracers against integrals, and a correction undone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.physics.dual import Mixing, undo_decay_correction

C11, F18 = Tracer.of("C11", name="A"), Tracer.of("F18", name="B")
FRAMES = FrameTiming.from_durations([60.0] * 5 + [300.0] * 11)


def measured(level, tracer, injection, start, end):
    """Mean over a frame of a decay-corrected constant that appears at the injection."""
    begin = max(start, injection)
    if end <= begin:
        return 0.0
    decayed = quad(lambda t: np.exp(-tracer.decay_constant * (t - injection)), begin, end)[0]
    return level * decayed / (end - start)


@pytest.mark.parametrize("injection", [0.0, 600.0, 1000.0])
def test_frames_are_integrals_of_what_decays(injection):
    """Frames before the injection, after it, and the one it falls into."""
    mixing = Mixing(FRAMES, (C11, F18), (0.0, injection))
    x = np.zeros((2, 1, len(FRAMES)))
    x[0], x[1] = 3.0, 5.0 * mixing.seen[1]
    expected = [
        measured(3.0, C11, 0.0, s, e) + measured(5.0, F18, injection, s, e)
        for s, e in zip(FRAMES.start, FRAMES.end, strict=True)
    ]
    assert mixing.forward(x)[0] == pytest.approx(expected, rel=1e-12)
    assert (mixing.decay[1, FRAMES.end <= injection] == 0).all()
    if injection == 1000.0:
        assert mixing.split.sum() == 1
        with pytest.raises(InputError, match=r"falls into frame 8 \(900 to 1200 s\)"):
            mixing.require_whole_frames()
    else:
        mixing.require_whole_frames()


def test_adjoint_is_one():
    rng = np.random.default_rng(0)
    mixing = Mixing(FRAMES, (C11, F18), (0.0, 600.0))
    x, m = rng.random((2, 7, len(FRAMES))), rng.random((7, len(FRAMES)))
    assert np.sum(mixing.forward(x) * m) == pytest.approx(np.sum(x * mixing.adjoint(m)), rel=1e-12)


def test_own_frames_begin_at_the_injection():
    mixing = Mixing(FRAMES, (C11, F18), (0.0, 1000.0))
    own = mixing.own_frames(1)
    assert own.start[0] == 0.0 and own.end[0] == pytest.approx(200.0)
    assert own.start[1] == pytest.approx(200.0) and len(own) == mixing.seen[1].sum()


@pytest.mark.parametrize("reference", [0.0, -120.0, 900.0])
def test_a_correction_for_one_nuclide_is_undone(reference):
    rng = np.random.default_rng(1)
    raw = rng.random((4, len(FRAMES)))
    decayed = [
        quad(lambda t: np.exp(-F18.decay_constant * (t - reference)), s, e)[0] / (e - s)
        for s, e in zip(FRAMES.start, FRAMES.end, strict=True)
    ]
    found = undo_decay_correction(raw / np.array(decayed), FRAMES, F18, reference)
    assert found == pytest.approx(raw, rel=1e-12)


def test_an_injection_after_the_scan_is_refused():
    with pytest.raises(InputError, match="B was injected at 9000 s, the scan ends at 3600 s"):
        Mixing(FRAMES, (C11, F18), (0.0, 9000.0))
