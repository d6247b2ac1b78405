"""Workers of dask: on this machine, at the address of a scheduler, or in jobs of SLURM."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError, WorkerError
from betaplus.core.progress import Progress
from betaplus.engine.choice import Choice
from betaplus.engine.dask_futures import DaskFutures
from betaplus.engine.sending import Envelope, work
from betaplus.engine.workers import LOST, LOST_TOO_OFTEN, RESUMABLE, TRY_SMALLER, Workers

__all__ = ["DaskWorkers"]

PATIENCE = 15  # s, for a scheduler to answer
_AGAIN = 1.0  # s, between questions how many threads there are
_EVENTS = "all"  # dask's name for what happens to workers
_SILENT = ("distributed", "distributed.client")  # the second has a level of its own
_CONFIG = {
    # Blocks and envelopes are bytes that belong in a task.
    "distributed.admin.large-graph-warning-threshold": "1TiB",
    # A worker's memory is planned before the run; dask neither spills, pauses nor kills.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # A lost worker is given up for good after this: on a busy machine a new one takes its time.
    "distributed.deploy.lost-worker-timeout": "15 minutes",
    "distributed.comm.timeouts.connect": f"{PATIENCE}s",
}


class DaskWorkers(Workers):
    """An executor of dask. A worker that is lost is dask's to replace, and its blocks run again.

    Args:
        choice: ``dask``, ``dask:ADDRESS`` or ``slurm:CONFIG``.
        workers: Of this machine: processes, one thread each, by default as many as cores. Of a
            cluster: most blocks at work at a time; all its threads if None.
        progress: Told what was found.

    Raises:
        InputError: If the file cannot be read.
        UsageError: If no scheduler answers, or the file says something unknown.
        WorkerError: If the cluster cannot be started.
    """

    def __init__(self, choice: Choice, workers: int | None, progress: Progress) -> None:
        import dask
        from distributed import Client

        self.name = f"{choice.kind.partition(':')[0]}{':' if choice.target else ''}{choice.target}"
        self.here = choice.here
        self._most, self._promised = workers, 1
        self._cluster: Any = None
        self._sent: tuple[str, Any] | None = None
        self._seen, self._asked = 0, float("-inf")
        for name in _SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._settings = dask.config.set(_CONFIG)
        try:
            self._cluster = self._start(choice, workers)
            address = choice.target if self._cluster is None else self._cluster
            self._client = Client(address, timeout=PATIENCE, set_as_default=False)
        except BaseException as error:
            self._end_cluster()
            if isinstance(error, OSError | ValueError | RuntimeError):
                raise self._unreachable(choice, error) from error
            raise
        self._futures = DaskFutures(self._client)
        self._client.subscribe_topic(_EVENTS, functools.partial(self._hear, progress))
        threads = self._threads()
        if choice.kind != "dask":
            progress.note(
                f"{self.name}: {threads} threads at work now"
                if threads
                else f"{self.name}: no worker is there yet, waiting for one"
            )

    @property
    def count(self) -> int:
        """Threads of the workers that are there, or that were promised."""
        if self.here:
            return self._promised
        if time.monotonic() > self._asked + _AGAIN:
            self._seen, self._asked = self._threads(), time.monotonic()
        threads = max(self._seen, self._promised)
        return threads if self._most is None else min(threads, self._most)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call."""
        return self._futures.submit(functools.partial(fn, *args, **kwargs))

    def hold(self, envelope: Envelope) -> Callable[[bytes], Future[bytes]]:
        """Make the envelope a task of its own, which the scheduler can repeat if it is lost."""
        if self._sent is None or self._sent[0] != envelope.digest:
            self._sent = (envelope.digest, self._client.submit(_same, envelope, pure=False))
        digest, held = self._sent
        return lambda packed: self._futures.submit(_work_on, digest, held, packed)

    def scale(self, workers: int) -> None:
        """Have so many processes on this machine; on a cluster they stay as they are."""
        wanted = min(workers, self._most or workers)
        if self.here and wanted != self._promised:
            self._cluster.scale(wanted)
            self._promised = wanted

    def failure(self, error: BaseException) -> BaseException:
        """Return an error as it is to be said: those of dask itself as errors of workers."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        if isinstance(error, CancelledError | CommClosedError):
            return self._lost()
        if isinstance(error, KilledWorker):
            return WorkerError(f"--engine {self.name}: {LOST_TOO_OFTEN}", todo=TRY_SMALLER)
        missing = isinstance(error, ModuleNotFoundError) and (error.name or "").startswith(
            "betaplus"
        )
        if missing or "deserialization" in str(error):
            return WorkerError(
                f"--engine {self.name}: scheduler or workers cannot import betaplus",
                "expected them to run where it is installed",
                "start them from the same environment",
            )
        return error

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Drop what is still at work, and end the cluster if it is this one's own."""
        with contextlib.suppress(Exception):
            self._futures.end(finish=wait and not cancel_futures)
        self._sent = None
        with contextlib.suppress(Exception):
            self._client.unsubscribe_topic(_EVENTS)  # of which the client's own end is one
        with contextlib.suppress(Exception):
            self._client.close(timeout=PATIENCE)
        self._end_cluster()

    def _start(self, choice: Choice, workers: int | None) -> Any:
        if choice.kind == "dask:ADDRESS":
            return None
        if choice.kind == "slurm:CONFIG":
            from betaplus.engine.slurm import start_cluster

            cluster, self._promised = start_cluster(Path(choice.target))
            return cluster
        from distributed import LocalCluster

        from betaplus.engine.executors import default_workers

        self._most = self._promised = default_workers() if workers is None else workers
        return LocalCluster(
            n_workers=self._promised,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # any port; its pages are left out
            scheduler_kwargs={"dashboard": False},
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            preload="betaplus.engine.dask_preload",
        )

    def _threads(self) -> int:
        try:
            return sum(self._client.nthreads().values())
        except OSError as error:  # of the connection, or that it took too long
            raise self._lost() from error

    def _lost(self) -> WorkerError:
        said = f"--engine {self.name}: the connection to the scheduler was lost"
        return WorkerError(said, todo=RESUMABLE)

    def _hear(self, progress: Progress, event: tuple[float, Any]) -> None:
        """Count a worker that the scheduler lost while it was at blocks of this client."""
        about = event[1]
        if not isinstance(about, dict) or about.get("action") != "remove-worker":
            return
        if set(about.get("processing-tasks", ())) & set(self._client.futures):
            self.lost += 1
            progress.note(LOST)

    def _end_cluster(self) -> None:
        """End what was started for this executor, and give dask its own settings back."""
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=PATIENCE)
            self._cluster = None
        self._settings.__exit__(None, None, None)

    def _unreachable(self, choice: Choice, error: Exception) -> UsageError | WorkerError:
        if choice.kind == "dask:ADDRESS":
            return UsageError(
                f"no scheduler of dask answers at {choice.target}",
                "expected one that runs",
                "start it with dask scheduler, and workers with dask worker",
            )
        said = " ".join(str(error).split()) or type(error).__name__
        return WorkerError(f"--engine {self.name} could not start its workers: {said}")


def _same(envelope: Envelope) -> Envelope:
    return envelope


def _work_on(digest: str, envelope: Envelope, packed: bytes) -> bytes:
    return work(digest, lambda: envelope, packed)
