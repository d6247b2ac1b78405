"""Volumes on disk: who is held out, and simulated people."""

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.generative.image_prior import uptake_level
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior import counted_heads
from betaplus.pipeline.training.prior.corpus import block_means, make_corpus, simulate_volume
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.simulation.raw.activity import draw_subject
from betaplus.simulation.raw.head import average, finer, make_head
from betaplus.simulation.raw.plan import make_plan

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


def test_voxels_are_means_over_those_of_the_simulation() -> None:
    image = np.random.default_rng(0).random((9, 6, 4)).astype(np.float32)
    found = block_means(image, 2)
    assert found.shape == (4, 3, 2)
    assert found[3, 0, 1] == pytest.approx(image[6:8, 0:2, 2:4].mean())
    assert block_means(image, 1) is image


def test_a_counted_head_is_the_one_that_counts_are_simulated_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counted_heads, "_EXTENT", (192.0, 240.0, 16.0))
    plan = make_plan(size="small", seed=3)
    head = make_head(finer(plan.grid), 3)
    truth = average(draw_subject(plan.profile, plan.frames, 5).image(head, 0))
    fine = counted_heads.counted_head(PriorPlan(averaged=2), 3)("FDG", 5)
    found = block_means(fine, 2)[::-1, ::-1, ::-1]  # to the scanner's axes
    assert found.shape == (96, 120, 8)
    # Both grids have voxel borders at even millimetres; z from -4 to 12 of the scanner's -16 to 16.
    # Labels at the ends of a grid may differ by what lies outside it, within 6 mm.
    expected = truth[16:112, 3:123, 6:14]
    np.testing.assert_allclose(found[:, :, 3:5], expected[:, :, 3:5], rtol=1e-5)
    assert float(found.std()) > 0.0
