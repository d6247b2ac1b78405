"""Trials of the guard: lesions are what they are said to be, and a perfect denoiser is judged."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from betaplus.core.progress import Silent
from betaplus.pipeline.benchmark.denoise import learned
from betaplus.pipeline.benchmark.denoise.guard import cases as guard_cases
from betaplus.pipeline.benchmark.denoise.guard import run as guard_run
from betaplus.pipeline.benchmark.denoise.guard.cases import GuardCase, make_cases, read_cases

VOXEL = 6.0


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[GuardCase]:
    folder = tmp_path_factory.mktemp("guard")
    patch = pytest.MonkeyPatch()
    patch.setattr(guard_cases, "_LENGTH", 180.0)
    make_cases(folder, [900_302], VOXEL, Silent())
    patch.setattr(guard_cases, "_make_person", None)  # would be called otherwise
    make_cases(folder, [900_302], VOXEL, Silent())
    patch.undo()
    return read_cases(folder, 900_302)


def test_a_lesion_has_its_size_and_contrast(cases: list[GuardCase]) -> None:
    assert [case.site for case in cases] == ["liver", "muscle"]
    for case in cases:
        added = (guard_cases.CONTRAST - 1.0) * case.background
        volume = math.pi / 6.0 * guard_cases.DIAMETER**3
        assert case.lesion.sum() * VOXEL**3 == pytest.approx(added * volume, rel=0.25)
        at = np.array(np.unravel_index(case.lesion.argmax(), case.lesion.shape))
        assert np.abs(at - case.centre).max() <= 1.0
        change = np.abs(case.within - case.without)
        away = np.indices(change.shape) - np.reshape(case.centre, (3, 1, 1, 1))
        assert change[np.linalg.norm(away, axis=0) > 6.0].max() < 0.2 * change.max()
        middle = tuple(np.rint(case.centre).astype(int))
        assert case.within[middle] > case.without[middle]


def test_a_perfect_denoiser_has_its_faults_found(
    cases: list[GuardCase], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "apply_mmse", lambda d, volume, threads: cases[0].clean)
    rows = guard_run._trials(cases[0], SimpleNamespace(voxel=VOXEL))  # type: ignore[arg-type]
    assert [row["kind"] for row in rows] == ["clean", "erased", "invented"]
    assert rows[1]["found"] and rows[2]["found"] and rows[2]["ratio"] > 1.0


def test_the_summary_counts_and_judges() -> None:
    def trial(kind: str, found: bool) -> dict[str, Any]:
        alarm = {"sign": "erased", "change": 1.0, "uptake": 2.0, "width": 12.0, "wrong": 0.1}
        return {"person": 1, "site": "liver", "kind": kind, "found": found, "ratio": 2.0 * found,
                "alarms": [alarm] if found and kind == "clean" else []}  # fmt: skip

    trials = [trial("clean", n == 0) for n in range(10)]
    trials += [trial("erased", n < 8) for n in range(10)]
    trials += [trial("invented", n < 7) for n in range(10)]
    found = guard_run._summary(trials)
    assert found["clean"]["passed"] and len(found["clean"]["alarms"]) == 1
    assert found["erased"]["passed"] and not found["invented"]["passed"]
    text = guard_run.guard_table({
        "quick": False, "bundle": "b", "voxel": 3.0, "people": [1, 1], "dose": 0.05,
        "diameter": 12.0, "contrast": 4.0, "trials": trials, **found,
    })  # fmt: skip
    assert "| lesion erased | 8 (" in text and "| 7 of 10 |" in text and "short" in text
