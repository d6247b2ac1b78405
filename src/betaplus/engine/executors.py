"""Where blocks run: here, in threads, in processes, on a cluster; each an `Executor` by its name.

Another kind of executor is one more line in `make_executor` and a name in `choice.ENGINES`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.engine.choice import check_engine
from betaplus.engine.workers import ProcessWorkers, Workers

__all__ = [
    "InlineExecutor",
    "default_workers",
    "make_executor",
    "open_engine",
    "open_executor",
    "workers_lost",
    "workers_of",
]


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
    progress: Progress | None = None,
) -> Executor:
    """Return a new executor by its name on the command line.

    Args:
        name: One of `betaplus.engine.ENGINES`.
        workers: Threads or processes; the cores available if None; `inline` has one. On a cluster
            the most blocks to have at work; as many as it has threads if None.
        initializer: Called once in each worker process of `processes`, and once here for `inline`
            and `threads`; not for those of dask.
        initargs: Its arguments; they must be picklable for `processes`.
        progress: Told what a cluster is.

    Raises:
        UsageError: As `check_engine`, or if no scheduler answers.
        InputError: As `check_engine`.
        WorkerError: If a cluster cannot be started.
    """
    choice = check_engine(name, workers)
    if choice.distributed:
        from betaplus.engine.dask_workers import DaskWorkers

        if initializer is not None:
            raise ValueError("workers of dask have no initializer")
        return DaskWorkers(choice, workers, progress or Silent())
    count = default_workers() if workers is None else workers
    if choice.kind == "processes":
        return ProcessWorkers(count, initializer, initargs)
    if initializer is not None:
        initializer(*initargs)
    if choice.kind == "inline":
        return InlineExecutor()
    return ThreadPoolExecutor(count, thread_name_prefix="betaplus")


@contextlib.contextmanager
def open_executor(
    engine: str | Executor, workers: int | None = None, progress: Progress | None = None
) -> Iterator[Executor]:
    """Have an executor, a new one that ends with the block where `engine` is a name.

    Args:
        engine: A name, as for `make_executor`, or an executor, which stays open.
        workers: See there.
        progress: See there.

    Raises:
        UsageError: As `make_executor`.
        InputError: Likewise.
        WorkerError: Likewise.
    """
    if not isinstance(engine, str):
        yield engine
        return
    executor = make_executor(engine, workers, progress=progress)
    ended_well = False
    try:
        yield executor
        ended_well = True
    finally:
        executor.shutdown(wait=ended_well, cancel_futures=not ended_well)


@contextlib.contextmanager
def open_engine(
    engine: str | Executor, workers: int | None = None, progress: Progress | None = None
) -> Iterator[str | Executor]:
    """Have an executor open for several runs in turn; for `run` and what takes its `executor`.

    Processes and clusters are started once, and ended with the block; threads cost nothing, and
    stay a name.

    Args:
        engine: As for `open_executor`.
        workers: See `make_executor`.
        progress: See there.

    Raises:
        UsageError: As `make_executor`.
        InputError: Likewise.
        WorkerError: Likewise.
    """
    if not isinstance(engine, str) or not check_engine(engine, workers).apart:
        yield engine
        return
    with open_executor(engine, workers, progress) as executor:
        yield executor


def workers_lost(engine: str | Executor) -> int:
    """Return how often a worker of an engine was lost in the middle of its work, so far."""
    return engine.lost if isinstance(engine, Workers) else 0


def workers_of(engine: str | Executor, workers: int | None) -> int:
    """Return the blocks that may be at work at a time.

    Args:
        engine: From `open_engine`.
        workers: Asked for, or None.
    """
    if isinstance(engine, Workers):
        return engine.count if workers is None else min(workers, engine.count)
    return default_workers() if workers is None else workers
