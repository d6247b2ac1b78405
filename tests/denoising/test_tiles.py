"""Even tiles are no more than plain ones, no larger, and cover the volume."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.denoising.tiles import even_tiles
from betaplus.generative.tiling import plan_tiles


def test_they_fit() -> None:
    random = np.random.default_rng(0)
    saved = 0
    for _ in range(300):
        multiple = int(random.choice([2, 4, 8]))
        overlap = int(random.integers(0, 5)) * multiple
        tile = overlap + multiple * int(random.integers(1, 12))
        shape = tuple(int(n) for n in random.integers(1, 200, 3))
        edges = even_tiles(shape, tile, overlap, multiple)
        even = plan_tiles(shape, edges, overlap, multiple)
        plain = plan_tiles(shape, tile, overlap, multiple)
        assert len(even) == len(plain) and max(edges) <= tile
        assert all(edge % multiple == 0 for edge in edges)
        saved += np.prod(plain.size) - np.prod(even.size)
    assert saved > 0


def test_a_little_more_than_a_tile() -> None:
    assert even_tiles((115, 96, 40), 96, 24, 8) == (72, 96, 96)


@pytest.mark.parametrize("tile", [24, 30])
def test_what_makes_no_tiles_is_left_to_be_refused(tile: int) -> None:
    assert even_tiles((115, 96, 40), tile, 24, 8) == (tile,) * 3
