"""Coverage: made-up methods whose errors are known, and a person measured once."""

import dataclasses

import numpy as np
import pytest

from betaplus.pipeline.benchmark.patlak.coverage import measures
from betaplus.pipeline.benchmark.patlak.coverage.measures import SmallPlan, measure_person
from betaplus.pipeline.benchmark.patlak.coverage.run import summary
from betaplus.pipeline.benchmark.patlak.coverage.table import coverage_table
from betaplus.pipeline.benchmark.shelf import Shelf

DOSES = (1.0, 0.1)
NOISE = {"wls": 0.1, "gaussian 0.3": 0.12, "gaussian 0.65": 0.11, "gaussian 1": 0.2, "tv": 0.3}


def _item(person: int, own: float, rng: np.random.Generator, boxes: int = 60) -> dict:
    """Return a person whose errors are normal, of the SD that each method says."""
    rows = []
    for box in range(boxes):
        for dose in DOSES:
            for n, kind in enumerate(("organ", "organ", "sphere", "lesion")):
                truth = rng.uniform(1.0, 3.0, 2)
                wide = rng.uniform(0.5, 2.0) / np.sqrt(dose)

                def said(sd: float, truth=truth, wide=wide) -> dict:
                    sds = np.full(2, sd * wide)
                    mean = truth + sds * rng.standard_normal(2)
                    return {"mean": mean.tolist(), "sd": sds.tolist(), "border": [0.3, 0.3],
                            "step": [0.5, 0.5], "spread": [0.2, 0.2]}  # fmt: skip

                methods = {name: said(sd) for name, sd in NOISE.items()}
                if box % 2:
                    del methods["tv"]
                methods["gibbs"] = said(own)
                rows.append({
                    "box": box, "dose": dose, "kind": kind, "name": f"{kind} {n}", "region": n,
                    "volume": 5.0, "scale": [0.01, 0.5], "truth": truth.tolist(),
                    "methods": methods,
                })  # fmt: skip
    return {"person": person, "studies": boxes, "rows": rows}


@pytest.fixture(scope="module")
def found() -> dict:
    rng = np.random.default_rng(1)
    known, judged = ([_item(10 * k + n, 0.05, rng) for n in range(3)] for k in (0, 1))
    return summary(known, judged)


def test_intervals_of_honest_sds_hold(found: dict) -> None:
    assert found["studies"] == 180
    for groups in found["maps"].values():
        for group in groups.values():
            for one in group["doses"].values():
                assert one["coverage"] == pytest.approx(0.9, abs=0.05)
                assert one["plain"]["wls"]["coverage"] == pytest.approx(0.9, abs=0.05)


def test_scores_compare_as_the_sds_do(found: dict) -> None:
    for one in found["maps"]["Ki"]["organs"]["doses"].values():
        # Interval scores of calibrated normal intervals go with their SDs.
        assert one["draws_plain"]["score"] / one["plain"]["wls"]["score"] == pytest.approx(
            0.5, rel=0.2
        )
        # Mixed with independent means by least squares, what is left is less than either's.
        assert one["ratio"] < 0.55 and one["useful"]
        assert one["raw_rmse_over_sd"] == pytest.approx(1.0, rel=0.15)
        assert one["plain"]["tv"]["regions"] == one["regions"] / 2
    chosen = found["maps"]["Ki"]["organs"]["gaussian"]
    assert set(chosen.values()) <= {"gaussian 0.65", "gaussian 0.3"}


def test_sds_are_held_against_errors_in_units_of_the_maps(found: dict) -> None:
    group = found["maps"]["Ki"]["organs"]
    assert set(group["spread"]) == {"organ 0", "organ 1"}
    for one in group["spread"].values():
        assert one["ratio"] == pytest.approx(1.0, abs=0.15)
    full = group["doses"]["1"]
    assert full["plain"]["wls"]["error"] == pytest.approx(0.01 * 0.1 * 1.25 * 0.798, rel=0.15)
    assert group["doses"]["1"]["lesions"]["regions"] == 180


def test_the_table_says_which_targets_are_reached(found: dict) -> None:
    plan = SmallPlan()
    text = coverage_table({
        "plan": dataclasses.asdict(plan), "prior": "prior-body3d-v2", "judged": [1, 2],
        "calibration": [3, 4], **found,
    })  # fmt: skip
    assert "## Ki, organs" in text and "## V0, spheres" in text
    row = next(line for line in text.splitlines() if line.startswith("| 1/10 |"))
    assert row.count("pass") == 2


def test_a_person_is_measured_at_every_dose(simulated, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(measures, "draw_person", lambda *_, **__: None)
    monkeypatch.setattr(measures, "draw_small_study", lambda *_, **__: simulated)
    plan = dataclasses.replace(SmallPlan(), boxes=2, doses=(1.0, 0.1), rarely=2)
    item = measure_person(7, plan, lambda u, sigma: u / (1.0 + sigma**2))
    shelf = Shelf(tmp_path)
    shelf.put("7", item)
    assert shelf.get("7") == item
    assert {row["dose"] for row in item["rows"]} == {1.0, 0.1} and item["studies"] == 2
    noise = {}
    for row in item["rows"]:
        assert ("tv" in row["methods"]) == (row["box"] == 0)
        for one in row["methods"].values():
            assert np.isfinite([x for values in one.values() for x in values]).all()
            assert min(one["sd"]) > 0.0
        if row["kind"] == "organ" and row["box"] == 0:
            error = row["methods"]["wls"]["mean"][0] - row["truth"][0]
            noise.setdefault(row["dose"], []).append(abs(error) / row["methods"]["wls"]["sd"][0])
    assert np.median(noise[0.1]) < 3.0


def test_plans_do_not_share_a_folder() -> None:
    one, other = SmallPlan(), dataclasses.replace(SmallPlan(), boxes=2)
    assert one.folder != other.folder
