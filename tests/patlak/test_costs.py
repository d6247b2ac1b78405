"""Memory is planned from shapes alone, and grows as it should."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.patlak.costs import plan_memory
from betaplus.patlak.gibbs import Gibbs
from betaplus.patlak.method import METHODS, find_method
from betaplus.patlak.prior_choice import prior_configs

from .scans import scan

BODY, BRAIN = prior_configs(None, "auto")
MB = 1 << 20


class Shape:
    """Voxels that nobody may read."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape


def image(edge: int, frames: int = 20, voxel: float = 4.0):
    timing = FrameTiming.from_durations([60.0] * frames)
    affine = np.diag([voxel, voxel, voxel, 1.0])
    return dataclasses.replace(
        scan(), data=Shape(edge, edge, edge, frames), frames=timing, affine=affine
    )


def planned(shown, method="hqs", prior=BODY, workers=1, limit=None):
    return plan_memory(shown, method, find_method(method).Settings(), prior, workers, limit)


@pytest.mark.parametrize("method", METHODS)
def test_volumes_count_and_frames_do_not(method):
    few, many = (planned(image(200, n), method).bytes_total for n in (10, 100))
    assert few == many
    small = planned(image(100), method).bytes_total
    assert few > small + 7 * 100**3 * 60


def test_a_prior_on_a_finer_grid_takes_more():
    same, finer = planned(image(100)), planned(image(100), prior=BRAIN)
    assert finer.bytes_total - same.bytes_total == 100 * 200**3
    assert planned(image(50, voxel=8.0)).bytes_total > planned(image(50)).bytes_total


def test_draws_take_more():
    some, more = (
        plan_memory(image(100), "gibbs", Gibbs.Settings(samples=n), BODY, 1, None).bytes_total
        for n in (8, 16)
    )
    assert more - some == 8 * 24 * 100**3


def test_a_limit_costs_threads_then_refuses():
    free = planned(image(100), workers=8)
    assert free.workers == 8
    bound = planned(image(100), workers=8, limit=free.bytes_total - 300 * MB)
    assert bound.workers < 8 and bound.bytes_total <= bound.limit
    with pytest.raises(UsageError, match="is too small; this run needs at least"):
        planned(image(100), limit=200 * MB)
