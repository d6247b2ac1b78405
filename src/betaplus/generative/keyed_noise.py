"""Standard normal noise that belongs to a voxel, whatever box it is asked for in.

A tile, a slab or a whole volume gets the same value at the same voxel, so that what is sampled
tile by tile has no seams and does not depend on how it was cut. Space is cut into blocks. Philox is
counter-based (Salmon et al., SC 2011), so all blocks of a draw share one key, that of
`core.seeds.generator`, and a block's place is part of the counter that its numbers start from.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["keyed_noise", "keyed_noises"]

_BLOCK = {1: (1 << 14,), 2: (64, 64), 3: (32, 32, 32)}
_CHANNELS, _STEPS = 1 << 12, 1 << 16
# Bits of the counter's first word: 36 for the numbers of a block, 12 for channels, 16 for steps.
_CHANNEL_BIT, _STEP_BIT = 36, 48


def keyed_noise(
    seed: int,
    draw: int,
    low: Sequence[int],
    shape: Sequence[int],
    *,
    item: int = 0,
    channels: int | None = None,
    step: int = 0,
) -> np.ndarray:
    """Return standard normal noise of a box of voxels, float32.

    Args:
        seed: Seed of the run.
        draw: Index of the draw.
        low: Voxel index of the box's first corner, one to three numbers; may be negative.
        shape: Size of the box, as many numbers.
        item: Index of the item.
        channels: How many; without it there is no axis of channels.
        step: Step of a sampler.

    Returns:
        Shape `shape`, or (channels, *shape).

    Raises:
        UsageError: If `low` and `shape` do not describe a box of 1 to 3 dimensions, or there are
            more than 4096 channels or 65536 steps.
    """
    _check(low, shape, channels, step)
    block = _BLOCK[len(shape)]
    philox = np.random.Philox(0)
    numbers = np.random.Generator(philox)
    state = generator(seed, item, draw).bit_generator.state
    noise = np.empty((channels or 1, *shape), np.float32)
    ranges = [
        range(start // edge, (start + size - 1) // edge + 1)
        for start, size, edge in zip(low, shape, block, strict=True)
    ]
    for channel, *place in itertools.product(range(channels or 1), *ranges):
        into, out_of = _overlap(place, block, low, shape)
        counter = np.zeros(4, np.uint64)
        counter[0] = step << _STEP_BIT | channel << _CHANNEL_BIT
        counter[1 : 1 + len(place)] = np.array(place, np.int64).view(np.uint64)
        state["state"]["counter"] = counter
        philox.state = state
        noise[channel][into] = numbers.standard_normal(block, np.float32)[out_of]
    return noise if channels is not None else noise[0]


def keyed_noises(
    seed: int,
    draw: int,
    low: Sequence[int],
    shape: Sequence[int],
    *,
    items: Sequence[int] = (0,),
    channels: int = 1,
    device: str = "cpu",
) -> Iterator[Tensor]:
    """Yield noise of step 0, 1, ... for a sampler, each of shape (items, channels, *shape).

    Args:
        seed: As for `keyed_noise`.
        draw: Likewise.
        low: Likewise.
        shape: Likewise.
        items: Indices of the items of a batch.
        channels: How many.
        device: Where to put it.
    """
    import torch

    for step in range(_STEPS):
        parts = [
            keyed_noise(seed, draw, low, shape, item=item, channels=channels, step=step)
            for item in items
        ]
        yield torch.from_numpy(np.stack(parts)).to(device)


def _check(low: Sequence[int], shape: Sequence[int], channels: int | None, step: int) -> None:
    if not 1 <= len(shape) <= 3 or len(low) != len(shape) or min(shape) < 0:
        raise UsageError(
            f"noise of a box at {tuple(low)} of shape {tuple(shape)}",
            "expected as many numbers for the corner as for the shape, 1 to 3",
        )
    if channels is not None and not 1 <= channels <= _CHANNELS:
        raise UsageError(f"noise of {channels} channels", f"expected 1 to {_CHANNELS}")
    if not 0 <= step < _STEPS:
        raise UsageError(f"noise of step {step}", f"expected 0 to {_STEPS - 1}")


def _overlap(
    place: Sequence[int], block: Sequence[int], low: Sequence[int], shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Return where a block lies in the box, and which part of the block that is."""
    into, out_of = [], []
    for at, edge, start, size in zip(place, block, low, shape, strict=True):
        first, last = max(at * edge, start), min((at + 1) * edge, start + size)
        into.append(slice(first - start, last - start))
        out_of.append(slice(first - at * edge, last - at * edge))
    return tuple(into), tuple(out_of)
