"""Directions of curves: what they span, how they follow a protocol, which sign they have."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.separation.small_study import small_problem
from tests.separation.toy import FDG, FMZ, bolus, frames_with

from betaplus.core.errors import UsageError
from betaplus.physics.dual import Mixing
from betaplus.separation.basis import CurveSpace, curve_space
from betaplus.separation.canonical import canonical, canonical_spaces, leading
from betaplus.simulation.tracers import find_profile


def spaces_at(delay: float, size: int = 4, subjects: int = 30) -> tuple[CurveSpace, Mixing]:
    mixing = Mixing(frames_with(delay), (FMZ, FDG), (0.0, delay))
    made = curve_space(
        find_profile("FDG"), mixing, 1, blood=bolus(9000.0), arrival=3.0, size=size,
        subjects=subjects,
    )  # fmt: skip
    return made, mixing


def test_they_span_the_same_curves_with_the_same_prior():
    """(The covariance B B' is that of the curves, and must not change.)"""
    space, mixing = spaces_at(1200.0)
    turned = canonical(space, mixing.frames, 1200.0)
    assert turned.basis @ turned.basis.T == pytest.approx(space.basis @ space.basis.T, rel=1e-6)
    again = canonical(turned, mixing.frames, 1200.0)
    assert again.basis == pytest.approx(turned.basis, abs=1e-9)


def test_only_the_first_moves_the_curve_late_and_it_goes_up():
    space, mixing = spaces_at(1200.0)
    turned = canonical(space, mixing.frames, 1200.0)
    seen = mixing.seen[1]
    middle = mixing.frames.mid[seen] - 1200.0
    span = mixing.frames.end[-1] - 1200.0
    late, early = (
        np.array([np.interp(part * span, middle, b[seen]) for b in turned.basis.T])
        for part in (0.9, 0.12)
    )
    assert late[0] > 0 and np.abs(late[1:]).max() < 1e-6 * late[0]
    assert early[1] > 0 and np.abs(early[2:]).max() < 1e-6 * early[1]


def test_signs_do_not_depend_on_those_of_the_components():
    space, mixing = spaces_at(600.0)
    turned = canonical(space, mixing.frames, 600.0)
    for signs in ((1, -1, 1, -1), (-1, -1, 1, 1)):
        flipped = dataclasses.replace(space, basis=space.basis * signs)
        swapped = dataclasses.replace(space, basis=flipped.basis[:, [1, 0, 3, 2]])
        for other in (flipped, swapped):
            found = canonical(other, mixing.frames, 600.0).basis
            assert found == pytest.approx(turned.basis, abs=1e-9)


def test_they_follow_the_delay_without_jumps():
    """Curves of a second tracer in its own time hardly know of a later injection."""
    before = None
    for delay in (1200.0, 1215.0, 1230.0, 1245.0):
        space, mixing = spaces_at(delay)
        turned = canonical(space, mixing.frames, delay)
        seen = mixing.seen[1]
        middle = mixing.frames.mid[seen] - delay
        at = np.linspace(100.0, 3000.0, 40)
        now = np.stack([np.interp(at, middle, b[seen]) for b in turned.basis.T])
        if before is not None:
            size = np.sqrt((now**2).mean(1))
            assert (np.sqrt(((now - before) ** 2).mean(1)) < 0.1 * size).all()
        before = now


def test_the_leading_directions_do_not_depend_on_the_rotation():
    space, mixing = spaces_at(1200.0, size=6)
    precision = mixing.frames.duration * mixing.decay[1] ** 2
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]
    turned = dataclasses.replace(space, basis=space.basis @ turn)
    one, other = (leading(s, precision, 4).basis for s in (space, turned))
    first = space.first(4).basis
    size = np.abs(first @ first.T).max()
    assert one @ one.T / size == pytest.approx(other @ other.T / size, abs=1e-9)
    assert one @ one.T / size == pytest.approx(first @ first.T / size, abs=1e-9)


def test_a_network_of_more_directions_than_there_are_is_refused():
    problem, _ = small_problem()
    with pytest.raises(UsageError, match="6 directions of the curves of FMZ; expected 7"):
        canonical_spaces(problem, (7, 4))
    with pytest.raises(UsageError, match="no spaces"):
        canonical_spaces(dataclasses.replace(problem, spaces=None), (4, 4))
