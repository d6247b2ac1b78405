"""Batches made ahead, in processes beside the one that trains."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, Self

import torch
from torch import Generator

__all__ = ["Prefetched"]

_AHEAD = 3  # batches of each process
_ALONE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
"""Told to the processes, which else have as many threads each as there are cores, and made batches
ten times as slowly."""

Make = Callable[[int, Generator, int, int], Any]
"""(items, generator, rank, world) to a batch."""

_made: Make


class Prefetched:
    """(step, rank, world, generator) to a batch, as `betaplus.generative.training.train` asks for.

    A batch follows from the state of its step's generator, and so does not depend on who makes it.

    Args:
        make: What makes batches; goes to other processes.
        items: Of a batch.
        seed_of: Step to the seed of its generator.
        workers: Processes, which end with the block that this is the context of; with 0 batches are
            made where they are asked for.
    """

    def __init__(self, make: Make, items: int, seed_of: Callable[[int], int], workers: int) -> None:
        self.make, self.items, self.seed_of = make, items, seed_of
        self.ahead = _AHEAD * workers
        self.pool = (
            ProcessPoolExecutor(
                workers, mp_context=get_context("spawn"), initializer=_begin, initargs=(make,)
            )
            if workers
            else None
        )
        self.coming: dict[int, Future[Any]] = {}
        self.before = {name: os.environ.get(name) for name in _ALONE if workers}
        os.environ.update({name: _ALONE[name] for name in self.before})

    def __call__(self, step: int, rank: int, world: int, generator: Generator) -> Any:
        """Return the batch of a step."""
        if self.pool is None:
            return self.make(self.items, generator, rank, world)
        for later in range(step, step + self.ahead):
            if later not in self.coming:
                job = (self.items, self.seed_of(later), rank, world)
                self.coming[later] = self.pool.submit(_work, *job)
        found = self.coming.pop(step).result()
        return {name: torch.from_numpy(value) for name, value in found.items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=False, cancel_futures=True)
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(make: Make) -> None:
    global _made
    _made = make
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that trains is killed, which cannot tell it to."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(items: int, seed: int, rank: int, world: int) -> dict[str, Any]:
    made = _made(items, Generator().manual_seed(seed), rank, world)
    return {name: value.numpy() for name, value in made.items()}
