"""The benchmark of reconstructions on a head that is a few voxels wide."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.physics.projector.cases import SMALL

from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Silent
from betaplus.pipeline.benchmark.reconstruct import run as benchmark
from betaplus.pipeline.benchmark.reconstruct.cases import Candidate, Case, measures, trials
from betaplus.report.benchmark.reconstruct import reconstruct_figures
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.raw.head import average, finer

GRID = ImageGrid(shape=(20, 20, 8), voxel_size=(4.0, 4.0, 2.5))
SMALLER = (
    Candidate(name="OSEM and filter", method="osem", tried={}, passes=3, filters=(0.0, 6.0)),
    Candidate(name="MAP-EM", method="map-em", tried={"beta": (0.0, 0.1)}, passes=2),
    Candidate(name="RDP", method="svrg", tried={"beta": (0.02, 0.2)}, passes=2),
)


def small_case(size: str, fraction: float, seed: int) -> Case:
    fine = finer(GRID)
    x, y, _z = np.meshgrid(*(fine.axis(i) for i in range(3)), indexing="ij")
    activity = np.where(np.hypot(x, y) < 30.0, 1.0, 0.0).astype(np.float32)
    activity[np.hypot(x - 10.0 + seed % 3, y) < 8.0] = 3.0
    mu = np.where(activity > 0, 0.0096, 0.0).astype(np.float32)
    means = simulate_counts(SMALL, fine, activity, mu, counts=2e6 * fraction, seed=seed)
    truth = average(activity) * np.float32(means.sensitivity)
    return Case(grid=GRID, truth=truth, mask=truth > 0, means=means, seed=seed)


@pytest.fixture
def smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "CANDIDATES", SMALLER)
    monkeypatch.setattr(benchmark, "make_case", small_case)
    monkeypatch.setattr(benchmark, "_SUBSETS", {"small": 5, "full": 6})
    monkeypatch.setattr(
        benchmark,
        "_SWEPT",
        {"osem": ("passes", (1, 3)), "map-em": ("beta", (0.02,)), "svrg": ("beta", (0.02, 0.2))},
    )


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


def test_methods_are_tuned_and_judged(smaller, tmp_path) -> None:
    result = benchmark.benchmark_reconstruct(tmp_path, progress=Silent())
    found = result["accuracy"]["0.01"]
    assert list(found) == [c.name for c in SMALLER]
    assert [row["seed"] for row in found["MAP-EM"]["rows"]] == [0, 1, 2]
    assert set(result["accuracy"]) == {"1", "0.01"}
    assert not set(result["tuned_on"]) & set(result["judged_on"])
    cases = [small_case("small", 0.01, seed) for seed in result["tuned_on"]]
    for candidate in SMALLER:  # tuned again, by hand
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
    assert result["bias_variance"]["realisations"] == 20

    text = (tmp_path / "benchmark_reconstruct.md").read_text()
    assert text == benchmark.reconstruct_table(result)
    assert json.loads((tmp_path / "benchmark_reconstruct.json").read_text()) == result
    for path in reconstruct_figures(tmp_path, result):
        assert path.read_bytes().startswith(b"\x89PNG")
