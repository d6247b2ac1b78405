"""Noise of a stated level on real images, and what is judged of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import UsageError
from betaplus.pipeline.benchmark.denoise.real.cases import EXPONENT, add_noise, brain_web, crops
from betaplus.pipeline.benchmark.denoise.real.run import benchmark_real
from betaplus.pipeline.benchmark.denoise.real.table import real_table
from betaplus.pipeline.benchmark.result_files import read_arrays
from betaplus.report.benchmark.denoise_real import real_figure

DATA = Path(os.environ.get("BETAPLUS_DATA", "nowhere"))
needs_data = pytest.mark.skipif(not (DATA / "pet_ibsi").is_dir(), reason="no $BETAPLUS_DATA")


@pytest.mark.parametrize("uptake", [0.5, 1.0, 8.0])
def test_noise_has_its_level_and_its_mean(uptake: float) -> None:
    image = np.full((48, 48, 48), uptake, np.float32)
    noisy = add_noise(image, (2.0, 2.0, 3.0), 0.3, 7)
    assert noisy.min() >= 0
    assert noisy.mean() == pytest.approx(uptake, rel=0.01)
    assert noisy.std() == pytest.approx(0.3 * uptake**EXPONENT, rel=0.03)
    assert np.array_equal(noisy, add_noise(image, (2.0, 2.0, 3.0), 0.3, 7))
    assert not np.array_equal(noisy, add_noise(image, (2.0, 2.0, 3.0), 0.3, 8))


def test_neighbours_correlate_by_one_half_at_3_3_mm() -> None:
    noisy = add_noise(np.ones((60, 60, 60), np.float32), (3.3, 1.65, 1.1), 0.1, 1) - 1.0
    for axis, step in ((0, 1), (1, 2), (2, 3)):
        n = noisy.shape[axis] - step
        pair = [np.take(noisy, range(first, first + n), axis).ravel() for first in (0, step)]
        assert np.corrcoef(*pair)[0, 1] == pytest.approx(0.5, abs=0.04)


def test_without_data_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BETAPLUS_DATA", raising=False)
    result = benchmark_real(tmp_path)
    assert "BETAPLUS_DATA" in result["skipped"]
    written = json.loads((tmp_path / "benchmark_denoise_real.json").read_text())
    assert written["rows"] == []
    assert "Skipped" in (tmp_path / "benchmark_denoise_real.md").read_text()
    with pytest.raises(UsageError, match="is not a folder"):
        benchmark_real(tmp_path, data=tmp_path / "none")


def test_the_table_has_a_line_for_each_noise() -> None:
    rows = [
        {"group": group, "number": number, "case": case, "method": method, "gain": gain,
         "mean_bias": 0.5, "measured": 0.2, "added": 0.3}
        for group, number, case in (
            ("IBSI crops", 0.4, "STS_002"), ("IBSI crops", 0.4, "STS_003"),
            ("templates", 0.4, "FDG template"), ("BrainWeb 06", 0.05, "BrainWeb 06"),
        )
        for method, gain in (("noisy", 0.0), ("gaussian", 3.0), ("nlm", 4.0), ("mmse", 6.0))
    ]  # fmt: skip
    text = real_table(
        {"quick": False, "bundle": "denoiser-body-v1", "exponent": 0.65, "rows": rows}
    )
    assert "| IBSI crops | L = 0.4 | 2 | +3.0 (+3.0) | +4.0 (+4.0) | +6.0 (+6.0) | +2.0 |" in text
    assert "| FDG template | L = 0.4 | 1 |" in text and "| BrainWeb 06 | 1/20 | 1 |" in text


@needs_data
def test_crops_and_brain_are_what_they_should_be() -> None:
    case = next(iter(crops(DATA, 0.4, slice(3, 4))))
    assert case.name == "STS_004" and case.lesion is not None
    assert 0.2 < case.mask.mean() < 1.0 and case.mask[case.lesion].mean() > 0.95
    assert case.noisy[case.mask].mean() == pytest.approx(case.reference[case.mask].mean(), rel=0.02)


@needs_data
@pytest.mark.slow
def test_noise_of_brain_web_falls_with_the_dose() -> None:
    if (DATA / "brain_brainweb06").is_dir():
        few, many = (next(iter(brain_web(DATA, dose))) for dose in (1 / 100, 1 / 4))
        error = [np.sqrt(np.mean((c.noisy - c.reference)[c.mask] ** 2)) for c in (few, many)]
        assert 3.0 < error[0] / error[1] < 6.0  # as the root of the dose


@needs_data
@pytest.mark.slow
def test_a_quick_run(tmp_path: Path) -> None:
    result = benchmark_real(tmp_path, quick=True, data=DATA)
    gains = {row["method"]: row["gain"] for row in result["rows"]}
    assert gains["noisy"] == 0.0 and min(gains["gaussian"], gains["nlm"], gains["mmse"]) > 1.0
    assert {"lesion_mean", "lesion_peak", "added"} <= set(result["rows"][0])
    figure = real_figure(result, read_arrays(tmp_path / "benchmark_denoise_real.npz"))
    assert figure is not None and real_figure(result, {}) is None
