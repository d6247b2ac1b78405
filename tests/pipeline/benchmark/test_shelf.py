"""Items on the shelf: made once, in order, shared, and nothing of what failed."""

import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.benchmark import shelf as shelf_module
from betaplus.pipeline.benchmark.shelf import Shelf, Task, work_through


def recorded(shelf, made, name, needs=()):
    def run():
        made.append(name)
        shelf.put(name, {"name": name})

    return Task(name, [name], run, needs)


class Told(Silent):
    """What is reported."""

    def __init__(self):
        self.said = []

    def start(self, task, total):
        self.said.append((task, total))

    def advance(self, steps=1):
        self.said.append(steps)

    def finish(self):
        self.said.append("finished")


def test_a_task_waits_for_what_it_needs_and_is_done_once(tmp_path):
    shelf, made = Shelf(tmp_path), []
    tasks = [recorded(shelf, made, "b/late", ["a/early"]), recorded(shelf, made, "a/early")]
    told = Told()
    work_through(shelf, tasks, told, "letters")
    assert made == ["a/early", "b/late"]
    assert told.said == [("letters", 2), 1, 1, "finished"]
    work_through(shelf, tasks)
    assert made == ["a/early", "b/late"]
    assert shelf.get("b/late") == {"name": "b/late"}


def test_what_another_holds_is_left_to_it(tmp_path, monkeypatch):
    shelf, other, made = Shelf(tmp_path), Shelf(tmp_path), []
    tasks = [recorded(shelf, made, "held"), recorded(shelf, made, "free")]
    with other.claim("held") as mine:
        assert mine

        def other_ends(seconds):
            assert made == ["free"]
            other.put("held", {})

        monkeypatch.setattr(shelf_module.time, "sleep", other_ends)
        work_through(shelf, tasks)
    assert made == ["free"]


def test_a_lock_is_free_when_its_holder_is_gone(tmp_path):
    shelf = Shelf(tmp_path)
    with pytest.raises(RuntimeError), shelf.claim("item"):
        raise RuntimeError
    with shelf.claim("item") as mine:
        assert mine


def test_a_task_that_fails_leaves_no_item(tmp_path):
    shelf = Shelf(tmp_path)

    def run():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        work_through(shelf, [Task("item", ["item"], run)])
    assert not shelf.has("item")
