"""Some hundred changed files of every reader; `python -m tests.fuzzing` reads as many as asked."""

from __future__ import annotations

import random

import pytest
from tests.fuzzing.mutate import change_bytes
from tests.fuzzing.readers import READERS, Reader, mutate
from tests.fuzzing.run import fuzz

NUMBER = 250


@pytest.mark.parametrize("name", READERS)
def test_changed_files_end_in_plain_errors(name: str) -> None:
    found = fuzz(name, NUMBER)
    assert found.bad == {}
    assert found.refused + found.taken == NUMBER
    assert found.refused > NUMBER // 10 and found.taken > NUMBER // 20  # neither is all there is


def test_what_must_not_be_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that fails, warns, prints or waits is told from one that refuses."""
    import time
    import warnings

    import tests.fuzzing.run as run

    def fails(folder: object) -> None:
        raise KeyError("x")

    def warns(folder: object) -> None:
        warnings.warn("x", stacklevel=1)

    def prints(folder: object) -> None:
        print("x")

    def waits(folder: object) -> None:
        time.sleep(60)

    monkeypatch.setattr(run, "LONGEST", 0.05)
    for step, words in ((fails, "KeyError"), (warns, "warning"), (prints, "printed")):
        assert run._outcome(step, None, run.Findings()).startswith(words)  # type: ignore[arg-type]
    assert "TimeoutError" in run._outcome(waits, None, run.Findings())  # type: ignore[arg-type]


def test_a_file_can_be_made_again() -> None:
    reader = Reader(
        make=lambda folder: None,
        read=lambda folder: None,
        describe=lambda folder: None,
        changes={"": change_bytes},
    )
    files = {"a": bytes(range(200)), "b": b"0" * 50}
    made = [mutate(reader, files, random.Random(f"x 0 {i}")) for i in (3, 4, 3)]
    assert made[0] == made[2] != made[1] and made[0] != files
