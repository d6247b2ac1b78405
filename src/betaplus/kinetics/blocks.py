"""Curves through a method, block by block."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.engine import Block, Journal, assemble, default_workers, memory_plan, plan_curves, run
from betaplus.kinetics.method import Fitter, Task, find_method
from betaplus.kinetics.models import find_kinetic_model

__all__ = ["FitContext", "fit_in_blocks"]

_PROGRAM = 600 << 20  # bytes: interpreter, torch, numba, response tables, reading, the report
_SPAWNED = 900 << 20  # bytes: a worker process with torch, numba and its tables


class FitContext:
    """What every block needs; the method is made ready once per process."""

    def __init__(self, method: str, settings: Any, task: Task, values: np.ndarray) -> None:
        self.method, self.settings, self.task, self.values = method, settings, task, values
        self._fitter: Fitter | None = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return FitContext, (self.method, self.settings, self.task, self.values)

    def fitter(self) -> Fitter:
        """Return the method, ready for the task."""
        with self._lock:
            if self._fitter is None:
                self._fitter = find_method(self.method)(self.settings).prepare(self.task)
            return self._fitter


def _fit_block(block: Block, context: FitContext) -> dict[str, np.ndarray]:
    import torch

    torch.set_num_threads(1)
    return context.fitter().fit(
        context.values[block.read], np.arange(block.start, block.stop, dtype=np.int64)
    )


def fit_in_blocks(
    context: FitContext,
    grid: int,
    engine: str,
    workers: int | None,
    max_memory: int | None,
    journal: Journal | None,
    progress: Progress,
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Return the arrays of `Fitter.fit` for all curves, and how many blocks were done and resumed.

    Args:
        context: Method, task and curves.
        grid: Voxels of the volume that results go into; the number of curves for a table.
        engine: ``threads``, ``inline`` or ``processes``.
        workers: Blocks at work at a time; the cores available if None.
        max_memory: Bound on the run [bytes].
        journal: Where finished blocks are kept, or None.
        progress: What to report to.
    """
    task, n = context.task, len(context.values)
    model = find_kinetic_model(task.model)
    columns = len(model.parameters) + len(model.macro) + 3
    per_curve = 4 * (columns * (2 + len(task.quantiles) + task.samples) + 4)
    if task.predict:
        per_curve += 12 * len(task.frames)
    memory = memory_plan(
        2 * per_curve + 8 * len(task.frames),
        n,
        workers or default_workers(),
        max_memory,
        fixed_bytes=_PROGRAM + n * per_curve + max(context.values.nbytes, grid * per_curve),
        worker_bytes=_SPAWNED if engine == "processes" else 64 << 20,
    )
    if n > 512:
        progress.note(memory.summary)
    plan = plan_curves(n, block_items=memory.block_items, seed=task.seed)
    running = run(
        plan,
        _fit_block,
        context,
        executor=engine,
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
