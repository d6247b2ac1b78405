"""Coverage of intervals: phantoms are drawn once, models judged on rows whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.benchmark.denoise.coverage import small_phantoms
from betaplus.pipeline.benchmark.denoise.coverage.cases import judge, measure
from betaplus.pipeline.benchmark.denoise.coverage.small_phantoms import make_people, read_phantoms
from betaplus.pipeline.benchmark.denoise.coverage.table import summary
from betaplus.pipeline.benchmark.region_intervals.cases import LESIONS, fit
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan

PLAN = DenoiserPlan(voxel=10.0, box=16, edge=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantoms")
    make_people(folder, [900_001], 6, PLAN, Silent())
    return folder


def test_phantoms_are_made_once_and_drawn_alike(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_phantoms, "_make_person", None)  # would be called otherwise
    make_people(folder, [900_001], 6, PLAN, Silent())
    first, again = (list(read_phantoms(folder, [900_001], 6, 10.0)) for _ in range(2))
    other = list(read_phantoms(folder, [900_001], 6, 10.0, draw=1))
    assert len(first) == 6
    for a, b, c in zip(first, again, other, strict=True):
        assert np.array_equal(a.noisy, b.noisy) and a.dose == b.dose and a.dose != c.dose
        assert a.labels.shape == a.noisy.shape == a.clean.shape == (16, 16, 16)
        assert set(np.unique(a.labels)) - {0} <= set(a.names)
        assert all(name.startswith("Lesion ") for k, name in a.names.items() if k >= LESIONS)
        body = a.clean > 0.05
        assert abs((a.noisy - a.clean)[body].mean()) < 0.5 * a.clean[body].mean()


def test_regions_of_one_ml_are_measured_against_the_truth(folder: Path) -> None:
    phantoms = list(read_phantoms(folder, [900_001], 6, 10.0))
    found = list(measure(phantoms, 10.0, {"noisy": lambda volume: volume.data}))
    assert found
    for one in found:
        case = one["noisy"]
        phantom = phantoms[case.box]
        assert (case.table.volume >= 1.0).all()
        inside = phantom.labels == case.table.labels[0]
        assert case.truth[0] == pytest.approx(phantom.clean[inside].mean(dtype=float))
        assert case.table.noisy[0] == case.table.denoised[0]


def test_models_are_fitted_and_judged(folder: Path) -> None:
    cases = []
    for draw in range(6):
        phantoms = read_phantoms(folder, [900_001], 6, 10.0, draw)
        for one in measure(phantoms, 10.0, {"noisy": lambda volume: volume.data}):
            cases.append(replace(one["noisy"], box=10 * draw + one["noisy"].box))
    rows = judge(fit(cases, ("volume", "noise")), cases)
    assert sum(len(case.truth) for case in cases) == len(rows)
    found = summary({"mmse": rows, "noisy": rows, "noisy, plain SD": rows})
    assert found["ratio"] == pytest.approx(1.0) and not found["useful"]
    assert found["coverage"] == pytest.approx(0.9, abs=0.06)  # judged on what it was fitted to


def test_the_summary_counts_lesions_apart_and_compares_shared_regions() -> None:
    def row(
        box: int, score: float, *, lesion: bool = False, high: float = 2.0
    ) -> dict[str, object]:
        return {"person": 1, "box": box, "label": 1, "lesion": lesion, "volume": 5.0, "dose": 0.1,
                "truth": 1.0, "low": 0.0, "high": high, "estimate": 1.0, "denoised": 1.5,
                "score": score}  # fmt: skip

    learned = [row(0, 1.0), row(1, 3.0), row(2, 50.0, lesion=True, high=0.5)]
    found = summary({"mmse": learned, "nlm": [row(0, 2.0)], "nlm, plain SD": [row(0, 4.0)]})
    assert found["coverage"] == 1.0 and found["lesions"]["coverage"] == 0.0
    assert found["methods"]["nlm"]["ratio"] == pytest.approx(0.5)
    assert found["ratio"] == pytest.approx(0.25) and found["ratio_same_model"] == 0.5
    assert found["methods"]["mmse"]["output_error"] == pytest.approx(0.5)
