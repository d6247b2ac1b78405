"""Executors whose workers are other processes: what `run` asks of them."""

from __future__ import annotations

import pickle
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from betaplus.engine.process_pool import ProcessPool
from betaplus.engine.sending import Envelope, work

__all__ = [
    "LOST",
    "LOST_TOO_OFTEN",
    "MOST_LOSSES",
    "RESUMABLE",
    "TRY_SMALLER",
    "ProcessWorkers",
    "Workers",
]

MOST_LOSSES = 3
"""Workers that a block may lose before the run gives up; dask's own number."""

LOST = "a worker was lost: its blocks run again"
LOST_TOO_OFTEN = f"a block has lost its worker {MOST_LOSSES + 1} times, as where memory is short"
TRY_SMALLER = "give --max-memory or fewer --workers, and --resume to go on from what is finished"
RESUMABLE = "give --resume to go on from what is finished"


class Workers(Executor):
    """An executor in other processes, which keep the function and the context of a run.

    Attributes:
        name: As on the command line.
        here: Whether they are on this machine, and their memory is part of what a run takes.
        lost: Times that one of them ended, or was no longer heard of, in the middle of its work.
    """

    name: str
    here: bool
    lost: int = 0

    @property
    @abstractmethod
    def count(self) -> int:
        """Blocks that may be at work at a time, now."""

    @abstractmethod
    def hold(self, envelope: Envelope) -> Callable[[bytes], Future[bytes]]:
        """Give every worker an envelope; return what submits a packed block to one of them."""

    def scale(self, workers: int) -> None:
        """Have no more than so many blocks at work from now on, where that is decided here."""

    def failure(self, error: BaseException) -> BaseException:
        """Return the error of a block as it is to be raised."""
        return error


class ProcessWorkers(Workers):
    """Spawned processes of this machine, replaced when one of them is lost.

    An envelope lies in a temporary file, which each process reads once.

    Args:
        workers: Processes.
        initializer: Called once in each.
        initargs: Its arguments, which can be pickled.
    """

    name, here = "processes", True

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        self._workers, self._most, self._begin = workers, workers, (initializer, initargs)
        self._pool = ProcessPool(workers, *self._begin)
        self._folder: Path | None = None

    @property
    def count(self) -> int:
        """Processes."""
        return self._workers

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call, as of a `ProcessPool`."""
        return self._pool.submit(fn, *args, **kwargs)

    def hold(self, envelope: Envelope) -> Callable[[bytes], Future[bytes]]:
        """Put the envelope where all processes find it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="betaplus-"))
        path = self._folder / envelope.digest
        if not path.exists():
            path.write_bytes(pickle.dumps(envelope, protocol=5))
        return lambda packed: self._pool.submit(_work_from, str(path), packed)

    def scale(self, workers: int) -> None:
        """Have so many processes, at most those that there were at the beginning."""
        wanted = min(workers, self._most)
        if wanted != self._workers:
            self._workers = wanted
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = ProcessPool(wanted, *self._begin)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, when they have finished what they are at."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _work_from(path: str, packed: bytes) -> bytes:
    file = Path(path)
    return work(file.name, lambda: pickle.loads(file.read_bytes()), packed)
