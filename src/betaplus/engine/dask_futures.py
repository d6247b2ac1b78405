"""Futures of dask as those of the standard library, which the engine waits for."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, InvalidStateError, wait
from typing import Any

__all__ = ["DaskFutures"]


class DaskFutures:
    """Submits calls to a client of dask, and passes on what becomes of them.

    ``Client.get_executor`` does it too, but asks for the result first and for the state after: a
    result whose worker dies in between is taken for an error. Here whatever waiting for the result
    itself returns or raises is passed on.

    Args:
        client: A ``distributed.Client`` that is not asynchronous.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._open: weakref.WeakKeyDictionary[Future[Any], Any] = weakref.WeakKeyDictionary()

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        """Submit a call; cancelling what is returned cancels the task."""
        task = self._client.submit(call, *args, pure=False)
        told: Future[Any] = Future()
        self._open[told] = task
        told.add_done_callback(lambda told: _cancel(task) if told.cancelled() else None)
        self._client.loop.add_callback(_pass_on, task, told)
        return told

    def end(self, finish: bool) -> None:
        """Wait for the calls that are open, or cancel them."""
        waiting = [told for told in self._open if not told.done()]
        if finish:
            wait(waiting)
        else:
            self._client.cancel([self._open[told] for told in waiting])


def _cancel(task: Any) -> None:
    if task.status != "cancelled":  # by itself, as where the scheduler is gone
        task.cancel()


async def _pass_on(task: Any, told: Future[Any]) -> None:
    with contextlib.suppress(InvalidStateError):  # cancelled in the meantime
        try:
            told.set_result(await task)
        except CancelledError:
            told.cancel()
            told.set_running_or_notify_cancel()
        except Exception as error:
            told.set_exception(error)
