"""Where blocks run: here, in threads, or in spawned processes; each a concurrent.futures.Executor.

Another kind of executor is one more line in `EXECUTORS`.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.engine.plan import Block

__all__ = [
    "BlockFunction",
    "Bound",
    "InlineExecutor",
    "Result",
    "bind",
    "default_workers",
    "make_executor",
]

Result: TypeAlias = Mapping[str, np.ndarray]
BlockFunction: TypeAlias = Callable[[Block, Any], Result]

_PLANNED = ("dask", "slurm")


class InlineExecutor(Executor):
    """Runs each call at once, in the calling thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run the call and return its finished future; only `Exception` is kept in the future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass(frozen=True)
class Bound:
    """An executor that knows its function and context: submit `call` with a block.

    Args:
        executor: Where blocks run.
        call: What to submit for each block.
        in_flight: Most blocks to have submitted and not yet collected.
        own: Whether the executor was made for this run and ends with it.
    """

    executor: Executor
    call: Callable[[Block], Result]
    in_flight: int
    own: bool


def default_workers() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_executor(
    name: str,
    workers: int | None = None,
    *,
    initializer: Callable[..., None] | None = None,
    initargs: tuple[Any, ...] = (),
) -> Executor:
    """Return a new executor by its name on the command line.

    Args:
        name: `inline`, `threads` or `processes` (spawned, never forked).
        workers: Threads or processes; the cores available if None; `inline` has one.
        initializer: Called once in each worker process, and once here for the other two.
        initargs: Its arguments; they must be picklable for `processes`.

    Raises:
        UsageError: If the name is not one of these, or `workers` is below 1.
    """
    make = EXECUTORS.get(name)
    if make is None:
        known = ", ".join(EXECUTORS)
        if name.partition(":")[0] in _PLANNED:
            raise UsageError(f"--engine {name} is not in this version", f"there are {known}")
        raise UsageError(f"--engine {name} is unknown", f"there are {known}")
    count = default_workers() if workers is None else workers
    if count < 1:
        raise UsageError(f"--workers is {count}", "expected 1 or more")
    return make(count, initializer, initargs)


def bind(
    executor: str | Executor, workers: int | None, function: BlockFunction, context: Any
) -> Bound:
    """Return an executor whose workers hold `function` and `context`, sent once to each process.

    An executor of the caller's own is left open, and gets the context with every block.

    Raises:
        UsageError: As `make_executor`.
    """
    call: Callable[[Block], Result] = functools.partial(_call, function, context)
    own = isinstance(executor, str)
    if executor == "processes":
        executor = make_executor(
            "processes", workers, initializer=_hold, initargs=(function, context)
        )
        call = _call_held
    elif isinstance(executor, str):
        executor = make_executor(executor, workers)
    count = default_workers() if workers is None else workers
    in_flight = 1 if isinstance(executor, InlineExecutor) else 2 * count
    return Bound(executor, call, in_flight, own)


def _inline(
    workers: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
) -> Executor:
    if initializer is not None:
        initializer(*initargs)
    return InlineExecutor()


def _threads(
    workers: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
) -> Executor:
    if initializer is not None:
        initializer(*initargs)
    return ThreadPoolExecutor(workers, thread_name_prefix="betaplus")


def _processes(
    workers: int, initializer: Callable[..., None] | None, initargs: tuple[Any, ...]
) -> Executor:
    return ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin_process,
        initargs=(initializer, initargs),
    )


EXECUTORS: dict[str, Callable[[int, Callable[..., None] | None, tuple[Any, ...]], Executor]] = {
    "threads": _threads,
    "inline": _inline,
    "processes": _processes,
}


def _call(function: BlockFunction, context: Any, block: Block) -> Result:
    return function(block, context)


_held: list[tuple[BlockFunction, Any]] = []


def _hold(function: BlockFunction, context: Any) -> None:
    _held[:] = [(function, context)]


def _call_held(block: Block) -> Result:
    function, context = _held[0]
    return function(block, context)


def _begin_process(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    """Leave Ctrl-C to the parent, end when the parent is killed, then run the initializer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
