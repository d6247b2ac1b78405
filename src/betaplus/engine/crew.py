"""The workers of an engine as those who compute the pieces of a method."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.engine.executors import InlineExecutor, default_workers, workers_lost
from betaplus.engine.journal import Journal
from betaplus.engine.plan import Block
from betaplus.engine.run import run
from betaplus.engine.sending import Envelope, Result
from betaplus.engine.workers import Workers

__all__ = ["EngineCrew"]

_WHOLE = (slice(0, 1),)


class EngineCrew:
    """Has pieces computed in an engine, and keeps what is kept in the journal of the run.

    Args:
        executor: From `betaplus.engine.open_engine`.
        workers: Pieces at work at a time.
        journal: Of the run, or None.
        progress: Told of workers that were lost.

    Attributes:
        done: Pieces and steps that were kept, those that were found among them.
        resumed: Those that were found in the journal.
    """

    def __init__(
        self,
        executor: str | Executor,
        workers: int,
        journal: Journal | None = None,
        progress: Progress | None = None,
    ) -> None:
        alone = executor == "inline" or isinstance(executor, InlineExecutor)
        self._executor, self._workers, self._journal = executor, 1 if alone else workers, journal
        self._notes = _NotesOnly(progress)
        self.done = self.resumed = 0
        self._sealed: tuple[Any, Any, Envelope] | None = None

    def limit(self, workers: int) -> None:
        """Have at most so many pieces at work from now on."""
        self._workers = min(self._workers, workers)

    @property
    def workers_lost(self) -> int:
        """Workers that the engine has lost in the middle of their work."""
        return workers_lost(self._executor)

    @property
    def threads(self) -> int:
        """Threads for what is computed in the command itself, while workers wait."""
        return min(self._workers, default_workers())

    def each(
        self,
        function: Callable[..., Mapping[str, Any]],
        shared: Any,
        count: int,
        part: Callable[[int], tuple[Any, ...]],
        kept: str = "",
    ) -> Iterator[Mapping[str, Any]]:
        """Yield results in order; see `betaplus.core.crew.Crew`."""
        plan = [Block(i, (slice(i, i + 1),), (slice(i, i + 1),)) for i in range(count)]
        journal = self._journal if kept else None
        there: set[int] = set()
        if journal is not None:
            there = {b.index for b in plan if journal.load(b, kept) is not None}
        running = run(
            [block for block in plan if block.index not in there],
            _call,
            self._context(function, shared),
            read=lambda block: part(block.index),
            executor=self._executor,
            workers=self._workers,
            journal=journal,
            progress=self._notes,
            stage=kept or "piece",
        )
        early: dict[int, Result] = {}
        try:
            for block in plan:
                result: Result | None = None
                if block.index in there and journal is not None:
                    result = journal.load(block, kept)
                    assert result is not None
                    self.resumed += 1
                while result is None:
                    if block.index in early:
                        result = early.pop(block.index)
                    else:
                        other, found = next(running)
                        early[other.index] = found
                self.done += bool(kept)
                yield result
            with contextlib.suppress(StopIteration):
                next(running)  # so that it ends well
        finally:
            running.close()

    def _context(self, function: Callable[..., Result], shared: Any) -> Any:
        """Return what pieces share, sealed once for all calls that share it."""
        if not isinstance(self._executor, Workers):
            return function, shared
        last = self._sealed
        if last is None or last[0] is not function or last[1] is not shared:
            last = self._sealed = function, shared, Envelope.seal(_call, (function, shared))
        return last[2]

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return arrays that were kept, or None if they are not there."""
        found = None if self._journal is None else self._journal.load(_block(), name)
        if found is not None:
            steps = int(found["done"]) if "done" in found else 1
            self.done += steps
            self.resumed += steps
        return found

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays, in place of those of that name.

        Raises:
            OutputError: If they cannot be written.
        """
        self.done += 1
        if self._journal is not None:
            self._journal.save(_block(), dict(arrays), name)


class _NotesOnly(Silent):
    """Passes on what is said; a method reports its own steps."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress or Silent()

    def note(self, text: str) -> None:
        """Say it."""
        self._progress.note(text)


def _block() -> Block:
    return Block(0, _WHOLE, _WHOLE)


def _call(block: Block, context: tuple[Callable[..., Result], Any], *part: Any) -> Result:
    function, shared = context
    if "torch" in sys.modules:  # bits depend on the number of its threads
        sys.modules["torch"].set_num_threads(1)
    return function(shared, *part)
