"""Batches made ahead are those that would be made on the spot."""

import os

import pytest
import torch
from torch import Generator

from betaplus.pipeline.training.prefetch import Prefetched

SEED = 40


def make(items: int, generator: Generator, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Draw numbers; every tenth seed finds no data."""
    if generator.initial_seed() % 10 == 9:
        raise FileNotFoundError("a file of the corpus is gone")
    return {"x": torch.randn(items, generator=generator)[rank::world]}


@pytest.mark.parametrize("first", [0, 3])
def test_batches_do_not_depend_on_who_makes_them(first):
    with Prefetched(make, 4, lambda step: SEED + step, 1) as made:
        for step in range(first, first + 4):
            expected = make(4, Generator().manual_seed(SEED + step), 0, 1)
            assert torch.equal(made(step, 0, 1, Generator())["x"], expected["x"])


def test_without_processes_the_generator_of_the_step_counts():
    with Prefetched(make, 4, lambda step: 0, 0) as made:
        expected = make(4, Generator().manual_seed(7), 1, 2)
        assert torch.equal(made(0, 1, 2, Generator().manual_seed(7))["x"], expected["x"])


def test_what_goes_wrong_in_a_process_is_told():
    with Prefetched(make, 4, lambda step: 9, 1) as made, pytest.raises(FileNotFoundError):
        made(0, 0, 1, Generator())


def threads(items: int, generator: Generator, rank: int, world: int) -> dict[str, torch.Tensor]:
    """Tell how many threads a process was given, as libraries read it when they are loaded."""
    return {"threads": torch.tensor(int(os.environ["OMP_NUM_THREADS"]))}


def test_a_process_has_one_thread_and_this_one_what_it_had(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with Prefetched(threads, 1, lambda step: step, 1) as made:
        assert int(made(0, 0, 1, Generator())["threads"]) == 1
    assert os.environ["OMP_NUM_THREADS"] == "3" and "OPENBLAS_NUM_THREADS" not in os.environ
