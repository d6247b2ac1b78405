"""Pairs of maps: what a fit of the frames makes of them, whose kinetics they have."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.corpus import make_corpus
from betaplus.pipeline.training.prior.pair_corpus import kind_of, simulate_pair, voxel_of
from betaplus.pipeline.training.prior.plan import PAIRS
from betaplus.simulation.dynamic_study import tissue
from betaplus.simulation.dynamic_study.kinetics import organ_kinetics

PLAN = dataclasses.replace(PAIRS["patlak3d"], voxel=16.0, softest=16.0)
HEAD = 3


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """Person, lesions and frames of every pair that is made."""
    found: list[tuple] = []
    make = tissue.noise_free_frames

    def keep(person, drawn, protocol):
        frames = make(person, drawn, protocol)
        found.append((person, drawn, frames))
        return frames

    monkeypatch.setattr(tissue, "noise_free_frames", keep)
    return found


def test_maps_are_a_fit_of_the_frames_in_parts_of_the_last(seen: list[tuple]) -> None:
    pair = simulate_pair(PLAN, HEAD, 0, 0)
    ((person, _, frames),) = seen
    # The model by quadrature: plasma and its integral, means over 8 frames of 300 s from 1200 s on,
    # decay within a frame left out.
    times = np.arange(0.0, 3601.0, 0.5)
    curve = person.blood.curve(4500.0)
    plasma = np.interp(times, curve.time, curve.plasma) / person.per_suv
    integral = np.concatenate([[0.0], np.cumsum((plasma[1:] + plasma[:-1]) / 2)]) * 0.5 / 60.0
    starts = 1200.0 + 300.0 * np.arange(8)
    inside = [(times >= s) & (times <= s + 300.0) for s in starts]
    basis = np.array([[integral[i].mean(), plasma[i].mean()] for i in inside])
    Ki, V0 = np.linalg.lstsq(basis, frames.reshape(-1, 8).T, rcond=None)[0]
    expected = np.stack([Ki * basis[-1, 0], V0 * basis[-1, 1]]).reshape(pair.shape)
    assert pair.shape == (2, *person.phantom.labels.shape)
    assert np.abs(pair - expected).max() < 0.005
    head = frames[..., -1] > 0.5
    assert np.abs(pair.sum(0)[head] / frames[head, -1] - 1.0).max() < 0.1


def test_kinetics_are_a_persons_and_vary_once_more(seen: list[tuple]) -> None:
    simulate_pair(PLAN, HEAD, 0, 0)
    simulate_pair(PLAN, HEAD, 1, 0)
    first, again = (person for person, _, _ in seen)
    known = organ_kinetics(first.phantom.names.values(), HEAD)
    logs = [
        np.log(first.regions[name][p] / value)
        for name, values in known.items()
        for p, value in values.items()
        if value > 0.0
    ]
    assert len(logs) > 50
    assert np.std(logs) == pytest.approx(0.15, rel=0.3)
    assert abs(np.mean(logs)) < 0.07
    assert first.regions.keys() == known.keys()
    assert first.regions != again.regions
    assert np.array_equal(first.phantom.labels, again.phantom.labels)
    assert all(2 <= len(drawn.lesions) <= 6 for _, drawn, _ in seen)


def test_one_in_four_is_a_head_in_finer_voxels(tmp_path: Path) -> None:
    assert [kind_of(PLAN, person) for person in range(5)] == ["body"] * 3 + ["brain", "body"]
    assert [voxel_of(PLAN, person) for person in (0, 3)] == [16.0, 12.0]
    assert list(make_corpus(tmp_path, PLAN, [HEAD], 5, workers=1)) == [0, 1]
    (made,) = Corpus.of(tmp_path).files
    alone = simulate_pair(PLAN, HEAD, 0, 5)
    assert np.array_equal(np.load(made), alone.astype(np.float16))
    heads = dataclasses.replace(PLAN, anatomy="brain")
    assert (kind_of(heads, 0), voxel_of(heads, 3)) == ("brain", 16.0)
