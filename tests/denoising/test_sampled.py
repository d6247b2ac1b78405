"""`ddim` and `ddpm`: draws, their mean and SD."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoising.cases import VOXEL, image, noisy, take_nothing, tiny_bundle

from betaplus.core.errors import UsageError
from betaplus.denoising import denoise
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.draw_network import DrawNetwork
from betaplus.denoising.inputs import Shown
from betaplus.denoising.mmse import Mmse, MmseSettings
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.sampled import Ddim, DdimSettings, Ddpm, DdpmSettings
from betaplus.denoising.volume import Volume

FEW = {"steps": 3, "tile": 32, "overlap": 12}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles"))


def volume(seed: int = 5, frame: int = 0) -> Volume:
    return Volume(data=noisy(), voxel=VOXEL, grid_voxel=3.0, seed=seed, frame=frame)


def test_mean_and_sd_are_those_of_the_draws(bundle: Path) -> None:
    found = denoise(image(), method="ddim", samples=3, seed=5, bundle=bundle, settings=FEW)
    torch.set_num_threads(1)
    method, noise = Ddim(DdimSettings(**FEW), load_denoiser("draws", bundle)), volume()
    draws = np.stack(
        [noise.corrected(torch.from_numpy(method.compute(noise, i))) for i in range(3)]
    )
    assert np.allclose(found.image.data, draws.mean(0, dtype=float), atol=1e-5)
    assert found.std is not None
    assert np.allclose(found.std.data, draws.std(0, ddof=1, dtype=float), atol=1e-5)
    assert np.abs(draws[0] - draws[1]).max() > 0.05


def test_a_draw_belongs_to_seed_frame_and_number(bundle: Path) -> None:
    torch.set_num_threads(1)
    method = Ddim(DdimSettings(samples=2, **FEW), load_denoiser("draws", bundle))
    more = Ddim(DdimSettings(samples=5, **FEW), load_denoiser("draws", bundle))
    first = method.compute(volume(), 1)
    assert np.array_equal(first, more.compute(volume(), 1))
    for other in (method.compute(volume(seed=6), 1), method.compute(volume(frame=1), 1)):
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("method", ["ddim", "ddpm"])
def test_workers_do_not_matter(bundle: Path, method: str) -> None:
    one, other = (
        denoise(image(), method=method, samples=2, bundle=bundle, settings=FEW, workers=n)
        for n in (1, 2)
    )
    assert np.array_equal(one.image.data, other.image.data)
    assert one.std is not None and other.std is not None
    assert np.array_equal(one.std.data, other.std.data)


def test_a_network_that_takes_nothing_leaves_every_bit(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_nothing(monkeypatch)
    scan = image()
    settings = {"high_band": 0.0, **FEW}
    found = denoise(scan, method="ddim", samples=2, bundle=bundle, settings=settings)
    assert np.array_equal(found.image.data, scan.data)
    assert found.std is not None and not found.std.data.any()


def test_one_draw_has_no_sd(bundle: Path) -> None:
    found = denoise(image(), method="ddim", bundle=bundle, settings=FEW)
    assert found.std is None


@pytest.mark.parametrize(
    "settings", [{"samples": 0}, {"steps": 1}, {"order": 3}, {"high_band": -1.0}]
)
def test_settings_that_make_no_sense(settings: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        DdimSettings(**settings)


def test_ddpm_has_the_published_steps_at_most() -> None:
    for steps in (1, 1001):
        with pytest.raises(UsageError, match="2 to 1000"):
            DdpmSettings(steps=steps)


@pytest.mark.parametrize("tiles", [{"tile": 32, "overlap": 12}, {"tile": 16, "overlap": 8}])
def test_the_mean_that_draws_are_made_around_is_that_of_mmse(bundle: Path, tiles: dict) -> None:
    torch.set_num_threads(1)
    scan = volume()
    alone = Mmse(MmseSettings(kept=0.0, **tiles), load_denoiser("body", bundle))
    pieces = [alone.compute(scan, index) for index in range(alone.pieces(scan))]
    found = Ddim(DdimSettings(**tiles), load_denoiser("draws", bundle)).mean(scan)
    assert np.array_equal(alone.combine(scan, pieces).mean, scan.corrected(found))
    assert float(found.std()) > 0.1


def test_the_mean_is_computed_once_for_a_volume(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, forward = [], CorrectionNetwork.forward

    def counted(self: CorrectionNetwork, shown: Shown, told: torch.Tensor) -> torch.Tensor:
        asked.append(len(shown.images))
        return forward(self, shown, told)

    monkeypatch.setattr(CorrectionNetwork, "forward", counted)
    denoise(image(), method="ddim", samples=3, bundle=bundle, settings=FEW, workers=2)
    plan = Mmse(MmseSettings(tile=32, overlap=12), load_denoiser("body", bundle))
    assert len(asked) == plan.pieces(volume())


MEAN, APART = 0.6, 0.5  # what the mean of z is, and its SD


@pytest.mark.parametrize(
    ("method", "steps", "off"),
    [("ddpm", 1000, 0.02), ("ddim", 20, 0.02), ("ddim", 50, 0.01)],
)
def test_draws_of_a_gaussian_around_the_mean_have_its_moments(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, method: str, steps: int, off: float
) -> None:
    monkeypatch.setattr(
        CorrectionNetwork,
        "forward",
        lambda self, shown, told: torch.full_like(shown.images[:, :1], MEAN),
    )
    monkeypatch.setattr(
        DrawNetwork,
        "forward",
        lambda self, z, sigma, shown, told: (
            shown.mean + APART**2 / (APART**2 + float(sigma) ** 2) * (z - shown.mean)
        ),
    )
    kind, settings = {"ddpm": (Ddpm, DdpmSettings), "ddim": (Ddim, DdimSettings)}[method]
    scan = Volume(data=noisy(shape=(24, 24, 24)), voxel=(3.0,) * 3, grid_voxel=3.0, seed=2)
    z = kind(settings(steps=steps), load_denoiser("draws", bundle)).compute(scan, 0)
    assert z.mean() == pytest.approx(MEAN, abs=4.0 * APART / np.sqrt(z.size))
    assert z.std() == pytest.approx(APART, rel=off + 4.0 / np.sqrt(2 * z.size))
