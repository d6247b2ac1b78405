"""Times of slices: groups, decay, and tables that do not describe a scan."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming

PASSES, BEDS, SLICES = 6, 5, 4


def rows():
    """6 passes x 5 beds of 4 slices: 45 s a bed, 10 s to move, the next pass at once."""
    number = np.repeat(np.arange(PASSES), BEDS)
    bed = np.tile(np.arange(BEDS), PASSES)
    start = 1200.0 + 55.0 * np.arange(PASSES * BEDS)
    return [bed * SLICES, bed * SLICES + SLICES - 1, number + 1, start, np.full(30, 45.0)]


def of(table):
    return BedTimes.of_rows(*table, shape=(PASSES, BEDS * SLICES), where="beds.tsv")


def test_six_passes_of_five_beds():
    times = of(rows())
    assert (len(times), times.slices) == (6, 20)
    beds = times.beds()
    assert [bed.slices.tolist() for bed in beds] == np.arange(20).reshape(5, 4).tolist()
    for k, bed in enumerate(beds):
        np.testing.assert_allclose(bed.frames.start, 1200 + 55 * (k + 5 * np.arange(6)))
        np.testing.assert_allclose(bed.frames.gaps, 4 * 55 + 10)
    factors = times.decay_factors(6584.04)
    for z in (0, 7, 19):
        alone = FrameTiming(times.start[:, z], times.duration[:, z]).decay_factors(6584.04)
        np.testing.assert_array_equal(factors[:, z], alone)
    late = times.select(np.array([4, 5]))
    assert len(late) == 2 and late.start[0, 0] == 1200 + 55 * 20
    assert late.end[1, 19] == 1200 + 55 * 29 + 45


def test_order_of_rows_and_beds_does_not_matter():
    order = np.random.default_rng(0).permutation(30)
    again = of([column[order] for column in rows()])
    np.testing.assert_array_equal(again.start, of(rows()).start)


def test_seen_at_once():
    frames = FrameTiming.from_durations([60.0, 120, 300])
    times = BedTimes.at_once(frames, 7)
    (bed,) = times.beds()
    assert bed.frames == frames and bed.slices.size == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: [c[:-1] for c in t], r"slice 16 is in no bed of pass 6 in beds.tsv \(4 such"),
        (lambda t: [t[0] - (t[0] > 0), *t[1:]], "slice 3 is in two beds of pass 1"),
        (lambda t: [t[0] + 1, t[1] + 1, *t[2:]], "row 5 .*slices 17 to 20 of pass 1.*0 to 19"),
        (lambda t: [*t[:2], t[2] - 1, *t[3:]], "row 1 .*pass 0.*passes from 1 to 6"),
        (lambda t: [*t[:4], t[4] + 230], "rows 1 and 2 of beds.tsv overlap: 1200 to 1475 s"),
        (lambda t: [*t[:2], 7 - t[2], *t[3:]], "beds.tsv: slice 0: frame 2 starts at 2300"),
        (lambda t: [*t[:4], 0 * t[4]], "slice 0: frame 1 lasts 0 s"),
    ],
)
def test_tables_that_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        of(change(rows()))


def test_shapes_that_are_refused():
    with pytest.raises(InputError, match=r"\(3,\)"):
        BedTimes(np.zeros(3), np.ones(3))
    with pytest.raises(InputError, match="slice 1: frame 1 ends at 70 s, after frame 2"):
        BedTimes(np.array([[0.0, 0], [60, 60]]), np.array([[60.0, 70], [60, 60]]))
