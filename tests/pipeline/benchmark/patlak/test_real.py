"""Real curves through the verb, and the least squares that they are held against."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.pipeline.benchmark.patlak.real.cases import HALF_LIFE, RealCurve, independent
from betaplus.pipeline.benchmark.patlak.real.run import benchmark_real, real_table


@pytest.mark.parametrize("weighted", [False, True])
def test_the_independent_fit_finds_a_line(weighted: bool) -> None:
    """Blood that rises by 2 a second: its integral is t^2, to which it is summed by hand here."""
    duration = np.full(6, 300.0)
    start, rate = np.cumsum(duration) - duration, np.log(2) / HALF_LIFE
    t = start[:, None] + np.linspace(0, 300, 30_001)
    weight = np.exp(-rate * t)
    tissue = 0.03 * t**2 / 60 + 0.4 * 2 * t
    values = np.trapezoid(weight * tissue, t) / np.trapezoid(weight, t)
    time = np.array([10.0, 500.0, 1800.0])
    curve = RealCurve(name="line", duration=duration, values=values, time=time, blood=2 * time)
    np.testing.assert_allclose(independent(curve, 2, weighted=weighted), [0.03, 0.4], rtol=1e-6)


def test_no_curves(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="set BETAPLUS_DATA"):
        benchmark_real(tmp_path / "out", folder=tmp_path)


def test_the_verb_is_the_independent_fit(tmp_path: Path, reference_data: Path) -> None:
    result = benchmark_real(tmp_path, folder=reference_data, quick=True)
    rows = result["rows"]
    assert {row["curve"] for row in rows} >= {"KMAP, GM"} and len(rows) >= 4
    assert max(max(row["difference"].values()) for row in rows) < 1e-3
    text = (tmp_path / "benchmark_patlak_real.md").read_text()
    assert text.count("| pass |") == 2 and [gate["verdict"] for gate in result["gates"]] == 2 * [
        "pass"
    ]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    rows[0]["difference"]["Ki"] = 2e-3
    assert "[%] | 0.200 | at most 0.1 | short |" in real_table(result)
