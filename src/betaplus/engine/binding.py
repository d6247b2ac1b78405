"""An executor bound to the function and the context of one run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import Any

from betaplus.core.progress import Progress
from betaplus.engine.executors import InlineExecutor, default_workers, make_executor
from betaplus.engine.plan import Block
from betaplus.engine.sending import BlockFunction, Envelope, Result, call_local, pack, unpack
from betaplus.engine.workers import Workers

__all__ = ["Bound", "Read", "bind"]

Read = Callable[[Block], tuple[Any, ...]]
"""What a block needs of the data: further arguments of its function."""


@dataclass(frozen=True)
class Bound:
    """An executor that knows its function and context.

    Attributes:
        executor: Where blocks run.
        submit: Has a block run.
        result: What comes of it, from what its future holds.
        in_flight: Most blocks to have submitted and not yet collected, now.
        own: Whether the executor was made for this run and ends with it.
    """

    executor: Executor
    submit: Callable[[Block], Future[Any]]
    result: Callable[[Any], Result]
    in_flight: Callable[[], int]
    own: bool

    @property
    def workers(self) -> Workers | None:
        """The executor, if its workers are other processes."""
        return self.executor if isinstance(self.executor, Workers) else None

    def close(self, ended_well: bool) -> None:
        """End the executor, if it is the run's own: after work that ended well when all is idle."""
        if self.own:
            self.executor.shutdown(wait=ended_well, cancel_futures=not ended_well)


def bind(
    executor: str | Executor,
    workers: int | None,
    function: BlockFunction,
    context: Any,
    read: Read | None = None,
    progress: Progress | None = None,
) -> Bound:
    """Return an executor whose workers hold `function` and `context`, sent once to each process.

    Args:
        executor: Its name, or one of the caller's own, which is left open; where it is not one of
            `Workers` it gets the context with every block.
        workers: Blocks at work at a time; by default as many as the executor has.
        function: Of (block, context, *parts).
        context: What every block needs; for workers in other processes it may be sealed already,
            together with the function.
        read: Returns the parts of a block. It is called in the worker where that is a thread of
            this process, and here where what it returns has to be sent.
        progress: Told what a cluster is.

    Raises:
        UsageError: As `make_executor`.
    """
    own = isinstance(executor, str)
    if isinstance(executor, str):
        executor = make_executor(executor, workers, progress=progress)
    if isinstance(executor, Workers):
        sealed = context if isinstance(context, Envelope) else Envelope.seal(function, context)
        return _bind_apart(executor, workers, sealed, read, own)
    call = functools.partial(call_local, function, context, read)
    submit = functools.partial(executor.submit, call)
    count = default_workers() if workers is None else workers
    most = 1 if isinstance(executor, InlineExecutor) else 2 * count
    return Bound(executor, submit, lambda result: result, lambda: most, own)


def _bind_apart(
    executor: Workers, workers: int | None, envelope: Envelope, read: Read | None, own: bool
) -> Bound:
    if workers is not None:
        executor.scale(workers)
    send = executor.hold(envelope)

    def submit(block: Block) -> Future[bytes]:
        return send(pack(block, () if read is None else read(block)))

    def most() -> int:
        count = executor.count
        return 2 * (count if workers is None else min(count, workers))

    return Bound(executor, submit, unpack, most, own)
