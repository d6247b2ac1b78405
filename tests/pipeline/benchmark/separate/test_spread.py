"""SD of voxels: coverage and factor of errors whose distribution is known, and a small run."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from betaplus.pipeline.benchmark.separate import spread
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.separation import study

NONE = Networks(missing={"inn": "no weights"})


def rows_of(errors):
    return [{"histogram": np.histogram(np.abs(errors), spread._EDGES)[0].tolist()}]


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_normal_errors(scale):
    rows = rows_of(np.random.default_rng(1).normal(0.0, scale, 400_000))
    for level in spread.LEVELS:
        right = 2.0 * norm.cdf(norm.ppf(0.5 + 0.5 * level) / scale) - 1.0
        assert spread.held(rows, level) == pytest.approx(right, abs=0.004)
        assert spread.held(rows, level, scale) == pytest.approx(level, abs=0.004)
    assert spread.factor_of(rows) == pytest.approx(scale, rel=0.01)


def test_errors_beyond_all_edges_are_held_by_nothing():
    rows = rows_of(np.r_[np.zeros(80), np.full(20, 1e9)])
    assert spread.held(rows, 0.95) == pytest.approx(0.8)
    assert np.isnan(spread.held([], 0.9)) and np.isnan(spread.factor_of([]))


def test_a_small_run_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "_PEOPLE", 15)
    plan = spread.SpreadPlan(
        people=2, calibration=1, boxes=1, edge=14, methods=("inn", "tissues", "linear")
    )
    found = spread.benchmark_spread(tmp_path, NONE, quick=True, plan=plan)
    assert found["skipped"] == {"inn": "no weights"}
    assert {row["method"] for row in found["rows"]} == {"tissues", "linear"}
    people = {row["person"] for row in found["rows"]}
    assert len(people) == 2 and min(people) > found["calibration"][1]
    for method in ("tissues", "linear"):
        own = [row for row in found["rows"] if row["method"] == method]
        assert 0.6 < spread.held(own, 0.9) < 1.0
    assert {gate["verdict"] for gate in found["gates"]} == {"not measured"}
    monkeypatch.setattr(spread, "_measure", lambda *_: pytest.fail("measured again"))
    assert spread.benchmark_spread(tmp_path, NONE, quick=True, plan=plan)["rows"] == found["rows"]
    stored = json.loads((tmp_path / "benchmark_separate_spread.json").read_text())
    assert stored["scans"] == 2
    text = (tmp_path / "benchmark_separate_spread.md").read_text()
    assert "| tissues | all |" in text and "inn: no weights" in text
