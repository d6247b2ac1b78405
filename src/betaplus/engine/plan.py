"""A plan: independent blocks, each with what it reads, what it alone writes, and what it costs."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MICROBATCH", "Block", "plan_curves"]

MICROBATCH = 512
"""Curves per microbatch: the one size that arithmetic on curves runs in, in global order."""


@dataclass(frozen=True)
class Block:
    """One independent piece of work.

    Args:
        index: Place in the plan, from 0.
        read: Region of the input it needs, one slice per leading axis, halo included.
        write: Region of the output that it alone writes, inside `read`.
        seed: Seed of the whole run. A draw is seeded by (seed, item, draw) with the item's global
            index, never by the block, so that the result does not depend on the block size.
        cost: Relative work; the costliest blocks are started first.

    Raises:
        ValueError: If a slice lacks bounds or has a step, or `write` is empty or not inside `read`.
    """

    index: int
    read: tuple[slice, ...]
    write: tuple[slice, ...]
    seed: int = 0
    cost: float = 1.0

    def __post_init__(self) -> None:
        """Check that the regions are plain ranges and that `write` lies inside `read`."""
        if not self.write or len(self.read) != len(self.write):
            raise ValueError(f"block {self.index}: read {self.read}, write {self.write}")
        for read, write in zip(self.read, self.write, strict=True):
            plain = all(
                isinstance(part.start, int) and isinstance(part.stop, int) and part.step is None
                for part in (read, write)
            )
            if not plain or not 0 <= read.start <= write.start < write.stop <= read.stop:
                raise ValueError(f"block {self.index}: write {write} is not inside read {read}")

    @property
    def start(self) -> int:
        """First item written, along the first axis."""
        return int(self.write[0].start)

    @property
    def stop(self) -> int:
        """One past the last item written, along the first axis."""
        return int(self.write[0].stop)

    @property
    def inner(self) -> tuple[slice, ...]:
        """The write region in the coordinates of the array read: what is left without the halo."""
        return tuple(
            slice(write.start - read.start, write.stop - read.start)
            for read, write in zip(self.read, self.write, strict=True)
        )

    @property
    def region(self) -> str:
        """The write region as text, for file names and messages: `0-512` or `0-32_32-64_0-16`."""
        return "_".join(f"{part.start}-{part.stop}" for part in self.write)


def plan_curves(
    n_items: int, microbatch: int = MICROBATCH, block_items: int | None = None, seed: int = 0
) -> list[Block]:
    """Cut `n_items` curves into blocks of whole microbatches in global order.

    Args:
        n_items: Number of curves.
        microbatch: Curves per microbatch; only the last block may end inside one.
        block_items: Most curves in a block, rounded down to whole microbatches; one microbatch if
            None. `MemoryPlan.block_items` is made for this.
        seed: Seed of the run, carried by every block.

    Raises:
        ValueError: If a count is negative, or a block would hold less than one microbatch.
    """
    wanted = microbatch if block_items is None else block_items
    if n_items < 0 or microbatch < 1 or wanted < microbatch:
        raise ValueError(f"{n_items} items, microbatch {microbatch}, block of {block_items}")
    size = wanted // microbatch * microbatch
    regions = [(slice(start, min(start + size, n_items)),) for start in range(0, n_items, size)]
    return [
        Block(index, region, region, seed, float(region[0].stop - region[0].start))
        for index, region in enumerate(regions)
    ]
