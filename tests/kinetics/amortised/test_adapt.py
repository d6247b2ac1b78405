"""The network adapted to one scan: what it is taught, and that it is made once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.kinetics.amortised.cases import curves_of, make_task

from betaplus.core.progress import Silent
from betaplus.generative.bundle import load_bundle
from betaplus.kinetics.amortised.adapt import adapted_settings, noise_of_curves
from betaplus.kinetics.amortised.consistency import Consistency
from betaplus.kinetics.amortised.networks import load_field
from betaplus.kinetics.prior import PRIORS


class Notes(Silent):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def note(self, text: str) -> None:
        self.seen.append(text)


@pytest.mark.parametrize("level", [3.2, 6.5])
def test_the_noise_that_is_taught_spans_that_of_the_curves(level: float) -> None:
    task = make_task(prior=PRIORS["default"])
    found = noise_of_curves(task, curves_of(24, level=level), 0)
    prior = task.prior["noise"]
    assert prior.low <= found.low < level < found.high <= prior.high
    assert found.high / found.low < 0.2 * prior.high / prior.low


def test_of_many_curves_some_are_looked_at() -> None:
    curves = np.repeat(curves_of(24, level=5.0), 30, axis=0)
    found = noise_of_curves(make_task(prior=PRIORS["default"]), curves, 0)
    assert found.low < 5.0 < found.high


@pytest.mark.slow
def test_the_adapted_network_is_another_and_is_made_once(tmp_path) -> None:
    task, curves = make_task(), curves_of(4)
    asked = Consistency.Settings(adapt_minutes=0.05, draws=64)
    notes = Notes()
    found = adapted_settings(asked, task, curves, tmp_path, notes)
    assert dataclasses.replace(found, bundle="") == asked
    bundle = load_bundle(tmp_path / "adapted" / "kinetics-consistency-v1", "kinetics")
    assert str(bundle.path) == found.bundle
    tuned, shipped = (load_field("consistency", b, "cpu")[0] for b in (found.bundle, ""))
    moved = [
        float((a - b).detach().abs().max())
        for a, b in zip(tuned.parameters(), shipped.parameters(), strict=True)
    ]
    assert 0.0 < max(moved) < 0.5  # it was trained on, not anew
    assert any("adapting" in note for note in notes.seen)

    notes = Notes()
    again = adapted_settings(asked, task, curves, tmp_path, notes)
    assert again == found and not notes.seen
    draws = Consistency(found).prepare(task).fit(curves, np.arange(4))
    assert np.isfinite(draws["mean"]).all()
