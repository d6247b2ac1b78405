"""What is timed of Patlak methods."""

from __future__ import annotations

from pathlib import Path

import pytest

from betaplus.core.errors import UsageError
from betaplus.patlak.gibbs import Gibbs
from betaplus.pipeline.benchmark.patlak.speed import benchmark_speed


def test_a_small_run(tmp_path: Path) -> None:
    result = benchmark_speed(
        tmp_path, shape=(12, 14, 16), frames=9, methods=("wls", "tv", "gibbs"), threads=1, repeats=1
    )
    rows = result["methods"]
    assert rows["wls"]["over_wls"] == rows["wls"]["cpu_over_wls"] == 1.0
    whole = Gibbs.Settings()
    turns = whole.burn + whole.samples * whole.thin
    assert rows["gibbs"]["scaled_by"] == turns / 5 and rows["tv"]["scaled_by"] == 1.0
    for one in rows.values():
        assert one["per_voxel_us"] == pytest.approx(1e6 * one["wall_s"] / (12 * 14 * 16))
    assert 0 < result["fitted"] < 12 * 14 * 16
    text = (tmp_path / "benchmark_patlak_speed.md").read_text()
    assert "| gibbs (*) |" in text and f"1 in {turns / 5:g} of its turns" in text
    assert "GPU: refused: --device is cuda" in text


def test_what_others_are_held_against_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected wls among them"):
        benchmark_speed(tmp_path, methods=("ls",))
