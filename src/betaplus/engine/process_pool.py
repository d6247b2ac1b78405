"""A pool of spawned processes, each at the end of a pipe of its own.

All processes of ``concurrent.futures.ProcessPoolExecutor`` send their results through one pipe,
under one lock: one that is killed while it sends leaves both taken, and who waits for the others
waits for ever. Here a process that is lost takes with it the call that it was at, and nothing else.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

__all__ = ["ProcessPool"]

_LOST = "a process was terminated abruptly while it was at a call"
_NOT_NEEDED = ("betaplus.cli", "betaplus.report")


@dataclass(frozen=True)
class _Call:
    future: Future[Any]
    content: tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class ProcessPool(Executor):
    """Spawned processes, started at once; one that is lost is replaced when there is a call for it.

    A call whose process is lost ends in ``BrokenProcessPool``; the pool goes on.

    Args:
        workers: Processes.
        initializer: Called once in each.
        initargs: Its arguments, which can be pickled.
    """

    def __init__(
        self,
        workers: int,
        initializer: Callable[..., None] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._begin, self._lock, self._ended = (initializer, initargs), threading.Lock(), False
        self._processes: set[BaseProcess] = set()
        self._threads = [threading.Thread(target=self._attend, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call of a function of a module.

        Raises:
            RuntimeError: If the pool has ended.
        """
        with self._lock:
            if self._ended:
                raise RuntimeError("cannot schedule new futures after shutdown")
            call = _Call(Future(), (fn, args, kwargs))
            self._calls.put(call)
        return call.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes: when all calls have ended, or at once where nobody waits for them."""
        with self._lock:
            first, self._ended = not self._ended, True
        if cancel_futures:
            with contextlib.suppress(queue.Empty):
                while True:
                    call = self._calls.get_nowait()
                    if call is not None:
                        call.future.cancel()
                        call.future.set_running_or_notify_cancel()
        if first or cancel_futures:
            for _ in self._threads:
                self._calls.put(None)
        if cancel_futures and not wait:
            with self._lock:
                for process in self._processes:
                    process.terminate()
        if wait:
            for thread in self._threads:
                thread.join()

    def _attend(self) -> None:
        """Have one process at work, until there is nothing more to do."""
        if hasattr(signal, "pthread_sigmask"):  # Ctrl-C is the parent's, from the very beginning
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        there = self._spawned()
        while (call := self._calls.get()) is not None:
            if not call.future.set_running_or_notify_cancel():
                continue
            try:
                packed = pickle.dumps(call.content, protocol=5)
            except Exception as error:
                call.future.set_exception(error)
                continue
            if there is None or not there[0].is_alive():
                self._gone(there)
                there = self._spawned()
            try:
                if there is None:
                    raise EOFError
                there[1].send_bytes(packed)
                found = there[1].recv_bytes()
            except (EOFError, OSError):
                self._gone(there)
                there = None
                call.future.set_exception(BrokenProcessPool(_LOST))
                continue
            _settle(call.future, found)
        self._gone(there)

    def _spawned(self) -> tuple[BaseProcess, Connection] | None:
        """Start a process; return it and this end of its pipe, or None if the pool has ended."""
        context = multiprocessing.get_context("spawn")
        here, beyond = context.Pipe()
        modules = [name for name in sys.modules if name.startswith("betaplus.")]
        modules = [name for name in modules if not name.startswith(_NOT_NEEDED)]
        process = context.Process(target=_serve, args=(beyond, modules, *self._begin), daemon=True)
        with self._lock:
            if self._ended and self._calls.empty():
                return None
            try:
                process.start()
            except Exception:  # a call says what follows
                return None
            finally:
                beyond.close()
            self._processes.add(process)
        return process, here

    def _gone(self, there: tuple[BaseProcess, Connection] | None) -> None:
        """Let a process end, which it does when its pipe is closed."""
        if there is None:
            return
        process, here = there
        here.close()
        process.join()
        with self._lock:
            self._processes.discard(process)


def _settle(future: Future[Any], found: bytes) -> None:
    try:
        well, result = pickle.loads(found)
    except Exception as error:
        well, result = False, error
    if well:
        future.set_result(result)
    else:
        future.set_exception(result)


def _serve(
    pipe: Connection,
    modules: Sequence[str],
    initializer: Callable[..., None] | None,
    initargs: tuple[Any, ...],
) -> None:
    """Answer calls until the pipe is closed; end when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in modules:  # while the parent is still getting ready
        with contextlib.suppress(Exception):
            import_module(name)
    if initializer is not None:
        initializer(*initargs)
    with contextlib.suppress(EOFError, OSError):
        while True:
            pipe.send_bytes(_answer(pipe.recv_bytes()))


def _answer(packed: bytes) -> bytes:
    try:
        function, args, kwargs = pickle.loads(packed)
        return pickle.dumps((True, function(*args, **kwargs)), protocol=5)
    except Exception as error:
        text = "".join(traceback.format_exception(error))
        with contextlib.suppress(Exception):
            error.add_note(f"in a worker:\n{text}")
            return pickle.dumps((False, error), protocol=5)
        return pickle.dumps((False, RuntimeError(text)), protocol=5)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
