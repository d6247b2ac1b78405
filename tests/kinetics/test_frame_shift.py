"""A shift by one frame: found either way, not where there is none, and by tables before curves."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kinetics import brute_force as grid
from tests.kinetics.test_compare import QUICK, clean, table

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.tacs import TacTable
from betaplus.kinetics.fit import fit
from betaplus.kinetics.frame_shift import LIMIT, FrameShift, frame_shift

CURVES = clean("2TCM", K1=np.linspace(0.1, 0.4, 6), k2=0.4, k3=0.1, k4=0.02, VB=0.05)
NOISY = grid.noisy(CURVES, 3.0, 2)
LATE = np.concatenate([np.zeros((6, 1)), NOISY[:, :-1]], axis=1)
EARLY = np.concatenate([NOISY[:, 1:], NOISY[:, -1:]], axis=1)


def check(values, **options):
    return frame_shift(
        table(values), grid.CURVE, settings=QUICK, workers=1, **({"delay": 0.0} | options)
    )


def test_shifts_are_found_and_told_apart():
    right, late, early = (check(values) for values in (NOISY, LATE, EARLY))
    assert [c.verdict for c in (right, late, early)] == ["right", "late", "early"]
    assert not right.shifted.any()
    assert late.shifted.all() and (late.late > late.early).all()
    assert early.shifted.all() and (early.early > early.late).all()


def test_a_table_says_what_its_curves_cannot_with_the_delay_fitted():
    found = check(LATE, delay="fit")
    assert found.verdict == "late"
    assert found.late.sum() > found.late.max()


def test_the_factor_is_a_ratio_of_evidences_of_the_same_values():
    frames = grid.FRAMES

    def evidence(values, start, duration):
        part = TacTable(
            values=values, frames=FrameTiming(start, duration), unit="Bq/mL", tracer=TRACER
        )
        return fit(
            part, grid.CURVE, delay=0.0, method="exact", settings=settings, workers=1
        ).diagnostics["evidence"]

    TRACER = table(NOISY).tracer
    settings = {"coarse": 2048, "pilot": 512, "fine": 1024, "least_ess": 200.0} | QUICK
    expected = evidence(LATE[:2, 1:], frames.start[:-1], frames.duration[:-1]) - evidence(
        LATE[:2, 1:], frames.start[1:], frames.duration[1:]
    )
    np.testing.assert_allclose(check(LATE[:2]).late, expected, atol=1e-6)


def test_verdicts():
    def says(late, early):
        return FrameShift(late=np.array(late), early=np.array(early))

    assert says([1.5, 1.5], [-9.0, -9.0]).verdict == "late"
    assert not says([1.5, 1.5], [-9.0, -9.0]).shifted.any()
    assert says([LIMIT + 1, -9.0], [0.0, 0.0]).verdict == "right"
    assert says([LIMIT + 1, -9.0], [0.0, 0.0]).shifted.tolist() == [True, False]
    assert says([3.0], [4.0]).verdict == "early"


def test_what_cannot_be_checked_is_refused():
    with pytest.raises(UsageError, match="auto or a level"):
        check(NOISY, noise="estimate")
    short = TacTable(values=NOISY[:, :2], frames=FrameTiming([0, 10], [10, 10]), unit="Bq/mL")
    with pytest.raises(UsageError, match="at least 3"):
        frame_shift(short, grid.CURVE)
