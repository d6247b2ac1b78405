"""Settings that are looked for are kept with their trials, and the best choice is taken."""

import pytest

from betaplus.pipeline.benchmark.rows import select
from betaplus.pipeline.benchmark.search import Axis
from betaplus.pipeline.benchmark.shelf import Shelf
from betaplus.pipeline.benchmark.tuning import tune_item

AXES = (Axis(name="width", ratio=2.0, low=1.0, high=64.0),)
LEAST = {"a": 4.0, "b": 16.0}


@pytest.fixture
def asked():
    return []


@pytest.fixture
def score(asked):
    def found(settings):
        asked.append(settings)
        away = abs(settings["width"] / LEAST[settings["prior"]] - 1.0)
        return {"score": away + (settings["prior"] == "a"), "also": settings["prior"]}

    return found


def test_the_best_of_all_choices_is_kept(tmp_path, asked, score):
    shelf, choices = Shelf(tmp_path), [{"prior": "a"}, {"prior": "b"}]
    tune_item(shelf, "one", {"seed": 7}, score, {"width": 8.0}, AXES, choices=choices)
    item = shelf.get("one")
    assert item["settings"] == {"width": 16.0, "prior": "b"}
    assert (item["seed"], item["score"], item["bracketed"]) == (7, 0.0, {"width": True})
    trials = shelf.get("trials/one")["trials"]
    assert item["tried"] == len(trials) == len(asked)
    assert {trial["also"] for trial in trials} == {"a", "b"}


def test_what_was_tried_is_not_tried_again(tmp_path, asked, score):
    shelf, choices = Shelf(tmp_path), [{"prior": "b"}]
    tune_item(shelf, "one", {}, score, {"width": 8.0}, AXES, choices=choices)
    tried, first = len(asked), shelf.get("one")
    shelf.path("one").unlink()
    tune_item(shelf, "one", {}, score, {"width": 8.0}, AXES, choices=choices)
    assert len(asked) == tried and shelf.get("one") == first


def test_rows_are_those_asked_for():
    rows = [{"a": 1, "b": 2}, {"a": 1, "b": 3}, {"a": 1, "skipped": "why"}]
    assert select(rows, a=1) == rows[:2] and select(rows, a=1, b=3) == rows[1:2]
    with pytest.raises(KeyError):
        select(rows, c=1)
