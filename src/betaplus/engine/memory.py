"""Memory: planned before a run, bounded by `--max-memory`, measured after it."""

from __future__ import annotations

import re
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.engine.plan import MICROBATCH

__all__ = ["MemoryPlan", "PeakMemory", "memory_plan", "parse_memory", "peak_memory"]

_UNITS = {
    prefix + suffix: base**power
    for power, prefix in enumerate(("K", "M", "G", "T"), start=1)
    for suffix, base in (("", 1024), ("IB", 1024), ("B", 1000))
}
_LARGEST_BLOCK = 8 * MICROBATCH
_BLOCKS_WANTED = 32


def parse_memory(text: str) -> int:
    """Return the bytes meant by `4G`, `512M`, `1.5GiB` (powers of 1024) or `4GB` (of 1000).

    Raises:
        UsageError: If it is not a positive number with one of these units.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([KMGT](?:I?B)?)", text.strip().upper())
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size < 1:
        raise UsageError(
            f"--max-memory is {text!r}", "expected a size with a unit, such as 4G or 512M"
        )
    return size


@dataclass(frozen=True)
class MemoryPlan:
    """How many items a block holds and how many workers run, so that memory stays in bounds.

    Args:
        block_items: Items per block, whole microbatches.
        workers: Blocks at work at a time; fewer than asked for where the limit holds no more.
        bytes_total: Most memory the run is expected to take [bytes].
        limit: The bound asked for [bytes], or None.
    """

    block_items: int
    workers: int
    bytes_total: int
    limit: int | None

    @property
    def summary(self) -> str:
        """The plan in one line."""
        limit = "no limit set" if self.limit is None else f"limit {_readable(self.limit)}"
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        return (
            f"memory: {_readable(self.bytes_total)} planned, {limit}; "
            f"{workers}, blocks of {self.block_items}"
        )


def memory_plan(
    bytes_per_item: float,
    n_items: int,
    workers: int,
    limit: int | None = None,
    *,
    microbatch: int = MICROBATCH,
    fixed_bytes: int = 0,
    worker_bytes: int = 0,
) -> MemoryPlan:
    """Choose the block size, and fewer workers where needed, that keep a run within `limit`.

    Without a binding limit the block size depends on `n_items` alone, so that a run can be resumed
    with another number of workers and find its finished blocks.

    Args:
        bytes_per_item: Peak memory of one item in a block at work, with its results [bytes].
        n_items: Items in the run.
        workers: Blocks at work at a time.
        limit: Bound on the whole run [bytes], or None.
        microbatch: Items that cannot be parted.
        fixed_bytes: Held once whatever the block size: program, input and output arrays [bytes].
        worker_bytes: Held by each worker beside its block: a spawned interpreter with its libraries
            and its copy of the context, or 0 for threads [bytes].

    Raises:
        UsageError: If the limit does not hold one microbatch on one worker.
    """
    if n_items < 0 or workers < 1 or microbatch < 1:
        raise ValueError(f"{n_items} items, {workers} workers, microbatch {microbatch}")
    batches = max(1, -(-n_items // microbatch))
    most = max(1, _LARGEST_BLOCK // microbatch)
    per_block = min(most, -(-batches // _BLOCKS_WANTED))
    batch_bytes = bytes_per_item * microbatch
    workers = min(workers, batches)

    if limit is not None:
        room = limit - fixed_bytes
        needed = worker_bytes + batch_bytes
        if room < needed:
            raise UsageError(
                f"--max-memory {_readable(limit)} is too small",
                f"this run needs at least {_readable(fixed_bytes + needed)}",
                "give it more, or a smaller mask",
            )
        if needed > 0:
            workers = min(workers, int(room // needed))
        if batch_bytes > 0:
            per_block = min(per_block, int((room / workers - worker_bytes) // batch_bytes))
            per_block = max(per_block, 1)
    total = fixed_bytes + workers * (worker_bytes + per_block * batch_bytes)
    return MemoryPlan(per_block * microbatch, workers, int(total), limit)


@dataclass(frozen=True)
class PeakMemory:
    """Largest resident memory so far.

    Args:
        process: Of this process [bytes].
        largest_child: Of the largest child process that has ended [bytes], 0 if there was none. The
            kernel counts a child from its fork, so this is never below what its parent held then.
    """

    process: int
    largest_child: int


def peak_memory() -> PeakMemory:
    """Measure the peak resident memory of this process and of its finished children.

    Linux counts `ru_maxrss` in kB and carries it over `exec`, so there `VmHWM` of
    `/proc/self/status` is read for the process itself; macOS counts in bytes.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    status = Path("/proc/self/status")
    if status.exists():
        match = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        own = int(match[1]) * 1024 if match else own
    return PeakMemory(own, children)


def _readable(size: float) -> str:
    for power, unit in ((3, "GiB"), (2, "MiB")):
        if size >= 1024**power:
            return f"{size / 1024**power:.2f} {unit}"
    return f"{size / 1024:.0f} KiB"
