"""Random numbers that belong to an item and a draw, not to a batch, a worker or a moment."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["generator", "item_keys"]


def generator(seed: int, item: int = 0, draw: int = 0) -> np.random.Generator:
    """Return the generator of one draw of one item; the same three numbers give the same stream.

    Philox is counter-based: streams of different (seed, item, draw) never overlap in practice.
    """
    sequence = np.random.SeedSequence(entropy=(int(seed), int(item), int(draw)))
    return np.random.Generator(np.random.Philox(sequence))


def item_keys(seed: int, items: np.ndarray) -> np.ndarray:
    """Return one 64-bit key per item, shape (N,) uint64, for counter-based kernels.

    SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) of the seed and the item's index.
    """
    with np.errstate(over="ignore"):
        start = _mix(np.uint64(int(seed) & 0xFFFFFFFFFFFFFFFF) + np.uint64(0x9E3779B97F4A7C15))
        steps = np.asarray(items, dtype=np.uint64) + np.uint64(1)
        return _mix(start + steps * np.uint64(0x9E3779B97F4A7C15))


def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
