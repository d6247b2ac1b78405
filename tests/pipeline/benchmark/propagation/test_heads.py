"""Studies of heads, what their counts say, and the benchmark from end to end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor
from typer.testing import CliRunner

from betaplus.cli.main import app
from betaplus.pipeline.benchmark.propagation import heads_run
from betaplus.pipeline.benchmark.propagation.heads import Study, draw_study
from betaplus.pipeline.benchmark.propagation.heads_run import HeadsPlan, benchmark_heads
from betaplus.pipeline.benchmark.propagation.posterior import Langevin
from betaplus.pipeline.benchmark.propagation.scores import calibrated, factors, scores
from betaplus.pipeline.benchmark.propagation.ways import (
    WAYS,
    known_frame,
    known_maps,
    least_squares,
)

PLAN = HeadsPlan(judged=2, calibration=0, frames=3, how=Langevin(chains=1, burn=2, draws=3, thin=1))


@pytest.fixture(scope="module")
def study() -> Study:
    return draw_study(939_900, prompts=5e5, frames=3)


def shrunk(images: Tensor, sigma: float) -> Tensor:
    """What a prior of independent voxels of SD 1 makes of noise."""
    return images / (1.0 + sigma**2)


def test_counts_are_as_many_as_wanted(study: Study) -> None:
    assert study.prompts.sum() == pytest.approx(5e5, rel=0.02)
    mean = np.einsum("tln,tn->tl", study.system, study.frames) + study.additive
    assert study.prompts.sum() == pytest.approx(mean.sum(), abs=5.0 * np.sqrt(mean.sum()))


def test_truth_is_that_of_patlak(study: Study) -> None:
    assert 0.005 < study.truth[study.brain].mean() < 0.06
    np.testing.assert_allclose(study.design[-1], 1.0)
    assert (np.diff(study.design[:, 0]) > 0).all()
    np.testing.assert_allclose(study.regions.sum(1), 1.0)


def test_mean_counts_give_the_truth(study: Study) -> None:
    mean = np.einsum("tln,tn->tl", study.system, study.frames) + study.additive
    exact = dataclasses.replace(study, prompts=mean)
    frames = [known_frame(exact, f) for f in range(3)]
    for f, known in enumerate(frames):
        image = np.linalg.solve(known.precision, known.right)
        np.testing.assert_allclose(image, study.frames[f], rtol=1e-4, atol=1e-3)
    found = least_squares(known_maps(frames, study.design), exact)
    np.testing.assert_allclose(found.voxel[study.brain], study.truth[study.brain], atol=2e-3)


def test_least_squares_states_its_error(study: Study) -> None:
    rng = np.random.default_rng(0)
    mean = np.einsum("tln,tn->tl", study.system, study.frames) + study.additive
    ratios = []
    for _ in range(20):
        again = dataclasses.replace(study, prompts=rng.poisson(mean).astype(float))
        known = known_maps([known_frame(again, f) for f in range(3)], study.design)
        found = least_squares(known, again)
        ratios.append((found.voxel - study.truth) / found.voxel_sd)
    assert np.std(ratios) == pytest.approx(1.0, abs=0.08)


def test_a_run_that_was_stopped_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = benchmark_heads(tmp_path, plan=PLAN, denoise=shrunk)
    assert [row["way"] for row in first["rows"][::2]] == list(WAYS)
    assert all(row["width"] > 0 for row in first["rows"])
    item = next((tmp_path / PLAN.folder).glob("*.json"))
    before = item.read_text()
    item.unlink()
    drawn = []
    real = heads_run.draw_study

    def counted(seed: int, **how) -> Study:
        drawn.append(seed)
        return real(seed, **how)

    monkeypatch.setattr(heads_run, "draw_study", counted)
    again = benchmark_heads(tmp_path, plan=PLAN, denoise=shrunk)
    assert drawn == [int(item.stem)]
    assert item.read_text() == before
    assert again["rows"] == first["rows"]


def rows_of(ratio: float, studies: int, first: int) -> list[dict]:
    """Studies whose errors are `ratio` times the SD of 1."""
    rng = np.random.default_rng(first)
    rows = []
    for seed in range(first, first + studies):
        row = {"seed": seed, "truth": {"voxel": [0.0] * 50, "region": [0.0] * 5}}
        for way in WAYS:
            row[way] = {
                kind + end: (ratio * rng.standard_normal(n) if not end else np.ones(n)).tolist()
                for kind, n in (("voxel", 50), ("region", 5))
                for end in ("", "_sd")
            }
        rows.append(row)
    return rows


def test_scores_of_errors_that_are_known() -> None:
    found = scores(rows_of(2.0, 100, 0), "draws", "voxel")
    assert found["ratio"] == pytest.approx(2.0, rel=0.03)
    np.testing.assert_allclose(found["held"], [0.264, 0.589], atol=0.03)  # 2 Phi(z / 2) - 1
    on = factors(rows_of(2.0, 100, 1000))
    mended = calibrated(rows_of(2.0, 100, 0), "draws", "voxel", on["draws", "voxel"])
    np.testing.assert_allclose(mended["held"], [0.5, 0.9], atol=0.04)
    assert mended["factor"] == pytest.approx(2.0, rel=0.08)


def test_from_the_command_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["benchmark", "propagation", "-o", str(tmp_path), "--part", "gaussian", "--quick"]
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "benchmark_propagation_gaussian.json").is_file()
    assert "way 1" in result.output
