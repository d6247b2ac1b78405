"""Small studies one after the other in one process leave nothing in memory."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from tests.killing.soak import growth, soak

ROUND = 5
MOST = 6 << 20  # bytes a round, of which a study's arrays would be many times more


def test_growth_is_that_of_a_line() -> None:
    rounds = np.arange(40.0)
    noise = 1e5 * np.sin(7.3 * rounds)
    slope, error = growth(5e8 + 3e5 * rounds + noise)
    assert abs(slope - 3e5) < 4 * error < 4e4
    start = np.where(rounds < 8, 1e9, 0.0)  # what is given back after the beginning
    assert abs(growth(5e8 + start)[0]) < 1.0


@pytest.mark.slow
def test_memory_stays(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("resident memory is read from /proc")
    with get_context("spawn").Pool(1) as alone:  # memory that no other test has used
        memory = alone.apply(soak, (8 * ROUND, tmp_path))
    slope, error = growth(memory)
    assert slope - 3 * error < MOST
    assert memory[-1] - memory[len(memory) // 2] < MOST * ROUND
