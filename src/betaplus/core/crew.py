"""Who computes the pieces of a method: threads of this process, or the workers of an engine.

A method cuts what is costly into pieces that do not depend on each other, and what comes of them is
the same to the last bit whoever computes them. What it must not lose it keeps by name, so that a
run that was stopped goes on from there.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

__all__ = ["Crew", "ThreadCrew"]


class Crew(Protocol):
    """Who computes."""

    @property
    def threads(self) -> int:
        """Threads for what is computed here beside the pieces."""

    def each(
        self,
        function: Callable[..., Mapping[str, Any]],
        shared: Any,
        count: int,
        part: Callable[[int], tuple[Any, ...]],
        kept: str = "",
    ) -> Iterator[Mapping[str, Any]]:
        """Yield ``function(shared, *part(i))`` of i = 0, 1, ... in that order.

        Args:
            function: Pure, and of a module: it may run in another process.
            shared: What all pieces need, sent to each process once; not to be written to.
            count: Pieces.
            part: Returns what one piece needs besides; called when its turn comes.
            kept: Name by which results, arrays then, are kept for `--resume`; "" keeps none.
        """

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return arrays that were kept, or None if they are not there."""

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays, in place of those of that name; ``done`` among them counts steps."""


class ThreadCrew:
    """Threads of this process, which keep nothing.

    Args:
        threads: Pieces at a time.
    """

    def __init__(self, threads: int = 1) -> None:
        self._threads = max(threads, 1)

    @property
    def threads(self) -> int:
        """Threads."""
        return self._threads

    def each(
        self,
        function: Callable[..., Mapping[str, Any]],
        shared: Any,
        count: int,
        part: Callable[[int], tuple[Any, ...]],
        kept: str = "",
    ) -> Iterator[Mapping[str, Any]]:
        """Yield results in order; at most two pieces a thread are ahead of what is taken."""
        if min(self._threads, count) <= 1:
            for i in range(count):
                yield function(shared, *part(i))
            return
        waiting: deque[Future[Mapping[str, Any]]] = deque()
        with ThreadPoolExecutor(min(self._threads, count)) as pool:
            try:
                for i in range(count):
                    if len(waiting) >= 2 * self._threads:
                        yield waiting.popleft().result()
                    waiting.append(pool.submit(_call, function, shared, part, i))
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return None."""
        return None

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Do nothing."""


def _call(
    function: Callable[..., Mapping[str, Any]],
    shared: Any,
    part: Callable[[int], tuple[Any, ...]],
    index: int,
) -> Mapping[str, Any]:
    if "torch" in sys.modules:  # bits depend on the number of its threads
        sys.modules["torch"].set_num_threads(1)
    return function(shared, *part(index))
