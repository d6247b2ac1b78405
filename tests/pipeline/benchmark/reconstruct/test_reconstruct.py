"""The benchmark of reconstructions on a head that is a few voxels wide."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel
from tests.physics.projector.cases import SMALL

from betaplus.core.errors import UsageError
from betaplus.core.grid import ImageGrid
from betaplus.pipeline.benchmark.reconstruct import bench, defaults, matched, teaching
from betaplus.pipeline.benchmark.reconstruct.bench import Bench, Plan, plan_of
from betaplus.pipeline.benchmark.reconstruct.candidates import Candidate
from betaplus.pipeline.benchmark.reconstruct.cases import Case, measures, trials
from betaplus.pipeline.benchmark.reconstruct.lesions import coarse_balls
from betaplus.pipeline.benchmark.reconstruct.parts import benchmark_parts
from betaplus.pipeline.benchmark.reconstruct.run import benchmark_reconstruct
from betaplus.pipeline.benchmark.reconstruct.supervised import load_network
from betaplus.pipeline.benchmark.reconstruct.table import paired, reconstruct_table
from betaplus.pipeline.benchmark.reconstruct.tasks import all_tasks
from betaplus.pipeline.benchmark.shelf import Shelf
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.report.benchmark.reconstruct import reconstruct_figures
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.raw.head import average, finer

GRID = ImageGrid(shape=(14, 14, 8), voxel_size=(6.0, 6.0, 2.5))
TAUGHT = Candidate(name="U-Net", method="unet", tried={}, parts=())
SMALLER = (
    Candidate(
        name="OSEM and filter", method="osem", tried={}, passes=3, filters=(0.0, 6.0),
        swept=("passes", (1, 3)),
    ),
    Candidate(
        name="MAP-EM", method="map-em", tried={"beta": (0.0, 0.1)}, passes=2,
        swept=("beta", (0.02,)),
    ),
    Candidate(
        name="RDP", method="svrg", tried={"beta": (0.02, 0.2)}, passes=2,
        swept=("beta", (0.02, 0.2)),
    ),
    Candidate(
        name="dds", method="dds", tried={"weight": (0.3, 1.0)},
        fixed={"draws": 2, "steps": 2, "inner": 6},
        prior="brain2d-coarse", often={"draws": 1}, swept=("weight", (1.0,)),
    ),
)  # fmt: skip


def small_case(size: str, fraction: float, seed: int, *, lesions: float = 0.0) -> Case:
    fine = finer(GRID)
    x, y, _z = np.meshgrid(*(fine.axis(i) for i in range(3)), indexing="ij")
    activity = np.where(np.hypot(x, y) < 30.0, 1.0, 0.0).astype(np.float32)
    activity[np.hypot(x - 10.0 + seed % 3, y) < 8.0] = 3.0
    balls = None
    if lesions:
        activity[np.hypot(x + 10.0, y) < 8.0] = lesions + 1.0
        fine_balls = np.where(np.hypot(x + 10.0, y) < 8.0, 1, 0).astype(np.uint8)
        fine_balls[activity == 1.0] = 255
        balls = coarse_balls(fine_balls)
    mu = np.where(activity > 0, 0.0096, 0.0).astype(np.float32)
    means = simulate_counts(SMALL, fine, activity, mu, counts=2e6 * fraction, seed=seed)
    truth = average(activity) * np.float32(means.sensitivity)
    return Case(grid=GRID, truth=truth, mask=truth > 0, means=means, seed=seed, balls=balls)


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(bench, "make_case", small_case)
    monkeypatch.setattr(bench, "SUBSETS", {"small": 5, "full": 6})
    monkeypatch.setattr(teaching, "SUBSETS", {"small": 5, "full": 6})
    monkeypatch.setattr(matched, "MULTIPLES", (3.0,))
    return Plan(candidates=SMALLER, realisations=6, draws=2, seeds=4, judged_on=(0, 1, 2),
                tuned_on=(10, 11), sweep=(0.1, 0.01), lesions=(5,),
                taught_on=(20,), chosen_on=(21,), minutes=0.02)  # fmt: skip


def test_a_candidate_is_tried_with_all_its_settings() -> None:
    data = small_case("small", 1.0, 0).data(5)
    found = list(trials(SMALLER[0], data))
    assert [(t.passes, t.filter) for t in found] == [
        (1, 0.0), (1, 6.0), (2, 0.0), (2, 6.0), (3, 0.0), (3, 6.0),
    ]  # fmt: skip
    assert len({t.key for t in found}) == 6
    assert len(list(trials(SMALLER[1], data))) == 4
    one = list(trials(SMALLER[1], data, settings={"beta": 0.1}, passes=1))
    assert len(one) == 1 and one[0].settings == {"beta": 0.1}


def test_the_truth_itself_has_no_error() -> None:
    case = small_case("small", 1.0, 0)
    found = measures(case.truth, case)
    assert found["NRMSE"] == 0.0 and found["SSIM"] == pytest.approx(1.0)
    assert measures(0.9 * case.truth, case)["NRMSE"] == pytest.approx(10.0, rel=1e-4)


def test_realisations_differ_and_come_back() -> None:
    case = small_case("small", 0.1, 0)
    a, b, again = (case.data(5, n).sinogram.prompts for n in (0, 1, 0))
    assert np.array_equal(a, again) and not np.array_equal(a, b)
    expected = case.means.mean().sum()
    assert abs(a.sum() - expected) < 6 * np.sqrt(expected)


def test_heads_are_of_no_training() -> None:
    for quick, short in ((False, False), (True, False), (False, True)):
        plan = plan_of(quick, short=short)
        seeds = (plan.tuned_on, plan.judged_on, plan.chosen_on, plan.taught_on, plan.lesions)
        assert len({seed for some in seeds for seed in some}) == sum(map(len, seeds))
        assert not set(plan.tuned_on) & set(plan.judged_on)
        assert min(*plan.tuned_on, *plan.judged_on) >= FIRST_TEST


def test_methods_are_tuned_and_judged(smaller: Plan, tmp_path: Path) -> None:
    result = benchmark_reconstruct(tmp_path, plan=smaller)
    found = result["accuracy"]["0.01"]
    assert list(found) == [c.name for c in SMALLER]
    rows = found["MAP-EM"]["rows"]
    assert [(row["seed"], row["draw"]) for row in rows] == [
        (0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1),
    ]  # fmt: skip
    assert set(result["accuracy"]) == {"1", "0.01"}
    cases = [small_case("small", 0.01, seed) for seed in smaller.tuned_on]
    for candidate in SMALLER[:3]:  # tuned again, by hand
        errors: dict[tuple, list[float]] = {}
        for case in cases:
            for trial in trials(candidate, case.data(5)):
                error = np.linalg.norm((trial.image - case.truth)[case.mask])
                error /= np.linalg.norm(case.truth[case.mask])
                key = (trial.settings.get("beta"), trial.passes, trial.filter)
                errors.setdefault(key, []).append(error)
        best = min(errors, key=lambda key: np.mean(errors[key]))
        row = found[candidate.name]
        assert (row["settings"].get("beta"), row["passes"], row["filter"]) == best
        assert row["tried"] == len(errors)
    osem = result["bias_variance"]["methods"]["OSEM and filter"]["rows"]
    assert [row["value"] for row in osem] == [1, 3]
    assert osem[1]["sd"] > osem[0]["sd"]  # noise grows with the passes
    rdp = result["bias_variance"]["methods"]["RDP"]["rows"]
    assert rdp[1]["sd"] < rdp[0]["sd"] and rdp[1]["bias"] > rdp[0]["bias"]
    assert result["bias_variance"]["realisations"] == 6
    spread = result["spread"]["dds"]
    assert spread["seeds"] == 4 and 0.0 <= spread["inside"]["50"] <= spread["inside"]["95"] <= 1.0
    assert set(result["full"]["rows"]) == set(found)
    assert (
        0.0 < result["full"]["rows"]["dds"]["projector"] < result["full"]["rows"]["dds"]["seconds"]
    )

    assert [row["fraction"] for row in result["counts"]] == [0.01, 0.1]
    for row in result["counts"]:  # the best of its own trials, which are noisier with fewer counts
        case = small_case("small", row["fraction"], 0)
        best = min(measures(t.image, case)["NRMSE"] for t in trials(SMALLER[0], case.data(5)))
        assert row["OSEM"]["NRMSE"] == pytest.approx(best, rel=1e-6)
    for rows in result["lesions"].values():
        assert [row["seed"] for row in rows] == [5]
        assert 20.0 < rows[0]["recovery"] < 120.0 and rows[0]["noise"] > 0.0
    assert [row["multiple"] for row in result["matched"]] == [3.0]
    for row in result["matched"]:  # a stronger prior leaves less noise
        noises = [one["noise"] for one in row["rdp"]]
        assert noises == sorted(noises, reverse=True)

    text = (tmp_path / "benchmark_reconstruct.md").read_text()
    assert text == reconstruct_table(result)
    assert json.loads((tmp_path / "benchmark_reconstruct.json").read_text()) == result
    for path in reconstruct_figures(tmp_path, result):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_a_network_is_taught_once_and_judged(smaller: Plan, tmp_path: Path) -> None:
    plan = dataclasses.replace(
        smaller, candidates=(TAUGHT,), fractions=(0.01,), full=False, draws=1, judged_on=(0,)
    )
    result = benchmark_reconstruct(tmp_path, plan=plan)
    found = result["accuracy"]["0.01"]["U-Net"]
    case = small_case("small", 0.01, 0)
    network = load_network(Bench.at(tmp_path, plan).network(0.01))
    known = measures(network.image(case.data(5)), case)
    assert {key: found["rows"][0][key] for key in known} == pytest.approx(known)
    assert not result["lesions"] and not result["spread"] and not result["matched"]


def test_the_reference_has_the_level_of_its_fraction(smaller: Plan, tmp_path: Path) -> None:
    head = Bench.at(tmp_path, smaller)
    truth = small_case("small", 0.01, 1)
    reference = head.reference("small", 0.01, 1)
    inside = truth.mask & (truth.truth == np.median(truth.truth[truth.mask]))
    assert reference[inside].mean() == pytest.approx(truth.truth[inside].mean(), rel=0.05)
    assert np.array_equal(head.reference("small", 1.0, 1) * np.float32(0.01), reference)


def test_time_is_taken_of_both_in_one_run(
    smaller: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = Candidate(name="published", method="dds-published", tried={"pull": (0.3, 1.0)})
    head = Bench.at(tmp_path, dataclasses.replace(smaller, candidates=(*SMALLER, published)))
    (task,) = (t for t in all_tasks(head) if t.name == "speed")
    for seed in smaller.tuned_on:  # they are timed as they were tuned
        for name, key in (("published", "pull"), ("dds", "weight")):
            rows = [{"settings": {key: value}, "passes": 0, "filter": 0.0, "NRMSE": error}
                    for value, error in ((0.3, 30.0), (1.0, 29.0))]  # fmt: skip
            head.shelf.put(f"tuning/{name}/0.01/{seed}", {"trials": rows})
    assert all(head.shelf.has(name) for name in task.needs)
    truth, asked = small_case("small", 0.01, 0).truth, []

    def timed(candidate: Candidate, method: str, data: object, settings: dict) -> tuple:
        assert candidate.method == method and settings.pop("draws") == 1
        asked.append((method, settings))
        share = 0.9 if method == "dds-published" else 0.8 + 0.05 * len(asked)
        return truth * np.float32(share), 100.0 if method == "dds-published" else len(asked)

    monkeypatch.setattr(defaults, "_timed", timed)
    task.run()
    rows = head.shelf.get("speed")["rows"]
    assert [(row["method"], row["settings"]) for row in rows] == asked
    assert asked[0] == ("dds-published", {"pull": 1.0}) and asked[-1] == ("dds", {})
    tuned = {"steps": 2, "inner": 6, "weight": 1.0}
    assert asked[1:-1] == [("dds", {**tuned, "steps": n}) for n in (2, 3, 2)]
    assert rows[0]["NRMSE"] == pytest.approx(10.0, rel=1e-4)
    assert defaults.fastest(rows) == rows[1]  # 10 %, the others less
    none = Bench.at(tmp_path, dataclasses.replace(smaller, candidates=()))
    assert not defaults.default_tasks(none, {})


def test_it_goes_on_with_what_is_not_there(
    smaller: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = dataclasses.replace(
        smaller, candidates=SMALLER[:1], full=False, realisations=2, fractions=(0.01,)
    )
    whole = benchmark_reconstruct(tmp_path, plan=plan)
    folder = tmp_path / plan.folder
    (lost,) = folder.glob("judged/*/0.01/1/1.json")
    lost.unlink()
    made: list[Path] = []
    put = Shelf.put
    monkeypatch.setattr(
        Shelf, "put", lambda self, name, item: (made.append(self.path(name)), put(self, name, item))
    )
    again = benchmark_reconstruct(tmp_path, plan=plan)
    assert made == [lost]
    for result in (whole, again):
        for found in result["accuracy"]["0.01"].values():
            found.pop("seconds")
            for row in found["rows"]:
                row.pop("seconds")
    assert whole == again


def test_what_is_made_often_is_made_shorter() -> None:
    choice = {"settings": {"beta": 0.1}, "passes": 6, "filter": 0.0}
    once = dataclasses.replace(SMALLER[1], often={"passes": 3})
    assert once.choice_often(choice) == {**choice, "passes": 3}
    drawn = SMALLER[3].choice_often(choice)
    assert drawn["settings"] == {"beta": 0.1, "draws": 1} and drawn["passes"] == 6


def test_parts(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of methods, coverage, heads"):
        benchmark_parts(tmp_path, ("methods", "none"))
    assert not list(tmp_path.iterdir())


def test_differences_are_over_heads() -> None:
    """Student's interval of heads' means: scipy's, on those means."""
    rng = np.random.default_rng(0)
    rows = [
        [{"seed": s, "draw": d, "NRMSE": float(rng.normal(20 + s, 1))} for s in range(5)
         for d in range(3)]
        for _ in range(2)
    ]  # fmt: skip
    mean, low, high = paired(*rows)
    a, b = (np.array([row["NRMSE"] for row in one]).reshape(5, 3).mean(1) for one in rows)
    known = ttest_rel(a, b).confidence_interval(0.95)
    assert mean == pytest.approx((a - b).mean())
    assert (low, high) == pytest.approx((known.low, known.high))
    with pytest.raises(ValueError, match="same heads"):
        paired(rows[0], rows[1][::-1])
