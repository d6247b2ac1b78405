"""Every verb, killed at random moments and where there is no room: nothing is lost."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.killing.studies import VERBS

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("verb", VERBS)
def test_killed_twice(verb: str) -> None:
    # In a process of its own, which has computed nothing when it forks.
    command = [sys.executable, "-m", "tests.killing", "--number", "2", "--verb", verb]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "2 kills" in found.stdout and " 0 troubles" in found.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_without_room(verb: str) -> None:
    command = [sys.executable, "-m", "tests.killing", "--full", "--verb", verb]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
    assert " 0 troubles" in found.stdout


LOSSES = (
    ("worker", "processes"),
    pytest.param("worker", "dask", marks=pytest.mark.dask),
    pytest.param("scheduler", "dask", marks=pytest.mark.dask),
)


@pytest.mark.parametrize(("lost", "engine"), LOSSES)
@pytest.mark.parametrize("verb", VERBS)
def test_a_worker_or_the_scheduler_is_lost(verb: str, lost: str, engine: str) -> None:
    command = [sys.executable, "-m", "tests.killing", "--lost", lost, "--number", "1"]
    found = subprocess.run(
        [*command, "--verb", verb, "--engine", engine], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout + found.stderr
    assert f"{lost} lost 1 times" in found.stdout and " 0 troubles" in found.stdout
