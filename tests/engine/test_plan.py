"""Plans cover every item once, in whole microbatches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.engine import Block, plan_curves


@given(st.integers(0, 20_000), st.integers(1, 700), st.integers(0, 5000))
def test_blocks_partition_the_items_in_whole_microbatches(n_items, microbatch, more):
    plan = plan_curves(n_items, microbatch, microbatch + more, seed=7)
    covered = np.concatenate([np.arange(b.start, b.stop) for b in plan] or [np.arange(0)])
    np.testing.assert_array_equal(covered, np.arange(n_items))
    assert [b.index for b in plan] == list(range(len(plan)))
    assert all(b.start % microbatch == 0 for b in plan)
    assert all((b.stop - b.start) <= microbatch + more for b in plan)
    assert all(b.seed == 7 and b.cost == b.stop - b.start for b in plan)


def test_inner_region_takes_the_halo_off():
    volume = np.random.default_rng(0).random((40, 50, 60))
    block = Block(
        4,
        read=(slice(0, 20), slice(12, 36), slice(28, 60)),
        write=(slice(0, 16), slice(16, 32), slice(32, 60)),
    )
    np.testing.assert_array_equal(volume[block.read][block.inner], volume[block.write])
    assert block.region == "0-16_16-32_32-60"


@pytest.mark.parametrize(
    ("read", "write"),
    [
        ((slice(4, 8),), (slice(2, 6),)),
        ((slice(0, 8),), (slice(4, 9),)),
        ((slice(0, 8),), (slice(4, 4),)),
        ((slice(0, 8, 2),), (slice(0, 4),)),
        ((slice(None, 8),), (slice(0, 4),)),
        ((slice(0, 8), slice(0, 8)), (slice(0, 4),)),
        ((), ()),
    ],
)
def test_impossible_regions_are_refused(read, write):
    with pytest.raises(ValueError, match="block 0"):
        Block(0, read, write)


@pytest.mark.parametrize("arguments", [(-1,), (10, 0), (10, 512, 511)])
def test_impossible_plans_are_refused(arguments):
    with pytest.raises(ValueError, match="microbatch"):
        plan_curves(*arguments)
