"""Small scans with regions, and intervals of their means."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.generative.image_prior import load_image_prior
from betaplus.generative.volume_denoiser import volume_denoiser
from betaplus.pipeline.benchmark.reconstruct.coverage import measures, run
from betaplus.pipeline.benchmark.reconstruct.coverage.intervals import judge
from betaplus.pipeline.benchmark.reconstruct.coverage.measures import SliceDenoiser, image_of
from betaplus.pipeline.benchmark.reconstruct.coverage.run import benchmark_coverage
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import (
    COUNTS,
    GRID,
    PRIOR,
    blocks,
    small_scans,
)
from betaplus.pipeline.benchmark.reconstruct.coverage.table import best_classical, coverage_table

FEW = {
    "osem": {"iterations": 2, "filter": 6.0},
    "osem smooth": {"iterations": 1, "filter": 12.0},
    "gibbs": {"draws": 2, "burn": 0, "thin": 1, "inner": 1},
    "dds": {"draws": 2, "inner": 2, "steps": 2, "beta": 0.0},
}


def scans_of(number: int, spread: float, said: float, seed: int) -> list[dict]:
    """Truths 1, means with errors of an SD, of which a method says another; osem is worse."""
    rng = np.random.default_rng(seed)
    return [
        {
            "seed": n,
            "regions": [
                {
                    "name": name, "truth": 1.0,
                    "gibbs": {"mean": 1.0 + spread * scale * rng.standard_normal(), "sd": said},
                    "osem": {"mean": 1.0 + 0.2 * rng.standard_normal(), "sd": None},
                }
                for name, scale in (("a", 1.0), ("b", 0.3))
            ],
        }
        for n in range(number)
    ]  # fmt: skip


def test_intervals_hold_what_they_say() -> None:
    known, judged = scans_of(3000, 0.05, 0.025, 0), scans_of(3000, 0.05, 0.025, 1)
    found = judge(known, judged, ["gibbs", "osem"])
    assert found["gibbs"]["error over SD"] == pytest.approx(2.0 * np.sqrt((1 + 0.09) / 2), rel=0.05)
    # SDs are half of what they should be: 1.645 / 2 SD of a normal distribution hold 59 %.
    raw = found["gibbs"]["raw"]["coverage"]
    assert raw == pytest.approx(0.5 * (0.589 + 0.9939), abs=0.02)
    for kind in ("one factor", "by tissue"):
        assert found["gibbs"][kind]["coverage"] == pytest.approx(0.9, abs=0.02)
    assert found["gibbs"]["by tissue"]["score"] < found["gibbs"]["one factor"]["score"]
    assert "raw" not in found["osem"]
    # The score of the best interval of a normal distribution: 4.126 SD.
    by_tissue = found["gibbs"]["by tissue"]["score"]
    assert by_tissue == pytest.approx(4.126 * 0.05 * 0.65, rel=0.08)
    assert best_classical(found) == min(
        found["osem"][kind]["score"] for kind in ("one factor", "by tissue", "one width", "mixed")
    )


def test_scans_are_of_the_prior() -> None:
    (scan, other) = small_scans(900800, 2)
    case = scan.case
    assert case.truth.shape == GRID.shape
    assert case.means.mean().sum() == pytest.approx(COUNTS, rel=1e-3)
    assert scan.case.seed != other.case.seed
    inside = sum(region.inside.astype(int) for region in scan.regions)
    assert inside.max() == 1 and min(region.inside.sum() for region in scan.regions) >= 8
    many = case.data(2).alone(1)
    image = image_of("osem", {"iterations": 60, "filter": 10.0}, many, _identity)[0]
    total = case.truth[case.mask].sum()
    assert image[case.mask].sum() == pytest.approx(total, rel=0.1)  # one unit


def test_blocks_know_the_image_alone() -> None:
    image, mask = np.zeros((32, 32, 1), np.float32), np.ones((32, 32, 1), bool)
    image[8:20, 5:26] = 1.0
    mask[:, 20:] = False
    found = blocks(image, mask)
    assert all(region.inside.sum() == 9 and mask[region.inside].all() for region in found)
    inside = sum(region.inside.astype(int) for region in found)
    assert inside.max() == 1
    # Blocks start at 1, 4, 7, ...: those of rows 7 to 21 have a third of their voxels inside.
    rows, columns = inside[..., 0].any(1), inside[..., 0].any(0)
    assert list(np.flatnonzero(rows)[[0, -1]]) == [7, 21]
    assert list(np.flatnonzero(columns)[[0, -1]]) == [4, 18]


def test_one_width_is_of_errors_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    scans = [
        {"seed": n, "blocks": [{"name": "block", "truth": t, "osem": {
            "mean": t + 0.1 * rng.standard_normal(), "sd": None}} for t in (0.5, 4.0)]}
        for n in range(2000)
    ]  # fmt: skip
    found = judge(scans[:1000], scans[1000:], ["osem"], "blocks")["osem"]
    assert found["one width"]["score"] == pytest.approx(0.4126, rel=0.05)
    assert found["one width"]["score"] < 0.7 * found["one factor"]["score"]


def test_mixed_intervals_are_for_errors_beyond_the_draws() -> None:
    rng = np.random.default_rng(1)
    scans = [
        {"seed": n, "blocks": [{"name": "block", "truth": 1.0, "gibbs": {
            "mean": 1.0 + np.hypot(sd, 0.2) * rng.standard_normal(), "sd": sd}}
            for sd in (0.05, 0.1, 0.5)]}
        for n in range(2000)
    ]  # fmt: skip
    found = judge(scans[:1000], scans[1000:], ["gibbs"], "blocks")["gibbs"]
    others = [found[kind]["score"] for kind in ("raw", "one factor", "one width")]
    assert found["mixed"]["score"] < 0.95 * min(others)
    assert found["mixed"]["coverage"] == pytest.approx(0.9, abs=0.02)
    # The score of the best interval of a normal distribution: 4.126 SD.
    best = 4.126 * np.mean([np.hypot(sd, 0.2) for sd in (0.05, 0.1, 0.5)])
    assert found["mixed"]["score"] == pytest.approx(best, rel=0.06)


def test_a_slice_is_not_padded_and_the_same() -> None:
    prior = load_image_prior(PRIOR)
    noisy = np.random.default_rng(0).random((32, 32, 1)).astype(np.float32)
    found = SliceDenoiser(prior)(noisy, 0.3, 0)
    ras = torch.from_numpy(np.ascontiguousarray(noisy[::-1, ::-1, ::-1]))[None, None]
    known = volume_denoiser(prior, axes=(2,))(ras, torch.tensor(0.3))[0, 0].numpy()[
        ::-1, ::-1, ::-1
    ]
    assert np.allclose(found, known, atol=1e-4)


def test_the_part_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "METHODS", FEW)
    result = benchmark_coverage(tmp_path, people=1, calibration=2, scans=5)
    assert result["scans"] == [10, 5]
    assert json.loads((tmp_path / "benchmark_reconstruct_coverage.json").read_text()) == result
    text = (tmp_path / "benchmark_reconstruct_coverage.md").read_text()
    assert text == coverage_table(result) and "| `gibbs` |" in text
    assert set(result["blocks"]) == set(FEW) and "| `osem smooth` |" in text
    monkeypatch.setattr(run, "measure_person", lambda *a: pytest.fail("it is there"))
    assert benchmark_coverage(tmp_path, people=1, calibration=2, scans=5) == result
    assert measures.METHODS["osem"] != FEW["osem"]


def _identity(noisy: np.ndarray, sigma: float, call: int) -> np.ndarray:
    return noisy
