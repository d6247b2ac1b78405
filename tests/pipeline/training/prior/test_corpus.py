"""Volumes on disk: who is held out, and simulated people."""

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.corpus import make_corpus, simulate_volume
from betaplus.pipeline.training.prior.plan import PriorPlan

COARSE = PriorPlan(voxel=8.0, people=2, paints=2, edge=32, widths=(4, 4), tracers=("FDG",))


def _fill(folder: Path, people: int) -> None:
    for person in range(people):
        for paint in range(2):
            np.save(folder / f"person{person:06d}_{paint}.npy", np.zeros(1, np.float16))


def test_people_are_held_out_whole_and_stay_where_they_are(tmp_path: Path) -> None:
    _fill(tmp_path, 24)
    training, held = Corpus.of(tmp_path).split()
    assert len(held.files) == 4
    assert not set(training.owners) & set(held.owners)
    assert len(training.files) + len(held.files) == 48


def test_one_person_cannot_be_split(tmp_path: Path) -> None:
    _fill(tmp_path, 1)
    with pytest.raises(InputError, match="1 person"):
        Corpus.of(tmp_path).split()


def test_simulated_volumes_have_level_1_and_do_not_depend_on_the_others(tmp_path: Path) -> None:
    assert list(make_corpus(tmp_path, COARSE, range(2), 5, workers=1)) == [0, 1, 2]
    assert list(make_corpus(tmp_path, COARSE, range(2), 5, workers=1)) == [2]
    corpus = Corpus.of(tmp_path)
    assert len(corpus.files) == 4
    alone = simulate_volume(COARSE, 1, 1, 5)
    assert uptake_level(alone) == pytest.approx(1.0)
    assert np.array_equal(np.asarray(corpus.volume(3)), alone.astype(np.float16))
    assert not np.array_equal(np.asarray(corpus.volume(2)), np.asarray(corpus.volume(3)))
