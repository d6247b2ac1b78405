"""The surrogate beside projector and OSEM on a small scanner; scores; what is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import Scanner
from betaplus.pipeline.benchmark.surrogate import run as surrogate
from betaplus.pipeline.benchmark.surrogate.real import MEDIANS, real_table, roughness
from betaplus.pipeline.benchmark.surrogate.reference import BedCase, Recipe
from betaplus.pipeline.benchmark.surrogate.scores import compare, organ_masks, organ_noise
from betaplus.report.benchmark.surrogate import surrogate_figure
from betaplus.simulation.fields import gaussian_field
from betaplus.simulation.raw.acquisition import simulate_counts
from betaplus.simulation.surrogate.surrogate import Surrogate

SCANNER = Scanner(
    name="small", rings=12, ring_pitch=8.0, detectors=160, radius=200.0, depth=7.0, block=20,
    gap=0, radial=64, span=3, max_ring_difference=4, resolution=6.0,
)  # fmt: skip
GRID = ImageGrid(shape=(44, 36, 23), voxel_size=(5.0, 5.0, 4.0))


def small_case(counts: float = 2e7) -> BedCase:
    """An elliptic cylinder of muscle with a hot liver and a cold lung."""
    x, y, _ = np.meshgrid(*(GRID.axis(i) for i in range(3)), indexing="ij")
    labels = np.where((x / 95.0) ** 2 + (y / 75.0) ** 2 < 1.0, 2, 0).astype(np.uint8)
    labels[np.hypot(x + 45.0, y) < 30.0] = 17
    labels[np.hypot(x - 45.0, y) < 30.0] = 12
    table = np.zeros(18, np.float32)
    mu = np.zeros(18, np.float32)
    table[[2, 17, 12]], mu[[2, 17, 12]] = (0.7, 2.4, 0.5), (0.0096, 0.0098, 0.0028)
    fine = ImageGrid(shape=(88, 72, 23), voxel_size=(2.5, 2.5, 4.0))
    spread = labels.repeat(2, 0).repeat(2, 1)
    means = simulate_counts(SCANNER, fine, table[spread], mu[spread], counts=counts, threads=1)
    return BedCase(
        seed=0, grid=GRID, activity=table[labels], mu=mu[labels], labels=labels,
        names={2: "Muscle", 12: "Lungs", 17: "Liver"}, means=means,
    )  # fmt: skip


def test_sd_and_correlation_are_those_of_osem() -> None:
    """Nothing is fitted: the style holds the scanner's own numbers."""
    case, recipe = small_case(), Recipe(iterations=3)
    voxel = GRID.voxel_size
    masks = organ_masks(case.labels, case.names, voxel)
    assert set(masks) == {"Muscle", "Lungs", "Liver"}
    made = Surrogate(case.activity, case.mu, voxel, case.style(recipe))
    for dose in (1.0, 0.05):
        real = np.stack([case.images(dose, n, [recipe])[recipe] for n in range(6)])
        false = np.stack([made.image(dose, draw=n) for n in range(6)])
        for row in compare(organ_noise(real, masks), organ_noise(false, masks), voxel):
            assert row["sd_ratio"] == pytest.approx(1.0, abs=0.2), row
            assert row["length_ratio"] == pytest.approx(1.0, abs=0.2), row
            assert row["mean_ratio"] == pytest.approx(1.0, abs=0.15), row


def test_scores_of_a_known_field() -> None:
    voxel, sigma = (4.0, 4.0, 2.0), (1.0, 1.0, 1.5)
    rng = np.random.default_rng(0)
    images = np.stack([5.0 + 0.5 * gaussian_field((30, 30, 60), sigma, rng) for _ in range(8)])
    masks = {"all": np.ones((30, 30, 60), bool)}
    masks["all"][[0, -1]] = masks["all"][:, [0, -1]] = masks["all"][:, :, [0, 1, -2, -1]] = False
    found = organ_noise(images.astype(np.float32), masks)["all"]
    assert found["mean"] == pytest.approx(5.0, rel=0.01)
    assert found["sd"] == pytest.approx(0.5, rel=0.03)
    assert abs(found["skewness"]) < 0.15
    # A Gaussian kernel of SD s has the autocorrelation exp(-d^2 / (4 s^2)).
    assert found["across1"] == pytest.approx(np.exp(-0.25), abs=0.02)
    assert found["along2"] == pytest.approx(np.exp(-1.0 / 2.25), abs=0.03)
    row = compare({"all": found}, {"all": {**found, "sd": 0.6}}, voxel)[0]
    assert row["sd_ratio"] == pytest.approx(0.6 / found["sd"])
    wide = 2.0 * np.sqrt(4.0 * np.log(2.0))  # FWHM of exp(-d^2/(4 s^2)) for s = 1
    assert row["length"] == pytest.approx(np.sqrt(wide * 4.0 * wide * 1.5 * 2.0), rel=0.04)


def test_organs_are_judged_above_a_volume() -> None:
    labels = np.zeros((40, 40, 60), np.uint8)
    labels[5:20, 5:20, 20:40] = 1
    labels[30:32, 30:32, 25:30] = 2
    masks = organ_masks(labels, {1: "Large", 2: "Small"}, (4.0, 4.0, 4.0))
    assert list(masks) == ["Large"] and masks["Large"].sum() == 13 * 13 * 18


def test_roughness_of_a_wave() -> None:
    """A Gaussian passes exp(-(2 pi f s)^2 / 2) of a wave; the mean of |sin| is 2 / pi."""
    f = 1.0 / 8.0
    v = 1.0 + 0.2 * np.sin(2.0 * np.pi * f * np.arange(80))[:, None, None] * np.ones((80, 24, 24))
    body = np.zeros(v.shape, bool)
    body[16:64, 10:14, 10:14] = True
    kept = 1.0 - np.exp(-2.0 * (np.pi * f * 2.0) ** 2)
    expected = 0.2 * kept * np.abs(np.sin(2.0 * np.pi * f * np.arange(16, 64))).mean()
    assert roughness(np.expm1(v), body) == pytest.approx(expected, rel=0.02)


def test_tables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surrogate, "make_bed", lambda seed: small_case(4e6))
    monkeypatch.setattr(surrogate, "_DOSES", (1.0,))
    result = surrogate.benchmark_surrogate(tmp_path, quick=True, parts=("reference",))
    assert {row["organ"] for row in result["reference"]} == {"Muscle", "Lungs", "Liver"}
    text = (tmp_path / "benchmark_surrogate.md").read_text()
    assert "| Liver |" in text and "too little" in text
    lines = (tmp_path / "benchmark_surrogate.tsv").read_text().splitlines()
    assert len(lines) == 1 + len(result["reference"]) and lines[0].startswith("seed\trecipe")
    path = surrogate_figure(tmp_path)
    assert path is not None and path.stat().st_size > 1000
    real = {
        "factors": [100, 1],
        **{n: {"medians": [0.2, 0.1], "ratio": [1.0, 1.1]} for n in MEDIANS},
    }
    assert any("uEXPLORER | ratio | 1.00 | 1.10" in line for line in real_table(real))
