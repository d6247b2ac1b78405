"""Curves through a method, block by block."""

from __future__ import annotations

import threading
from concurrent.futures import Executor
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.engine import (
    Block,
    Journal,
    Workers,
    assemble,
    memory_plan,
    open_engine,
    plan_curves,
    run,
    workers_of,
)
from betaplus.kinetics.method import QUANTILES, Fitter, Task, find_method
from betaplus.kinetics.models import find_kinetic_model

__all__ = ["DENSE_MAPS", "FitContext", "check_memory", "fit_block", "fit_in_blocks"]

_PROGRAM = 600 << 20  # bytes: interpreter, torch, numba, response tables, reading, the report
_SPAWNED = 900 << 20  # bytes: a worker process with torch, numba and its tables
_THREAD = 64 << 20  # bytes

DENSE_MAPS = 12
"""Volumes of float32 held at a time by files and pictures of maps kept for their voxels."""


class FitContext:
    """What every block needs; the method is made ready once per process."""

    def __init__(self, method: str, settings: Any, task: Task) -> None:
        self.method, self.settings, self.task = method, settings, task
        self._fitter: Fitter | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return FitContext, (self.method, self.settings, self.task)

    def fitter(self) -> Fitter:
        """Return the method, ready for the task."""
        with self._lock:
            if self._fitter is None:
                self._fitter = find_method(self.method)(self.settings).prepare(self.task)
            return self._fitter


def fit_block(block: Block, context: FitContext, values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the arrays of `Fitter.fit` for the curves of a block, shape (n, T)."""
    import torch

    torch.set_num_threads(1)
    return context.fitter().fit(values, np.arange(block.start, block.stop, dtype=np.int64))


def fit_in_blocks(
    context: FitContext,
    values: np.ndarray,
    grid: int,
    engine: str | Executor,
    workers: int | None,
    max_memory: int | None,
    journal: Journal | None,
    progress: Progress,
    dense: int | None = None,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return the arrays of `Fitter.fit` for all curves, and how many blocks were done and resumed.

    Args:
        context: Method and task.
        values: Curves, shape (N, T).
        grid: Voxels of the volume that results go into; the number of curves for a table.
        engine: One of `betaplus.engine.ENGINES`, or what `betaplus.engine.open_engine` gave.
        workers: Blocks at work at a time; the cores available if None.
        max_memory: Bound on the run [bytes].
        journal: Where finished blocks are kept, or None.
        progress: What to report to.
        dense: Volumes of float32 held at a time, or None for all maps.
    """
    task, n = context.task, len(values)
    each = _bytes_per_curve(
        task.model, len(task.quantiles), task.samples, len(task.frames) if task.predict else 0
    )
    with open_engine(engine, workers, progress) as executor:
        memory = memory_plan(
            2 * each + 8 * len(task.frames),
            n,
            workers_of(executor, workers),
            max_memory,
            fixed_bytes=_fixed_bytes(each, n, values.nbytes, grid, dense),
            worker_bytes=_worker_bytes(executor),
        )
        if n > 512:
            progress.note(memory.summary)
        running = run(
            plan_curves(n, block_items=memory.block_items, seed=task.seed),
            fit_block,
            context,
            read=lambda block: (values[block.read],),
            executor=executor,
            workers=memory.workers,
            journal=journal,
            progress=progress,
            stage="curves",
        )
        results: dict[str, np.ndarray] = {}
        for block, result in running:
            if not results:
                results = {k: np.zeros((n, *v.shape[1:]), v.dtype) for k, v in result.items()}
            assemble([(block, result)], results)
    return results, {"blocks_done": running.blocks_done, "blocks_resumed": running.blocks_resumed}


def check_memory(
    model: str,
    n: int,
    frames: int,
    grid: int,
    max_memory: int | None,
    engine: str | Executor,
    *,
    samples: int = 0,
    levels: int = len(QUANTILES),
    predict: bool = False,
    dense: int | None = None,
) -> None:
    """Refuse, before any curve is read, a run that `fit_in_blocks` would refuse.

    Args:
        model: Name of the model.
        n: Curves, or fewer where their number is not known yet.
        frames: Frames of a curve.
        grid: Voxels of the volume that results go into.
        max_memory: Bound on the run [bytes].
        engine: As for `fit_in_blocks`; by its name alone it is taken for threads.
        samples: Draws per curve.
        levels: Quantiles per curve.
        predict: Whether predictive curves are kept.
        dense: Volumes of float32 held at a time, or None for all maps.

    Raises:
        UsageError: If the bound does not hold the run with one worker and the smallest blocks.
    """
    each = _bytes_per_curve(model, levels, samples, frames if predict else 0)
    memory_plan(
        2 * each + 8 * frames,
        n,
        1,
        max_memory,
        fixed_bytes=_fixed_bytes(each, n, 4 * n * frames, grid, dense),
        worker_bytes=_worker_bytes(engine),
    )


def _bytes_per_curve(model: str, levels: int, samples: int, predicted: int) -> int:
    """Return what the results of a curve take: float32, some for `predicted` frames."""
    found = find_kinetic_model(model)
    columns = len(found.parameters) + len(found.macro) + 3
    return 4 * (columns * (2 + levels + samples) + 4) + 12 * predicted


def _fixed_bytes(each: int, n: int, curves: int, grid: int, dense: int | None) -> int:
    """Return what is held whatever the blocks: the results, then the curves or the maps."""
    maps = grid * each if dense is None else 4 * dense * grid + n * each
    return _PROGRAM + n * each + max(curves, maps)


def _worker_bytes(executor: str | Executor) -> int:
    """Return what a worker takes on this machine beside its block."""
    if not isinstance(executor, Workers):
        return _THREAD
    return _SPAWNED if executor.here else 0
