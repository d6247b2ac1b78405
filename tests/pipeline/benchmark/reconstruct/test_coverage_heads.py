"""Heads whose regions are asked for, and the share of voxels that draws hold."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from betaplus.pipeline.benchmark.reconstruct.coverage import heads, run
from betaplus.pipeline.benchmark.reconstruct.coverage.heads import (
    measure_head,
    tissues,
    voxels_held,
)
from betaplus.pipeline.benchmark.reconstruct.coverage.run import benchmark_heads
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import blocks
from betaplus.pipeline.benchmark.reconstruct.coverage.table import heads_table

FEW = {
    "osem": {"iterations": 1, "filter": 8.0},
    "conditional": {"draws": 2, "steps": 2},
}


@pytest.fixture(scope="module")
def case() -> heads.Case:
    return heads.make_case("small", heads.LOW, 900801)


def test_tissues_are_those_of_the_head(case: heads.Case) -> None:
    found = {region.name: region.inside for region in tissues(case)}
    assert {"WhiteMatter", "FrontalCortex", "Putamen"} <= set(found)
    assert sum(inside.astype(int) for inside in found.values()).max() == 1
    # The simulated tracer is FDG: grey matter has more of it than white, and that than CSF.
    mean = {name: float(case.truth[inside].mean()) for name, inside in found.items()}
    assert mean["Putamen"] > 1.1 * mean["WhiteMatter"] > 2.0 * mean["CSF"] > 0


def test_blocks_of_a_volume() -> None:
    image = np.zeros((30, 30, 16), np.float32)
    image[8:29, 1:15] = 1.0
    found = blocks(image, image >= 0, 7)
    # Along the edges blocks start at 1, 8, 15, 22, of the slices at 1, 8.
    assert len(found) == 3 * 2 * 2 and all(r.inside.sum() == 343 for r in found)
    assert not any(region.inside[:8].any() for region in found)


def test_one_more_draw_is_held_as_often_as_said(case: heads.Case) -> None:
    """Of draws from the distribution that the truth is from, however few there are."""
    rng = np.random.default_rng(0)
    truth = case.truth + 0.2 * rng.standard_normal(case.truth.shape)
    alike = case.truth + 0.2 * rng.standard_normal((4, *case.truth.shape))
    like = heads.Case(
        grid=case.grid, truth=truth, mask=case.mask, means=case.means, seed=0, labels=None
    )
    assert voxels_held(alike, like) == pytest.approx(
        {"0.5": 0.5, "0.8": 0.8, "0.95": 0.95}, abs=0.01
    )
    narrow = case.truth + 0.1 * rng.standard_normal((4, *case.truth.shape))
    assert voxels_held(narrow, like)["0.95"] < 0.85


def test_a_head_is_measured_and_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heads, "HEAD_METHODS", FEW)
    monkeypatch.setattr(run, "HEAD_METHODS", FEW)
    (scan,) = measure_head(900802)["scans"]
    assert set(scan["NRMSE"]) == set(FEW) and set(scan["voxels"]) == {"conditional"}
    assert len(scan["blocks"]) > 100 and scan["blocks"][0]["osem"]["sd"] is None
    whole = np.mean([r["osem"]["mean"] - r["truth"] for r in scan["blocks"]])
    assert abs(whole) < 0.15  # one unit
    # Others like it, whose errors are its own in other places.
    rng = np.random.default_rng(0)

    def other(seed: int) -> dict[str, list[dict]]:
        rows = [scan["blocks"][k] for k in rng.permutation(len(scan["blocks"]))[:60]]
        return {"scans": [{**scan, "seed": seed, "blocks": rows}]}

    monkeypatch.setattr(run, "measure_head", other)
    result = benchmark_heads(tmp_path, heads=6, calibration=10)
    assert result["scans"] == [10, 6]
    # Ten scans to calibrate on: intervals are as wide as their worst scan wants.
    assert 0.9 < result["blocks"]["osem"]["one width"]["coverage"] <= 1.0
    path = tmp_path / "benchmark_reconstruct_coverage_heads.json"
    assert json.loads(path.read_text()) == result
    text = path.with_suffix(".md").read_text()
    assert text == heads_table(result) and "| `conditional` |" in text.split("## Voxels")[1]
