"""`consistency`: closed forms for a Gaussian, draws, what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoising.cases import VOXEL, image, noisy, take_nothing, tiny_bundle

from betaplus.core.errors import UsageError
from betaplus.denoising import denoise
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.consistency import (
    Consistency,
    ConsistencySettings,
    levels_of_calls,
    ode_end,
)
from betaplus.denoising.draw_network import LEVELS, DrawNetwork
from betaplus.denoising.draw_network import SPREAD as SPREAD_OF_R
from betaplus.denoising.inputs import context_of, show
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.noise import measure_noise
from betaplus.denoising.volume import Volume
from betaplus.generative.consistency import multistep
from betaplus.generative.denoiser import leading

FEW = {"tile": 32, "overlap": 12}
MEAN, SPREAD = 0.3, 0.25  # of the Gaussian that z has
LOWEST, HIGHEST = LEVELS
DENOISED = SPREAD_OF_R**2 / (SPREAD_OF_R**2 + HIGHEST**2)  # of noise at the highest level


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles"), "fast")


def volume(seed: int = 5, frame: int = 0) -> Volume:
    return Volume(data=noisy(), voxel=VOXEL, grid_voxel=3.0, seed=seed, frame=frame)


def end_of_gaussian(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Where the probability-flow ODE of N(MEAN, SPREAD^2) ends at the lowest level."""
    level = leading(sigma, z)
    shrunk = ((SPREAD**2 + LOWEST**2) / (SPREAD**2 + level**2)).sqrt()
    return MEAN + (z - MEAN) * shrunk


