"""The weights of `inn` that ship: they load, and make the figure that their record holds."""

from __future__ import annotations

import json

import pytest

from betaplus.pipeline.training.separation import validation
from betaplus.pipeline.training.separation.plan import SeparationPlan
from betaplus.separation.bundle import load_separation
from betaplus.separation.study_tracers import parse_tracers
from betaplus.separation.usual_method import usual_method


def test_the_shipped_network_makes_its_stored_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BETAPLUS_BUNDLES", raising=False)
    monkeypatch.setattr(validation, "DELAYS", (20.0,))
    trained = load_separation("inn")
    stored = json.loads((trained.bundle.path / "training.json").read_text())["metrics"]
    plan = SeparationPlan(edge=trained.bundle.config.settings["edge"])
    found = validation.Validation(plan).measure(trained.network, False)
    for tracer in ("FMZ", "FDG"):
        for name in (f"NRMSE, {tracer} at 20 min", f"NRMSE of tissues, {tracer} at 20 min"):
            assert found[name] == pytest.approx(stored[name], rel=0.02)
    assert found["score"] < 0.0  # better than what it starts from


def test_it_is_the_usual_method_for_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BETAPLUS_BUNDLES", raising=False)
    for pair in ("FMZ,FDG", "FDG,PBR28"):
        assert usual_method(parse_tracers(pair), 1200.0) == ("inn", "")
    assert usual_method(parse_tracers("MET,FDG"), 1200.0)[0] == "tissues"
