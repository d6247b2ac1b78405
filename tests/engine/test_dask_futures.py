"""What becomes of calls of dask is passed on as it is, whatever happens to the worker."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from betaplus.engine.dask_futures import DaskFutures


class Task:
    """A task that ends as it is told, and whose state is another by then."""

    status = "error"

    def __init__(self, ends):
        self.ends, self.cancels = ends, 0

    def __await__(self):
        return self._end().__await__()

    async def _end(self):
        await asyncio.sleep(0.01)
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends

    def cancel(self):
        self.cancels += 1


class Client:
    """A client whose loop runs in a thread."""

    def __init__(self):
        self.tasks, self.loop = [], self
        self.threads = []

    def submit(self, call, *args, pure):
        self.tasks.append(Task(call(*args)))
        return self.tasks[-1]

    def add_callback(self, function, *args):
        self.threads.append(threading.Thread(target=lambda: asyncio.run(function(*args))))
        self.threads[-1].start()

    def cancel(self, tasks):
        for task in tasks:
            task.cancel()


def test_a_result_is_passed_on_whatever_the_state_is_afterwards():
    client = Client()
    assert DaskFutures(client).submit(bytes, 5).result(10) == b"\0" * 5
    assert client.tasks[0].cancels == 0


@pytest.mark.parametrize("error", [ValueError("five"), KeyError(5)])
def test_an_error_is_passed_on(error):
    told = DaskFutures(Client()).submit(lambda: error)
    assert told.exception(10) is error


def test_a_task_that_dask_gave_up_is_cancelled():
    told = DaskFutures(Client()).submit(lambda: CancelledError("lost"))
    with pytest.raises(CancelledError):
        told.result(10)


def test_cancelling_cancels_the_task_and_its_end_says_nothing(capfd):
    client = Client()
    told = DaskFutures(client).submit(int, 3)
    assert told.cancel()
    client.threads[0].join(10)
    assert client.tasks[0].cancels == 1 and told.cancelled()
    assert capfd.readouterr() == ("", "")


def test_the_end_waits_or_cancels():
    client = Client()
    futures = DaskFutures(client)
    told = futures.submit(int, 3)
    futures.end(finish=True)
    assert told.done() and client.tasks[0].cancels == 0
    kept = futures.submit(int, 4)
    futures.end(finish=False)
    assert client.tasks[1].cancels == 1
    assert kept.result(10) == 4