def distilled(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The D whose `ode_end` that is."""
    share = 1.0 - LOWEST / leading(sigma, z)
    return z + (end_of_gaussian(z, sigma) - z) / share


@pytest.mark.parametrize("sigma", [0.03, 0.5, HIGHEST])
def test_a_distilled_network_ends_where_the_ode_does(sigma: float) -> None:
    z = torch.randn((2, 1, 4, 4, 4), generator=torch.Generator().manual_seed(0)).double()
    for level in (torch.tensor(sigma).double(), torch.full((2,), sigma).double()):
        assert torch.allclose(ode_end(distilled, z, level), end_of_gaussian(z, level))


@pytest.mark.parametrize("calls", [1, 2, 3, 4])
def test_draws_of_a_distilled_gaussian_have_its_moments(calls: int) -> None:
    generator = torch.Generator().manual_seed(calls)
    noises = [torch.randn((1, 60_000), generator=generator) for _ in range(calls)]
    levels = levels_of_calls(calls)
    assert len(levels) == calls and levels[0] == HIGHEST
    assert all(a > b > LOWEST for a, b in itertools.pairwise(levels))
    start = MEAN + HIGHEST * noises[0]
    z = multistep(lambda x, sigma: ode_end(distilled, x, sigma), levels, noises[1:], start=start)
    assert float(z.mean()) == pytest.approx(MEAN, abs=0.004)
    assert float(z.std()) == pytest.approx((SPREAD**2 + LOWEST**2) ** 0.5, rel=0.01)


def test_before_distillation_it_is_a_step_of_ddim() -> None:
    z, sigma = torch.linspace(-3, 3, 7)[None], torch.tensor(2.0)

    def posterior(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return MEAN + SPREAD**2 / (SPREAD**2 + level**2) * (x - MEAN)

    noise = (z - posterior(z, sigma)) / sigma
    expected = posterior(z, sigma) + LOWEST * noise
    assert torch.allclose(ode_end(posterior, z, sigma), expected, atol=1e-6)


def test_at_the_lowest_level_it_is_z_whatever_the_network() -> None:
    torch.manual_seed(0)
    network = DrawNetwork((4, 4), 1).requires_grad_(False)
    for weights in network.parameters():
        weights.add_(0.3 * torch.randn_like(weights))
    noise = 3.0 + torch.randn(1, 1, 16, 16, 16)
    shown, told = show(noise, measure_noise(noise)), context_of([0.1], [(3.0,) * 3])

    def at(sigma: float) -> torch.Tensor:
        def denoised(x: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
            return network(x, level, shown, told)

        return ode_end(denoised, z, torch.tensor([sigma]))

    z = torch.randn(1, 1, 16, 16, 16)
    assert torch.allclose(at(LOWEST), z, atol=1e-5)
    assert float((at(1.0) - z).std()) > 0.1


def test_mean_and_sd_are_those_of_the_draws(bundle: Path) -> None:
    found = denoise(image(), method="consistency", samples=3, seed=5, bundle=bundle, settings=FEW)
    torch.set_num_threads(1)
    method, scan = Consistency(ConsistencySettings(**FEW), load_denoiser("fast", bundle)), volume()
    draws = np.stack([scan.corrected(torch.from_numpy(method.compute(scan, i))) for i in range(3)])
    assert np.allclose(found.image.data, draws.mean(0, dtype=float), atol=1e-5)
    assert found.std is not None
    assert np.allclose(found.std.data, draws.std(0, ddof=1, dtype=float), atol=1e-5)
    assert np.abs(draws[0] - draws[1]).max() > 0.02


def test_a_draw_belongs_to_seed_frame_and_number(bundle: Path) -> None:
    torch.set_num_threads(1)
    trained = load_denoiser("fast", bundle)
    method = Consistency(ConsistencySettings(samples=2, calls=2, **FEW), trained)
    more = Consistency(ConsistencySettings(samples=5, calls=2, **FEW), trained)
    first = method.compute(volume(), 1)
    assert np.array_equal(first, more.compute(volume(), 1))
    for other in (method.compute(volume(seed=6), 1), method.compute(volume(frame=1), 1)):
        assert not np.array_equal(first, other)


def test_workers_do_not_matter(bundle: Path) -> None:
    one, other = (
        denoise(image(), method="consistency", samples=2, bundle=bundle, settings=FEW, workers=n)
        for n in (1, 2)
    )
    assert np.array_equal(one.image.data, other.image.data)
    assert one.std is not None and other.std is not None
    assert np.array_equal(one.std.data, other.std.data)


def test_tiles_do_not_matter_to_a_network_that_looks_at_one_voxel(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        CorrectionNetwork, "forward", lambda self, shown, told: 0.1 * shown.basis[:, :1]
    )
    monkeypatch.setattr(
        DrawNetwork,
        "forward",
        lambda self, z, sigma, shown, told: distilled(z, sigma) + 0.1 * shown.images[:, :1],
    )
    trained = load_denoiser("fast", bundle)
    small, large = (
        Consistency(ConsistencySettings(tile=tile, overlap=12), trained).compute(volume(), 0)
        for tile in (16, 64)
    )
    assert np.allclose(small, large, atol=1e-5)
    assert small.std() == pytest.approx(SPREAD, rel=0.3)


def test_draws_of_a_network_that_knows_no_more_are_its_mean_and_the_last_noise(
    bundle: Path,
) -> None:
    trained = load_denoiser("fast", bundle)
    for weights in (trained.network.network.head.weight, trained.network.network.head.bias):
        weights.zero_()
    method, scan = Consistency(ConsistencySettings(calls=1, **FEW), trained), volume()
    z, mean = method.compute(scan, 0), method.mean(scan).numpy()
    assert mean.std() > 0.3
    # One step of DDIM from 20: what is left of the noise is c_skip and the least level of it.
    left = HIGHEST * (DENOISED + (1.0 - DENOISED) * LOWEST / HIGHEST)
    assert (z - mean).std() == pytest.approx(left, rel=0.02)
    assert abs((z - mean).mean()) < 4.0 * left / np.sqrt(z.size)


def test_a_network_that_takes_nothing_leaves_little_but_the_last_noise(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_nothing(monkeypatch)
    z = Consistency(ConsistencySettings(**FEW), load_denoiser("fast", bundle)).compute(volume(), 0)
    assert z.std() == pytest.approx(LOWEST, rel=0.1)


def test_calls_cost_as_many_calls(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, levels = load_denoiser("fast", bundle), []

    def count(
        self: object, z: torch.Tensor, sigma: torch.Tensor, shown: object, told: object
    ) -> torch.Tensor:
        levels.append(float(sigma))
        return torch.zeros_like(z)

    monkeypatch.setattr(DrawNetwork, "forward", count)
    for calls in (1, 4):
        levels.clear()
        Consistency(ConsistencySettings(calls=calls), trained).compute(volume(), 0)
        assert levels == pytest.approx(levels_of_calls(calls))  # one tile


@pytest.mark.parametrize("settings", [{"samples": 0}, {"calls": 0}, {"calls": 5}, {"high_band": 2}])
def test_settings_that_make_no_sense(settings: dict) -> None:
    with pytest.raises(UsageError, match="expected"):
        ConsistencySettings(**settings)


@pytest.mark.parametrize(
    ("method", "kind"), [("consistency", "fast"), ("ddim", "draws"), ("mmse", "mean")]
)
def test_without_a_bundle_it_is_said_what_trains_one(
    method: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path)
    with pytest.raises(UsageError, match=f"betaplus train denoiser --kind {kind}"):
        denoise(image(), method=method)


def test_a_network_that_is_trained_for_something_else(bundle: Path, tmp_path: Path) -> None:
    for method in ("mmse", "ddim", "ddpm"):
        with pytest.raises(UsageError, match="is trained for fast"):
            denoise(image(), method=method, bundle=bundle)
    with pytest.raises(UsageError, match="trained for mean; expected draws"):
        denoise(image(), method="ddim", bundle=tiny_bundle(tmp_path / "mean", "mean"))
    with pytest.raises(UsageError, match="trained for mean and draws; expected fast"):
        denoise(image(), method="consistency", bundle=tiny_bundle(tmp_path))
