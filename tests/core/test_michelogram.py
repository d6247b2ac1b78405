"""Segments, planes and pairs of rings, against counting them one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from betaplus.core.errors import UsageError
from betaplus.core.michelogram import Michelogram
from betaplus.core.scanners import SCANNERS


def test_the_mmr() -> None:
    found = SCANNERS["mMR"].michelogram
    assert [s.planes for s in found.segments] == [127, 115, 115, 93, 93, 71, 71, 49, 49, 27, 27]
    assert found.planes == 837
    assert found.multiplicity.sum() == len(found.pairs) == 4084
    assert (found.multiplicity.min(), found.multiplicity.max()) == (1, 6)
    assert [(s.lowest, s.highest) for s in found.segments[:5]] == [
        (-5, 5), (6, 16), (-16, -6), (17, 27), (-27, -17),
    ]  # fmt: skip


def test_no_compression_has_a_plane_for_each_pair() -> None:
    found = Michelogram(64, 1, 60)
    assert found.planes == 4084 and (found.multiplicity == 1).all()
    assert [s.planes for s in found.segments[:4]] == [64, 63, 63, 62]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 24), st.integers(0, 6), st.data())
def test_every_pair_has_the_plane_that_its_rings_say(rings: int, half: int, data: st.DataObject):
    most = data.draw(st.integers(0, rings - 1))
    found = Michelogram(rings, 2 * half + 1, most)
    seen: dict[int, set[tuple[int, bool]]] = {}
    for one in range(rings):
        for two in range(rings):
            plane = int(found.plane_of_pair[one, two])
            if abs(two - one) > most:
                assert plane == -1
                continue
            segment = next(s for s in found.segments if s.slice.start <= plane < s.slice.stop)
            assert segment.lowest <= two - one <= segment.highest
            assert abs(two - one - segment.number * (2 * half + 1)) <= half
            assert found.midpoints[plane] == 0.5 * (one + two)
            seen.setdefault(plane, set()).add((one + two, segment.number > 0))
    assert sorted(seen) == list(range(found.planes))  # no plane is empty
    assert all(len(kinds) == 1 for kinds in seen.values())


@pytest.mark.parametrize("numbers", [(0, 1, 0), (8, 2, 3), (8, 3, 8), (8, 3, -1), (8, -1, 3)])
def test_numbers_that_do_not_go_together(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="expected"):
        Michelogram(*numbers)


def test_planes_are_listed_by_their_pairs() -> None:
    found = Michelogram(6, 3, 4)
    listed = found.plane_of_pair[found.pairs[:, 0], found.pairs[:, 1]]
    assert np.array_equal(listed, np.repeat(np.arange(found.planes), found.multiplicity))
