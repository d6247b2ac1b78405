"""Results kept one by one, so that a run goes on where it was stopped and processes can share it.

An item is a JSON file that appears when it is complete. Who works at one holds a lock on a file of
its name, which the system gives back when a process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.result_files import write_json

__all__ = ["Shelf", "Task", "work_through"]

_WAIT = 5.0  # s between looks at what others do


class Shelf:
    """A folder of items.

    Args:
        folder: Where they are; made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Return the file of an item; its name may hold folders."""
        return self.folder / f"{name}.json"

    def has(self, name: str) -> bool:
        """Return whether an item is there."""
        return self.path(name).is_file()

    def get(self, name: str) -> dict[str, Any]:
        """Return an item."""
        found: dict[str, Any] = json.loads(self.path(name).read_text(encoding="utf-8"))
        return found

    def put(self, name: str, item: Mapping[str, Any]) -> None:
        """Write an item.

        Raises:
            OutputError: If the file cannot be written.
        """
        write_json(self.path(name), item)

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """Yield whether nobody else works at an item; hold it meanwhile."""
        path = self.folder / "locks" / f"{name.replace('/', '_')}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                yield False
                return
            yield True


class Task:
    """Some work that ends in items.

    Args:
        name: Of the lock.
        makes: Names of the items.
        needs: Names of items that must be there before.
        run: Makes the items that are not there.
    """

    def __init__(
        self,
        name: str,
        makes: Sequence[str],
        run: Callable[[], None],
        needs: Sequence[str] = (),
    ) -> None:
        self.name, self.makes, self.needs, self.run = name, tuple(makes), tuple(needs), run


def work_through(
    shelf: Shelf, tasks: Sequence[Task], progress: Progress | None = None, words: str = "tasks"
) -> None:
    """Do all tasks that are not done, with whoever else works through the same.

    Returns when all are done, by whomever.

    Args:
        shelf: Where items go.
        tasks: In the order wanted; what a task needs must be made by one of them, or be there.
        progress: What to report to.
        words: What it is told that the tasks are.
    """
    if not tasks:
        return
    progress, left = progress or Silent(), list(tasks)
    progress.start(words, len(tasks))
    while left:
        missing = [t for t in left if not all(shelf.has(name) for name in t.makes)]
        if len(missing) < len(left):
            progress.advance(len(left) - len(missing))
        left = missing
        if left and not any(_try(shelf, task) for task in left):
            time.sleep(_WAIT)
    progress.finish()


def _try(shelf: Shelf, task: Task) -> bool:
    """Do a task if it can be done and nobody does it; return whether it was done."""
    if not all(shelf.has(name) for name in task.needs):
        return False
    with shelf.claim(task.name) as mine:
        if not mine:
            return False
        if not all(shelf.has(name) for name in task.makes):  # another may have been faster
            task.run()
        return True
