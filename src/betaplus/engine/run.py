"""Run a plan: every block once, results as they finish, finished blocks from the journal."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from typing import Any, TypeAlias

import numpy as np

from betaplus.core.errors import WorkerError
from betaplus.core.progress import Progress, Silent
from betaplus.engine.binding import Bound, Read, bind
from betaplus.engine.journal import Journal
from betaplus.engine.plan import Block
from betaplus.engine.sending import BlockFunction, Result
from betaplus.engine.workers import LOST, LOST_TOO_OFTEN, MOST_LOSSES, TRY_SMALLER

__all__ = ["Run", "assemble", "run"]

_Results: TypeAlias = Generator[tuple[Block, Result], None, None]


class Run(Iterator[tuple[Block, Result]]):
    """A running plan: an iterator of (block, result), with counts. Made by `run`.

    Attributes:
        blocks_total: Blocks in the plan.
        blocks_done: Blocks given out so far, the resumed ones among them.
        blocks_resumed: Blocks whose results came from the journal.
        workers_lost: Times that blocks ran again because processes were lost. What dask loses it
            makes good by itself; it is counted in `Workers.lost` alone.
    """

    def __init__(
        self,
        plan: Sequence[Block],
        bound: Bound,
        journal: Journal | None,
        progress: Progress,
        stage: str,
    ) -> None:
        """Start with nothing done."""
        self.blocks_total = len(plan)
        self.blocks_done = 0
        self.blocks_resumed = 0
        self.workers_lost = 0
        self._plan = plan
        self._journal = journal
        self._progress = progress
        self._stage = stage
        self._results = self._follow(bound)

    def __next__(self) -> tuple[Block, Result]:
        """Return the next finished block and its result."""
        return next(self._results)

    def close(self) -> None:
        """Stop: start no further block, and end the workers when they have finished theirs."""
        self._results.close()

    def _follow(self, bound: Bound) -> _Results:
        self._progress.start(self._stage, self.blocks_total)
        ended_well = False
        pending: dict[Future[Any], Block] = {}
        try:
            waiting: list[Block] = []
            for block in self._plan:
                earlier = self._journal.load(block, self._stage) if self._journal else None
                if earlier is None:
                    waiting.append(block)
                else:
                    self.blocks_resumed += 1
                    yield self._count(block, earlier)
            costliest_first = deque(sorted(waiting, key=lambda block: -block.cost))
            yield from self._compute(bound, costliest_first, pending)
            ended_well = True
        finally:
            for future in pending:
                future.cancel()
            bound.close(ended_well)
            self._progress.finish()

    def _compute(
        self, bound: Bound, waiting: deque[Block], pending: dict[Future[Any], Block]
    ) -> _Results:
        losses: Counter[int] = Counter()
        while waiting or pending:
            self._fill(bound, waiting, pending)
            finished, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in sorted(finished, key=lambda future: _error(future) is not None):
                error = _error(future)
                if isinstance(error, BrokenExecutor) and bound.workers is not None:
                    self._again(bound, waiting, pending, losses)
                    break
                block = pending.pop(future)
                if error is not None:
                    raise error if bound.workers is None else bound.workers.failure(error)
                result = bound.result(future.result())
                if self._journal is not None:
                    self._journal.save(block, result, self._stage)
                yield self._count(block, result)

    def _fill(self, bound: Bound, waiting: deque[Block], pending: dict[Future[Any], Block]) -> None:
        most = bound.in_flight()
        while waiting and len(pending) < most:
            pending[bound.submit(waiting[0])] = waiting[0]
            waiting.popleft()

    def _again(
        self,
        bound: Bound,
        waiting: deque[Block],
        pending: dict[Future[Any], Block],
        losses: Counter[int],
    ) -> None:
        """Let every block whose worker was lost wait again."""
        assert bound.workers is not None
        self.workers_lost += 1
        bound.workers.lost += 1
        lost = {f: block for f, block in pending.items() if f.done() and _error(f) is not None}
        for future in lost:
            del pending[future]
        losses.update(block.index for block in lost.values())
        waiting.extendleft(reversed(lost.values()))
        if max(losses.values()) > MOST_LOSSES:
            raise WorkerError(f"--engine {bound.workers.name}: {LOST_TOO_OFTEN}", todo=TRY_SMALLER)
        self._progress.note(LOST)

    def _count(self, block: Block, result: Result) -> tuple[Block, Result]:
        self.blocks_done += 1
        self._progress.advance()
        return block, result


def _error(future: Future[Any]) -> BaseException | None:
    """Return what a future ended in, waiting for it; being cancelled is an error too."""
    try:
        return future.exception()
    except CancelledError as error:
        return error


def run(
    plan: Sequence[Block],
    function: BlockFunction,
    context: Any = None,
    *,
    read: Read | None = None,
    executor: str | Executor = "threads",
    workers: int | None = None,
    journal: Journal | None = None,
    progress: Progress | None = None,
    stage: str = "block",
) -> Run:
    """Run `function(block, context, *parts)` on every block of a plan.

    Results come in the order in which they finish, so collect them by region, as `assemble` does.
    A block whose process is lost runs again, up to three times. An exception in a block ends the
    run at once: no further block is started, and those at work are left to finish unheard. The same
    holds for Ctrl-C and for `Run.close`; what the journal holds by then stays. Submitted and
    uncollected blocks number at most twice the workers.

    Args:
        plan: Blocks with distinct write regions.
        function: Pure; returns a mapping of name to array. For workers that are processes it must
            be importable (a function of a module, not a lambda) and picklable, as must `context`
            and parts, and a script that starts such a run keeps it under
            `if __name__ == "__main__"`.
        context: What every block needs: settings, models. Given once to each worker process; shared
            by threads, so not to be written to.
        read: Returns the parts of a block: its share of the data, further arguments of `function`.
            Only these are sent with it.
        executor: One of `betaplus.engine.ENGINES`; or an executor of the caller's own, from
            `open_engine` or elsewhere, which is left open.
        workers: Blocks at work at a time; the cores available if None, on a cluster its threads.
        journal: Where finished blocks are kept and found. Blocks are found by stage and write
            region, so a plan cut otherwise computes again what it does not find.
        progress: Told of every finished block.
        stage: Name of this pass over the plan, where one journal serves several.

    Raises:
        UsageError: If the executor is unknown or `workers` is below 1.
        WorkerError: If a cluster cannot be started; while it runs, if its scheduler is lost, a
            block loses its worker too often, or workers have other versions.
        ValueError: If two blocks write the same region.
    """
    regions = {block.region for block in plan}
    if len(regions) != len(plan):
        raise ValueError("two blocks of the plan write the same region")
    progress = progress or Silent()
    bound = bind(executor, workers, function, context, read, progress)
    return Run(plan, bound, journal, progress, stage)


def assemble(results: Iterable[tuple[Block, Result]], arrays: Mapping[str, np.ndarray]) -> None:
    """Copy every block's results into preallocated arrays (in memory or `np.memmap`).

    Args:
        results: From `run`.
        arrays: Name to array; its leading axes are those of the write regions, and each result has
            the shape of `array[block.write]`.

    Raises:
        ValueError: If a block's results have other names or shapes.
    """
    for block, result in results:
        if result.keys() != arrays.keys():
            raise ValueError(f"block {block.region} gave {sorted(result)}, not {sorted(arrays)}")
        for name, values in result.items():
            target = arrays[name][block.write]
            if target.shape != values.shape:
                raise ValueError(
                    f"block {block.region} gave {name} of shape {values.shape}, not {target.shape}"
                )
            target[...] = values
