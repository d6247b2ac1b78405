"""Intervals of region means: known weights and SDs come back, intervals hold, files round-trip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from betaplus.core.errors import InputError
from betaplus.denoising.region_features import RegionTable
from betaplus.denoising.region_model import (
    RegionModel,
    fit_region_model,
    read_region_model,
)

NAMES = ("size", "noise")


def regions(seed: int, n: int = 12) -> tuple[RegionTable, np.ndarray]:
    """Regions whose noisy mean has the SD exp(noise), and whose output is off by twice that."""
    rng = np.random.default_rng(seed)
    size, noise = rng.normal(1.0, 1.0, n), rng.normal(-2.0, 0.7, n)
    truth = rng.uniform(1.0, 5.0, n)
    noisy = truth + np.exp(noise) * rng.normal(size=n)
    denoised = truth + 2.0 * np.exp(noise) * rng.normal(size=n)
    table = RegionTable(
        labels=np.arange(1, n + 1), volume=np.exp(size), noisy=noisy, denoised=denoised,
        features={"size": size, "noise": noise},
    )  # fmt: skip
    return table, truth


@pytest.fixture(scope="module")
def model() -> RegionModel:
    return fit_region_model(
        [regions(n) for n in range(80)],
        [(n, *regions(1000 + n)) for n in range(200)],
        names=NAMES,
        about={"weights": "abc"},
    )


def test_the_estimate_weighs_by_precision(model: RegionModel) -> None:
    """The best weight of the noisy mean is 4 / (4 + 1), and the error's SD sqrt(0.8) exp(noise)."""
    table, _ = regions(5000, 400)
    found = model.estimate(table)
    share = (found.estimate - table.denoised) / (table.noisy - table.denoised)
    assert np.median(share) == pytest.approx(0.8, abs=0.05)
    ratio = found.sd / (np.sqrt(0.8) * np.exp(table.features["noise"]))
    middle = np.abs(table.features["noise"] + 2.0) < 1.0
    assert np.median(ratio[middle]) == pytest.approx(1.0, abs=0.1)
    assert model.conformal.factor == pytest.approx(1.645, abs=0.15)


def test_intervals_hold_as_often_as_they_say(model: RegionModel) -> None:
    held = []
    for seed in range(300):
        table, truth = regions(9000 + seed)
        found = model.estimate(table)
        held.append((found.low <= truth) & (truth <= found.high))
    assert np.mean(held) == pytest.approx(0.9, abs=0.025)


def test_what_is_unlike_calibration_is_said(model: RegionModel) -> None:
    table, _ = regions(1)
    assert model.estimate(table).calibrated.mean() > 0.8
    table.features["noise"][:3] = 3.0
    assert not model.estimate(table).calibrated[:3].any()


def test_a_model_is_written_and_read(model: RegionModel, tmp_path: Path) -> None:
    model.write(tmp_path / "regions.json")
    again = read_region_model(tmp_path / "regions.json")
    table, _ = regions(7)
    assert np.array_equal(again.estimate(table).high, model.estimate(table).high)
    assert again == model
    (tmp_path / "bad.json").write_text('{"names": ["size"]}')
    with pytest.raises(InputError, match="no calibration"):
        read_region_model(tmp_path / "bad.json")


def test_a_feature_that_is_missing_is_named(model: RegionModel) -> None:
    table, _ = regions(7)
    bare = RegionTable(
        labels=table.labels, volume=table.volume, noisy=table.noisy, denoised=table.denoised,
        features={"size": table.features["size"]},
    )  # fmt: skip
    with pytest.raises(InputError, match="noise"):
        model.estimate(bare)


def test_too_few_regions_are_refused() -> None:
    with pytest.raises(InputError, match="regions to fit"):
        fit_region_model([regions(1, 3)], [(0, *regions(2))], names=NAMES)
