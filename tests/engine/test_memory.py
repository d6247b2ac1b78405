"""Memory limits: how they are read, kept and measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from betaplus.core.errors import UsageError
from betaplus.engine import memory_plan, parse_memory, peak_memory

MIB = 1024**2


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4G", 4 * 1024**3),
        (" 512m ", 512 * MIB),
        ("1.5GiB", 3 * 1024**3 // 2),
        ("2 GB", 2 * 10**9),
        (".5T", 1024**4 // 2),
        ("64k", 65536),
    ],
)
def test_sizes_are_read(text, size):
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "4", "G", "-4G", "0G", "nanG", "4GG", "4 X", "1e3M", "4,5G"])
def test_other_sizes_are_refused(text):
    with pytest.raises(UsageError, match="--max-memory"):
        parse_memory(text)


@given(
    st.floats(1, 1e6),
    st.integers(0, 10**8),
    st.integers(1, 64),
    st.integers(1, 2**36),
    st.integers(0, 2**33),
    st.integers(0, 2**30),
)
def test_a_plan_keeps_within_its_limit(per_item, n_items, workers, limit, fixed, per_worker):
    try:
        plan = memory_plan(
            per_item, n_items, workers, limit, fixed_bytes=fixed, worker_bytes=per_worker
        )
    except UsageError:
        assert limit < fixed + per_worker + 512 * per_item
        return
    assert plan.bytes_total <= limit
    assert plan.block_items >= 512 and plan.block_items % 512 == 0
    assert 1 <= plan.workers <= workers
    expected = fixed + plan.workers * (per_worker + plan.block_items * per_item)
    assert plan.bytes_total == pytest.approx(expected, abs=1)


def test_without_a_limit_blocks_do_not_depend_on_the_workers():
    sizes = {memory_plan(1000, 100_000, workers).block_items for workers in (1, 2, 16)}
    assert len(sizes) == 1


def test_a_tight_limit_shrinks_blocks_then_workers():
    free = memory_plan(2048, 10**6, 8)
    smaller = memory_plan(2048, 10**6, 8, 16 * MIB)
    fewest = memory_plan(2048, 10**6, 8, 3 * MIB)
    assert (free.block_items, free.workers, free.bytes_total) == (4096, 8, 64 * MIB)
    assert (smaller.block_items, smaller.workers) == (1024, 8)
    assert (fewest.block_items, fewest.workers) == (512, 3)
    assert fewest.summary == ("memory: 3.00 MiB planned, limit 3.00 MiB; 3 workers, blocks of 512")
    with pytest.raises(UsageError, match=r"at least 1\.00 MiB"):
        memory_plan(2048, 10**6, 8, MIB - 1)


def test_peak_memory_sees_an_allocation():
    before = peak_memory().process
    block = np.ones(64 * MIB // 8)
    after = peak_memory().process
    assert block.nbytes == 64 * MIB
    assert 8 * MIB < before < 64 * 1024 * MIB
    # The peak may have been higher before the test, but not below what is held now.
    assert after >= max(before, 64 * MIB)


def test_peak_memory_in_a_fresh_process_is_in_bytes():
    code = (
        "import numpy as np; from betaplus.engine.memory import peak_memory\n"
        "a = peak_memory().process; x = np.ones(2**24); b = peak_memory().process\n"
        "print(b - a)"
    )
    grown = int(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )
    assert 2**27 * 0.95 < grown < 2**27 * 1.1
    assert peak_memory().largest_child > 2**27
