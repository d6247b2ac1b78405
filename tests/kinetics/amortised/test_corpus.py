"""Studies, the corpus and its batches: repeatable, varied, and what a network will see in use."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from tests.kinetics import brute_force as grid
from tests.kinetics.amortised.cases import curves_of, make_task

from betaplus.core.errors import InputError
from betaplus.kinetics.amortised.condition import FEATURES, TOKEN, Describer, make_probes
from betaplus.kinetics.amortised.corpus import (
    FRAMES,
    input_curves,
    make_corpus,
    study_arrays,
    whitened,
)
from betaplus.kinetics.amortised.dataset import Dataset, corpus_files, split
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.amortised.studies import draw_curves, draw_study
from betaplus.kinetics.exact.density import PLACES
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.prior import Distribution

STUDIES = [draw_study(5, i, [grid.CURVE], 0.5) for i in range(60)]


def test_a_study_is_that_of_its_seed_and_number():
    one, same, other = draw_study(5, 3), draw_study(5, 3), draw_study(6, 3)
    np.testing.assert_array_equal(one.task.curve.plasma, same.task.curve.plasma)
    np.testing.assert_array_equal(one.task.frames.duration, same.task.frames.duration)
    assert (one.task.model, one.task.delay) == (same.task.model, same.task.delay)
    assert one.task.curve.plasma.max() != other.task.curve.plasma.max()
    for a, b in zip(draw_curves(one, 4, 5, 3), draw_curves(same, 4, 5, 3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_studies_vary_and_are_possible():
    tasks = [study.task for study in STUDIES]
    assert {t.model for t in tasks} == {"1TCM", "2TCM3k", "2TCM"}
    assert {t.prior.name for t in tasks} == {"default", "published", "published-signed"}
    assert len({round(t.half_life) for t in tasks}) == 3
    assert len({len(t.frames) for t in tasks}) > 15
    fitted = sum(t.delay is None for t in tasks)
    assert 15 < fitted < 45
    for task in tasks:
        assert 12 <= len(task.frames) <= FRAMES
        assert 10 <= task.frames.end[-1] / 60 <= 120
        assert task.curve.time[-1] >= task.frames.end[-1]
        for blood in (task.curve.plasma, task.curve.whole_blood):
            assert np.isfinite(blood).all() and blood.min() >= 0 and blood.max() > 0
        assert task.delay is None or -15 <= task.delay <= 30
    averages = [np.trapezoid(t.curve.plasma, t.curve.time) / t.curve.time[-1] for t in tasks]
    assert max(averages) / min(averages) > 300


def test_curves_are_those_of_their_parameters():
    # At the true parameters squared residuals over the noise's shape are l^2 times chi-square.
    level, found = 5.0, []
    for study in STUDIES[:5]:
        study = dataclasses.replace(study, noise=Distribution.at(level))
        truth, curves = draw_curves(study, 40, 5, 0)
        prior = study.task.prior
        for place, name in enumerate(PLACES[:5]):
            column = truth[:, place]
            assert not column.any() or (
                prior[name].low <= column.min() and column.max() <= prior[name].high
            )
        lean = LeanPass(study.task)
        padded = lean.padded(curves)
        pilot = lean.pilots(padded, make_probes())
        x = whitened(study.task, lean, pilot.mean, pilot.factor, truth[:, None])
        _, _, misfits = lean.evaluate(padded, pilot, x)
        inside = np.abs(x).max((1, 2)) < 12
        assert inside.mean() > 0.9
        frames, scale = len(study.task.frames), lean.problem.target.table.scale
        found.append(misfits[inside, 0] * scale / level**2 / frames)
    assert np.median(np.concatenate(found)) == pytest.approx(1.0, abs=0.06)


def test_whitened_coordinates_and_back():
    task = make_task(delay=None)
    lean = LeanPass(task)
    padded = lean.padded(curves_of(3))
    pilot = lean.pilots(padded, make_probes())
    x = np.random.default_rng(0).uniform(-2, 2, (3, 30, lean.free.size))
    rows, _, _ = lean.evaluate(padded, pilot, x)
    v = pilot.mean[:, None] + np.einsum("nij,nsj->nsi", pilot.factor, x)
    inside = np.abs(v).max(-1) < 5.5
    found = whitened(task, lean, pilot.mean, pilot.factor, rows)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(found[inside], x[inside], atol=0.02)


def test_training_sees_what_use_will_show():
    # The corpus takes the lean pass from a larger table of points: the same first ones.
    study = STUDIES[1]
    _, curves = draw_curves(study, 3, 5, 1)
    exact = Exact(Exact.Settings(fine=2048, largest=16384, least_ess=400.0)).prepare(study.task)
    seen = []
    for lean in (LeanPass(study.task), LeanPass(study.task, exact.problem)):
        padded = lean.padded(curves)
        seen.append(Describer(study.task, lean)(padded, lean.pilots(padded, make_probes())))
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    assert list(make_corpus(folder, studies=2, curves=8, draws=4, seed=5, workers=1)) == [0, 1, 2]
    return folder


def test_a_corpus_is_the_same_by_any_worker(corpus):
    files = corpus_files(corpus)
    assert [path.name for path in files] == ["study-00000.npz", "study-00001.npz"]
    again = study_arrays(draw_study(5, 1), 5, 1, 8, 4)
    with np.load(files[1]) as held:
        assert set(held) == set(again)
        for name, values in again.items():
            np.testing.assert_array_equal(held[name], values, err_msg=name)
    assert again["tokens"].shape == (8, FRAMES, TOKEN)
    assert again["features"].shape == (8, FEATURES)
    assert again["x"].shape == (8, 5, 6)
    absent = again["free"] == 0
    assert not again["x"].transpose(0, 2, 1)[absent].any()


def test_a_corpus_is_continued_where_it_ended(corpus):
    before = [path.stat().st_mtime_ns for path in corpus_files(corpus)]
    assert list(make_corpus(corpus, studies=2, curves=8, draws=4, seed=5, workers=1)) == [2]
    assert [path.stat().st_mtime_ns for path in corpus_files(corpus)] == before


@pytest.mark.slow
def test_draws_are_of_the_posterior_that_the_truth_is_from():
    # The rank of the truth among its draws is uniform: simulation-based calibration, 12 studies.
    ranks = []
    for i in range(12):
        arrays = study_arrays(STUDIES[i], 5, i, 16, 19)
        x, free = arrays["x"].astype(np.float64), arrays["free"][0] > 0
        ranks.append((x[:, 1:] < x[:, :1]).mean(1)[:, free].ravel())
        assert arrays["ess"].min() > 20
    ranks = np.concatenate(ranks)
    assert ranks.mean() == pytest.approx(0.5, abs=0.05)
    assert np.mean((ranks > 0.05) & (ranks < 0.95)) == pytest.approx(0.9, abs=0.06)


def test_held_out_studies_are_not_trained_on(tmp_path):
    files = [tmp_path / f"study-{i:05d}.npz" for i in range(60)]
    training, validation = split(files)
    assert sorted(training + validation) == files
    assert not set(training) & set(validation)
    assert [int(path.stem[-5:]) for path in validation] == [0, 25, 50]


def test_batches(corpus):
    data = Dataset.read(corpus_files(corpus))
    assert len(data) == 16

    def batch(rank=0, world=1):
        return data.batch(6, 3, torch.Generator().manual_seed(1), rank, world)

    tokens, count, features, free, x = batch()
    assert tokens.shape[1] == count.max() and features.shape == (6, FEATURES)
    assert x.shape == (6, 3, 6) and free.shape == (6, 6)
    assert all(part.dtype == torch.float32 for part in (tokens, features, free, x))
    for i in range(6):  # draws are the curve's own, without repetition
        same = (data.features.float() == features[i]).all(1).nonzero()[0, 0]
        match = (data.x[same].float()[None] == x[i][:, None]).all(-1)
        assert match.any(1).all() and match.any(0).sum() == 3
    halves = [batch(rank, 2) for rank in (0, 1)]
    for whole, a, b in zip((count, features, x), *(h[1:3] + h[4:] for h in halves), strict=True):
        assert torch.equal(whole[0::2], a) and torch.equal(whole[1::2], b)


def test_a_corpus_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="holds no study"):
        Dataset.read([])
    path = tmp_path / "study-00000.npz"
    path.write_bytes(b"not a study")
    with pytest.raises(InputError, match=r"study-00000.npz cannot be read"):
        Dataset.read([path])


def test_measured_input_functions(reference_data):
    found = list(input_curves(reference_data))
    names = [name for name, _ in found]
    assert len(found) > 3 and names == sorted(names)
    assert all(curve.plasma.max() > 0 for _, curve in found)


def test_no_input_functions(tmp_path):
    (tmp_path / "sub_blood.tsv").write_text("nothing\n")
    assert list(input_curves(tmp_path)) == []
