"""Scores that are kept: a run goes on where it was stopped; other weights are scored anew."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from betaplus.denoising.nlm import NlmSettings
from betaplus.pipeline.benchmark.denoise import images, methods, scans
from betaplus.pipeline.benchmark.denoise.baselines import Baselines
from betaplus.pipeline.benchmark.denoise.cases import groups
from betaplus.pipeline.benchmark.denoise.observer import run as observer
from betaplus.pipeline.benchmark.denoise.scans import Scans, tuning_name

FILTERS = Baselines(fwhm=9.25, nlm=NlmSettings(strength=1.75), gains={"gaussian": 4.5, "nlm": 5.5})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was tuned and denoised, by a network that gives the image back."""
    known: list[str] = []

    def tune(cases: Any, threads: int) -> Baselines:
        known.append("tuned")
        return FILTERS

    def denoise(denoiser: Any, volume: Any, threads: int) -> np.ndarray:
        known.append(denoiser.bundle.checksum)
        return volume.data

    monkeypatch.setattr(scans, "tune_baselines", tune)
    monkeypatch.setattr(images, "best_of_image", lambda case, tuned, threads: tuned)
    for module in (images, methods):
        monkeypatch.setattr(module, "apply_mmse", denoise)
    return known


def network(checksum: str, voxel: float) -> SimpleNamespace:
    bundle = SimpleNamespace(path=Path("denoiser-body-v0"), checksum=checksum)
    return SimpleNamespace(voxel=voxel, bundle=bundle)


def test_filters_are_kept_as_they_were_found(tmp_path: Path, made: list[str]) -> None:
    group, doses = groups()[0], (1 / 4, 1 / 20)
    for _ in range(2):
        kept = Scans.at(tmp_path, voxel=12.0, grid_voxel=12.0, length=240.0)
        found = kept.tune(group, doses)
        assert list(found) == [*doses]
        assert all(one.as_dict() == FILTERS.as_dict() for one in found.values())
        assert all(one.nlm == FILTERS.nlm for one in found.values())
    assert made == ["tuned", "tuned"]
    other = Scans.at(tmp_path, voxel=10.0, grid_voxel=12.0, length=240.0)
    assert not other.shelf.has(tuning_name(group, 1 / 4))


def test_images_go_on_where_they_were_stopped(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "DOSES", (1 / 4, 1 / 20))
    monkeypatch.setattr(images, "groups", lambda: groups()[:1])

    def run(checksum: str) -> dict[str, Any]:
        monkeypatch.setattr(images, "judged_network", lambda bundle: network(checksum, 14.0))
        made.clear()
        return images.benchmark_images(tmp_path, people=1)

    first = run("a" * 64)
    assert made == ["tuned"] * 2 + ["a" * 64] * 2
    assert [row["method"] for row in first["rows"][:6]] == [
        "noisy", "gaussian", "nlm", "best gaussian", "best nlm", "mmse",
    ]  # fmt: skip
    with np.load(tmp_path / "benchmark_denoise_images.npz") as file:
        assert set(file.files) == {f"usual|{row['method']}" for row in first["rows"]} | {
            "usual|reference"
        }
    assert run("a" * 64) == first and made == []
    (item,) = tmp_path.glob("*/scores/usual_0_1of20_mmse-aaaaaaaa.json")
    item.unlink()
    assert run("a" * 64) == first and made == ["a" * 64]
    assert run("b" * 64)["rows"] == first["rows"] and made == ["b" * 64] * 2


def test_the_observer_goes_on_where_it_was_stopped(
    tmp_path: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observer, "judged_network", lambda bundle: network("c" * 64, 8.0))
    monkeypatch.setattr(observer, "_BOX", 20)

    def run(draws: int) -> dict[str, Any]:
        made.clear()
        return observer.benchmark_observer(tmp_path, quick=False, draws=draws)

    monkeypatch.setattr(observer, "_DOSES", (1 / 20,))
    monkeypatch.setattr(observer, "_DIAMETERS", (20.0,))
    first = run(14)
    assert len(first["rows"]) == 2 * 4 and made.count("c" * 64) == 2 * 2 * 14
    again = run(14)
    assert again == first and made == []
    names = {path.name for path in tmp_path.glob("*/observer/*.json")}
    assert names == {f"usual_{region}_1of20_20_14_cccccccc.json" for region in ("Liver", "Lungs")}
