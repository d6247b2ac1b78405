"""Draws that go on where they were stopped, side by side, from any kind of counts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from tests.reconstruction.cases import COARSE, data
from tests.reconstruction.score.test_score_methods import SHORT, Smooth
from tests.reconstruction.test_list_data import FLAT, FLAT_TIMED, listed, measured

from betaplus.core.progress import Silent
from betaplus.core.scanner import Scanner
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.method import SCORE_METHODS, ScoreMethod, find_score_method
from betaplus.reconstruction.score.prior import ScoreInputs


class Stopped(Exception):
    """A run that is stopped."""


class Store:
    """Arrays in memory; stops the run after some writes."""

    def __init__(self, writes: int) -> None:
        self.files: dict[str, dict[str, np.ndarray]] = {}
        self.left = writes

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        return self.files.get(name)

    def save(self, name: str, arrays: Mapping[str, np.ndarray]) -> None:
        if self.left == 0:
            raise Stopped
        self.left -= 1
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
        self.files[name] = {key: array.copy() for key, array in arrays.items()}


def method(name: str, threads: int = 1) -> ScoreMethod:
    kind = find_score_method(name)
    more = {"chains": 2} if name == "gibbs" else {}
    return kind(
        kind.Settings(subsets=6, **SHORT[name], **more),
        ScoreInputs(prior=Smooth(), seed=1, threads=threads),
    )


@pytest.mark.parametrize("name", SCORE_METHODS)
def test_stopped_before_every_write(name: str) -> None:
    counts = data(6, grid=COARSE)
    whole = method(name).draws(counts, None, Silent())
    assert whole.steps > 4 and whole.resumed == 0
    store, runs = Store(3), 0
    while True:
        runs += 1
        try:
            found = method(name).draws(counts, None, Silent(), kept=store)
            break
        except Stopped:
            store.left = 3
    assert runs > 2 and found.resumed > 0 and found.steps == whole.steps
    assert np.array_equal(found.images, whole.images)


def test_a_damaged_draw_is_made_again() -> None:
    counts, store = data(6, grid=COARSE), Store(10_000)
    whole = method("gibbs").draws(counts, None, Silent(), kept=store)
    del store.files["draw1-1"]
    again = method("gibbs").draws(counts, None, Silent(), kept=store)
    assert np.array_equal(again.images, whole.images)
    assert again.resumed == whole.steps // 2


def test_side_by_side_an_error_ends_all() -> None:
    with pytest.raises(Stopped):
        method("dds", threads=2).draws(data(6, grid=COARSE), None, Silent(), kept=Store(1))


@pytest.mark.parametrize("scanner", [FLAT, FLAT_TIMED], ids=["flat", "TOF"])
def test_events_are_a_sinogram_taken_apart(scanner: Scanner) -> None:
    """With one subset both have the same counts, and images but for their sums' last digits."""
    sinogram, events = measured(scanner, counts=3e3)
    kind = find_score_method("dds")
    settings = kind.Settings(subsets=1, steps=2, inner=1, draws=2)
    found = []
    for counts in (
        SinogramData(sinogram, COARSE, psf=5.0),
        listed(sinogram, events, COARSE, psf=5.0),
    ):
        draws = [
            kind(settings, ScoreInputs(prior=Smooth(), threads=threads)).draws(
                counts, None, Silent()
            )
            for threads in (1, 2)
        ]
        assert np.array_equal(draws[0].images, draws[1].images)
        found.append(draws[0].images)
    assert np.abs(found[0] - found[1]).max() < 2e-4 * found[0].max()
    assert np.abs(found[0][0] - found[0][1]).max() > 0.01 * found[0].max()
