"""Pieces of a method in an engine: in order, kept, not repeated, with the bits of one thread."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.crew import ThreadCrew
from betaplus.core.progress import Silent
from betaplus.engine import EngineCrew, Journal, content_key, open_engine, work_folder

COUNT = 23


@pytest.fixture(scope="module")
def functions():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        yield importlib.import_module("block_functions")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(work_folder(tmp_path, "a", "b"), content_key({}, {}, {})) as journal:
        yield journal


class Notes(Silent):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


def part(index: int) -> tuple[int, np.ndarray]:
    return index, np.full(3, float(index))


EXPECTED = [{"sum": np.full(3, 7.0 + i), "index": np.array(i)} for i in range(COUNT)]


def check(found) -> None:
    found = list(found)
    assert len(found) == COUNT
    for one, other in zip(found, EXPECTED, strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_give_results_in_order(functions, threads):
    check(ThreadCrew(threads).each(functions.add, 7.0, COUNT, part))


@pytest.mark.parametrize("engine", ["inline", "threads"])
def test_engines_give_results_in_order(functions, engine):
    check(EngineCrew(engine, 3).each(functions.add, 7.0, COUNT, part))


@pytest.mark.parametrize("name", ["processes", pytest.param("dask", marks=pytest.mark.dask)])
def test_what_is_shared_is_sent_once(functions, name):
    with open_engine(name, 2) as engine:
        crew, shared = EngineCrew(engine, 2), [7.0]
        check(crew.each(functions.add_shared, shared, COUNT, part))
        sealed = crew._sealed
        check(crew.each(functions.add_shared, shared, COUNT, part))
        assert crew._sealed is sealed
    assert (crew.done, crew.resumed) == (0, 0)


def test_pieces_are_asked_for_when_their_turn_comes(functions):
    asked = []

    def noted(index: int):
        asked.append(index)
        return part(index)

    first = next(EngineCrew("threads", 2).each(functions.add, 7.0, COUNT, noted))
    assert int(first["index"]) == 0 and len(asked) <= 5
    asked.clear()
    next(ThreadCrew(2).each(functions.add, 7.0, COUNT, noted))
    assert len(asked) <= 5


def test_pieces_that_are_kept_are_not_repeated(functions, journal):
    crew = EngineCrew("inline", 1, journal)
    for _ in itertools.islice(crew.each(functions.add, 7.0, COUNT, part, "sums"), 9):
        pass
    assert (crew.done, crew.resumed) == (9, 0)
    asked = []

    def noted(index: int):
        asked.append(index)
        return part(index)

    again = EngineCrew("threads", 2, journal)
    check(again.each(functions.add, 7.0, COUNT, noted, "sums"))
    assert (again.done, again.resumed) == (COUNT, 9)
    assert sorted(asked) == list(range(9, COUNT))
    # Under another name nothing is known, and what is not kept leaves nothing.
    other = EngineCrew("inline", 1, journal)
    check(other.each(functions.add, 7.0, COUNT, part, "others"))
    check(other.each(functions.add, 7.0, COUNT, part))
    assert (other.done, other.resumed) == (COUNT, 0)


def test_a_piece_that_was_damaged_is_computed_again(functions, journal):
    check(EngineCrew("inline", 1, journal).each(functions.add, 7.0, COUNT, part, "sums"))
    torn = journal.folder / "sums_4-5.npz"
    torn.write_bytes(torn.read_bytes()[:-3])
    crew = EngineCrew("inline", 1, journal)
    check(crew.each(functions.add, 7.0, COUNT, part, "sums"))
    assert (crew.done, crew.resumed) == (COUNT, COUNT - 1)


def test_states_count_the_steps_that_made_them(journal):
    crew = EngineCrew("inline", 1, journal)
    assert crew.load("step") is None
    for n in range(3):
        crew.save("step", {"x": np.arange(4.0) * n, "done": np.array(n + 1)})
    assert (crew.done, crew.resumed) == (3, 0)
    again = EngineCrew("inline", 1, journal)
    found = again.load("step")
    assert found is not None and np.array_equal(found["x"], np.arange(4.0) * 2)
    assert (again.done, again.resumed) == (3, 3)
    assert EngineCrew("inline", 1).load("step") is None


def test_an_error_of_a_piece_ends_the_run(functions):
    for crew in (ThreadCrew(1), ThreadCrew(2), EngineCrew("inline", 1), EngineCrew("threads", 2)):
        with pytest.raises(ValueError, match="piece 5"):
            list(crew.each(functions.fail_at, 5, COUNT, part))


def test_pieces_of_a_lost_process_run_again(functions, tmp_path):
    (tmp_path / "death-1").touch()
    notes = Notes()
    with open_engine("processes", 2) as engine:
        crew = EngineCrew(engine, 2, progress=notes)
        check(crew.each(functions.add_or_die, str(tmp_path), COUNT, part))
    assert crew.workers_lost == 1 and not list(tmp_path.iterdir())
    assert notes.said == ["a worker was lost: its blocks run again"]
