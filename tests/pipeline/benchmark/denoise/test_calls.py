"""Quality against calls: samplers on a posterior that is known, what they call, what is kept."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.denoising.cases import noisy, tiny_bundle

from betaplus.core.errors import UsageError
from betaplus.core.progress import Silent
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.consistency import levels_of_calls
from betaplus.denoising.draw_network import LEVELS, DrawNetwork
from betaplus.denoising.inputs import Shown
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.volume import Volume
from betaplus.pipeline.benchmark.denoise.calls import crops as calls_crops
from betaplus.pipeline.benchmark.denoise.calls import timing
from betaplus.pipeline.benchmark.denoise.calls.crops import make_crops, read_crop
from betaplus.pipeline.benchmark.denoise.calls.draws import jobs_of, make_draws, read_draws
from betaplus.pipeline.benchmark.denoise.calls.lines import (
    Line,
    find_networks,
    lines_of,
    method_of,
)
from betaplus.pipeline.benchmark.denoise.calls.run import benchmark_calls, score_draws
from betaplus.pipeline.benchmark.denoise.calls.table import calls_table, summary
from betaplus.pipeline.benchmark.denoise.calls.timing import time_lines
from betaplus.report.benchmark.denoise import denoise_report
from betaplus.simulation.static import make_anatomy

MEAN, SPREADS = 4.0, (0.25, 0.7)  # of the Gaussian that z has; a half of the volume each
SHAPE = (24, 24, 24)
# Levels of Ho et al.'s linear schedule: the noise over the signal, from the betas themselves.
ALPHA_BAR = np.cumprod(1.0 - np.linspace(1e-4, 0.02, 1000))
PUBLISHED = np.sqrt((1.0 - ALPHA_BAR) / ALPHA_BAR)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for kind in ("mean", "draws", "fast"):
        tiny_bundle(folder, kind)
    return folder


@pytest.fixture(scope="module")
def networks(bundles: Path) -> dict[str, TrainedDenoiser]:
    torch.set_num_threads(1)
    return find_networks(bundles)


def volume() -> Volume:
    return Volume(data=noisy(shape=SHAPE), voxel=(3.0,) * 3, grid_voxel=3.0, seed=7)


def spreads(z: torch.Tensor) -> torch.Tensor:
    half = torch.full_like(z, SPREADS[0])
    half[..., half.shape[-1] // 2 :] = SPREADS[1]
    return half


def posterior(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    variance = spreads(z) ** 2
    return MEAN + variance / (variance + sigma.reshape(-1, 1, 1, 1, 1) ** 2) * (z - MEAN)


def distilled(z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """The D whose consistency function is exact for that posterior."""
    variance, level = spreads(z) ** 2, sigma.reshape(-1, 1, 1, 1, 1)
    end = MEAN + (z - MEAN) * ((variance + LEVELS[0] ** 2) / (variance + level**2)).sqrt()
    return z + (end - z) / (1.0 - LEVELS[0] / level)


def know(monkeypatch: pytest.MonkeyPatch, estimate: object) -> list[float]:
    """Have networks of draws say what an estimator says, and all others that the mean is MEAN.

    Returns:
        The levels that draws are asked for at, and a 0 each time `mmse` asks for the mean.
    """
    asked: list[float] = []

    def forward(
        self: object, z: torch.Tensor, sigma: torch.Tensor, shown: object, told: object
    ) -> torch.Tensor:
        asked.append(float(sigma))
        return estimate(z, sigma)

    monkeypatch.setattr(DrawNetwork, "forward", forward)

    def alone(self: object, shown: Shown, told: object) -> torch.Tensor:
        asked.append(0.0)
        return mean(self, shown, told)

    def mean(self: object, shown: Shown, told: object) -> torch.Tensor:
        return torch.full_like(shown.images[:, :1], MEAN)

    monkeypatch.setattr(CorrectionNetwork, "forward", alone)
    monkeypatch.setattr(DrawNetwork, "mean", mean)
    return asked


def line(method: str, steps: int, draws: int = 2) -> Line:
    return Line(method=method, steps=steps, draws=draws)


def sd_of(method: str, steps: int, spread: float) -> float:
    """Return the SD of the draws of a sampler of that Gaussian, from how its steps act."""
    (low, high), variance = LEVELS, spread**2
    if method == "ddpm":  # Ho et al., equation 7, and above the highest level x scaled down to it
        variance = PUBLISHED[-1] ** 2
        for level, lower in itertools.pairwise([*PUBLISHED[::-1], 0.0]):
            scale, ratio = min(high / level, 1.0), (lower / level) ** 2
            gain = spread**2 / (spread**2 + np.clip(level, low, high) ** 2)
            gain = 1.0 - min(level / low, 1.0) ** 2 * (
                1.0 - gain
            )  # below the lowest the score stays
            slope = (1.0 - ratio) * gain * scale + ratio
            variance = slope**2 * variance + lower**2 * (1.0 - ratio)
    elif method == "consistency":
        variance = 0.0
        for level in levels_of_calls(steps):
            slope = np.sqrt((spread**2 + low**2) / (spread**2 + level**2))
            variance = slope**2 * (variance + level**2)
    elif method == "ddim, order 1":
        levels = np.tan(np.linspace(np.arctan(high), np.arctan(low), steps))
        variance = high**2
        for level, lower in itertools.pairwise([*levels, 0.0]):
            variance *= ((spread**2 + level * lower) / (spread**2 + level**2)) ** 2
    return float(np.sqrt(variance))


@pytest.mark.parametrize(
    ("method", "steps", "error"),
    [
        ("ddpm", 1000, 0.0),
        ("consistency", 1, 0.0),
        ("consistency", 4, 0.0),
        ("ddim, order 1", 10, 0.0),
        ("ddim, order 1", 50, 0.0),
        ("ddim", 10, 0.03),  # of the SD, that of the Gaussian itself
        ("ddim", 20, 0.01),
        ("ddim", 50, 0.003),
    ],
)
def test_draws_of_a_known_gaussian_have_its_moments(
    networks: dict[str, TrainedDenoiser],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    steps: int,
    error: float,
) -> None:
    asked = know(monkeypatch, distilled if method == "consistency" else posterior)
    one, scan = line(method, steps), volume()
    sampler, draws = method_of(one, networks), 1 if steps > 100 else 4
    z = np.concatenate([sampler.compute(scan, n) for n in range(draws)])
    for part, spread in zip(np.split(z, 2, -1), SPREADS, strict=True):
        sd = sd_of(method, steps, spread)
        assert part.mean() == pytest.approx(MEAN, abs=4.0 * sd / np.sqrt(part.size))
        assert part.std() == pytest.approx(sd, rel=error + 4.0 / np.sqrt(2 * part.size))
        if method == "ddpm":
            assert sd == pytest.approx(spread, rel=0.03)
    # Draws do not know of each other, nor a voxel of the next.
    off = z - np.concatenate([np.full_like(half, half.mean()) for half in np.split(z, 2, -1)], -1)
    if draws > 1:
        a, b = off[0].ravel(), off[1].ravel()
        assert abs(np.corrcoef(a, b)[0, 1]) < 4.0 / np.sqrt(a.size)
    assert abs(np.corrcoef(off[..., 1:, :].ravel(), off[..., :-1, :].ravel())[0, 1]) < 0.05
    assert len(asked) == draws * one.expected == draws * steps
    if method == "ddpm":
        assert np.allclose(asked, PUBLISHED[::-1].clip(*LEVELS), rtol=1e-6)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("crops")
    files = []
    for n in range(2):
        clean = noisy(n, SHAPE, level=1e-3)
        files.append(folder / f"3mm-24-person{n}.npz")
        np.savez(
            files[-1], person=n, place="Liver", voxel=3.0, noisy=noisy(n, SHAPE), clean=clean,
            body=clean > 0.5,
        )  # fmt: skip
    return files


FEW = [line("mmse", 1, 1), line("consistency", 4), line("ddpm", 12)]


def test_what_was_stopped_goes_on_and_other_weights_are_not_taken(
    networks: dict[str, TrainedDenoiser],
    crops: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = jobs_of(tmp_path, crops, FEW, networks)
    assert len({job.file for job in jobs}) == len(jobs) == 2 * (1 + 2 + 2)
    asked = know(monkeypatch, posterior)
    forward, stop = DrawNetwork.forward, 20

    def killed(self: DrawNetwork, *given: object) -> torch.Tensor:
        if len(asked) == stop:
            raise KeyboardInterrupt
        return forward(self, *given)

    monkeypatch.setattr(DrawNetwork, "forward", killed)
    with pytest.raises(KeyboardInterrupt):
        make_draws(jobs, networks, workers=1, progress=Silent())
    done = [job.file for job in jobs if job.file.is_file()]
    assert 0 < len(done) < len(jobs)
    before = {file: file.stat().st_mtime_ns for file in done}
    monkeypatch.setattr(DrawNetwork, "forward", forward)
    asked.clear()
    make_draws(jobs, networks, workers=1, progress=Silent())
    per_draw = {"mmse 1": 1, "mmse": 1, "consistency 4": 4, "ddpm 12": 12}
    assert len(asked) == sum(per_draw[j.line.name] for j in jobs if j.file not in before)
    assert before == {file: file.stat().st_mtime_ns for file in done}
    for one in FEW:
        images, found = read_draws(jobs, crops[1], one)
        assert images.shape == (one.draws, *SHAPE) and found == per_draw[one.name]
        assert len(np.unique(images, axis=0)) == one.draws
    asked.clear()
    make_draws(jobs, networks, workers=1, progress=Silent())
    assert not asked
    bundle = replace(networks["fast"].bundle, checksum="1" * 64)
    other = {**networks, "fast": replace(networks["fast"], bundle=bundle)}
    shared = {job.file for job in jobs} & {job.file for job in jobs_of(tmp_path, crops, FEW, other)}
    assert len(shared) == 2 * (1 + 2)
    with np.load(crops[0]) as kept:
        changed = {name: kept[name] for name in kept.files} | {"noisy": 1.1 * kept["noisy"] + 0.2}
    same_name = tmp_path / crops[0].name
    np.savez(same_name, **changed)
    assert not {job.file for job in jobs} & {
        job.file for job in jobs_of(tmp_path, [same_name], FEW, networks)
    }


@pytest.mark.slow
def test_workers_do_not_matter(
    networks: dict[str, TrainedDenoiser], crops: list[Path], tmp_path: Path
) -> None:
    found = []
    for workers in (1, 2):
        jobs = jobs_of(tmp_path / str(workers), crops, FEW, networks)
        make_draws(jobs, networks, workers=workers, progress=Silent())
        found.append([read_draws(jobs, crop, one)[0] for crop in crops for one in FEW])
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(found[0][1][0], found[0][1][1])


def test_clocks_stop_while_others_take_their_turn(
    networks: dict[str, TrainedDenoiser], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = know(monkeypatch, posterior)
    monkeypatch.setattr(timing, "_now", lambda: (len(asked), 2.0 * len(asked)))
    lines, file = [*FEW, line("ddim", 10)], tmp_path / "times.json"
    found = time_lines(file, volume(), lines, networks, repeats=5, progress=Silent())
    expected = {"mmse": 1, "consistency 4": 4, "ddim 10": 10, "ddpm 12": 12}
    assert {name: t["seconds"] for name, t in found["lines"].items()} == expected
    assert {name: t["cpu_s"] / 2 for name, t in found["lines"].items()} == expected
    turns = {name: t["times"] for name, t in found["lines"].items()}
    assert turns == {"mmse": 5, "consistency 4": 5, "ddim 10": 2, "ddpm 12": 1}
    asked.clear()
    assert found == time_lines(file, volume(), lines, networks, repeats=5, progress=Silent())
    assert not asked


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_scores_of_draws_are_those_of_the_distributions(share: float) -> None:
    rng, k, shape, spread = np.random.default_rng(1), 8, (48, 48, 48), 0.2
    centre, sd = np.full(shape, 2.0), np.full(shape, 0.5)
    body = np.ones(shape, bool)
    body[:4] = False
    clean = centre + spread * rng.standard_normal(shape)
    clean[20, 20, 20] = 10.0  # the peak
    images = centre + share * spread * rng.standard_normal((k, *shape))
    images[:, 20, 20, 20] = 10.0
    found = score_draws(images, clean, body, sd)
    wrong = np.sqrt((1.0 + share**2 / k) / ((1.0 + 1.0 / k) * share**2))
    assert found["voxels"] == pytest.approx(wrong, rel=0.01)
    assert found["blocks"] == pytest.approx(wrong, rel=0.08)
    rmse = spread * np.sqrt(1.0 + share**2 / k)
    assert found["rmse"] == pytest.approx(rmse, rel=0.01)
    assert found["psnr_mean"] == pytest.approx(20 * np.log10(10.0 / rmse), abs=0.05)
    one = spread * np.sqrt(1.0 + share**2)
    assert found["psnr"] == pytest.approx(20 * np.log10(10.0 / one), abs=0.05)
    assert found["sd"] == pytest.approx(share * spread * 0.9650, rel=0.01)  # c4 of 8
    alone = score_draws(images[:1], clean, body, sd)
    assert alone["sd"] is alone["voxels"] is alone["blocks"] is None


def made(gap: float = -0.05, seconds: float = 4.5, steps: int = 1000, draws: int = 8) -> dict:
    """A result whose `consistency` is `gap` above the others and takes so many of 1000 seconds."""
    lines = lines_of(draws, steps)
    rows, times = [], {}
    for person in (1, 2):
        rows.append({"person": person, "place": "Liver", "name": "noisy", "calls": 0,
                     **dict.fromkeys(("psnr", "psnr_mean", "rmse"), 20.0),
                     **dict.fromkeys(("sd", "voxels", "blocks"))})  # fmt: skip
        for one in lines:
            level = 30.0 + person + gap * (one.method == "consistency")
            several = None if one.draws == 1 else 1.0
            rows.append({"person": person, "place": "Liver", "name": one.name,
                         "calls": one.expected, "psnr": level - 2.0, "psnr_mean": level,
                         "rmse": 0.1,
                         **dict.fromkeys(("sd", "voxels", "blocks"), several)})  # fmt: skip
            took = seconds if one.method == "consistency" else 1e3
            times[one.name] = {"seconds": 3.0 + took, "cpu_s": took, "times": 1}
    network = {"bundle": "denoiser-draws-v1", "sha256": "0", "parameters": 10}
    return {
        "quick": False, "crops": 2, "draws": draws, "steps": steps, "edge": 64, "voxel": 3.0,
        "dose": 0.05, "rows": rows, "times": {"prepare_s": 1.0, "lines": times},
        "networks": {name: network for name in ("body", "draws", "fast")},
        "lines": {one.name: {"method": one.method, "steps": one.steps} for one in lines},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("gap", "seconds", "verdicts"),
    [
        (-0.05, 4.5, ("pass", "pass")),
        (-0.20, 4.5, ("short", "pass")),
        (+0.30, 6.0, ("pass", "short")),
    ],
)
def test_targets(gap: float, seconds: float, verdicts: tuple[str, str]) -> None:
    result = made(gap, seconds)
    result |= summary(result)
    assert result["gates"]["gap_db"] == pytest.approx(gap)
    assert result["gates"]["share"] == pytest.approx(seconds / 1000)
    text = calls_table(result)
    table = [row for row in text.splitlines() if row.count("|") == 5][2:]
    assert tuple(row.split("|")[4].strip() for row in table) == (*verdicts, "pass")
    assert "nan" not in text and "None" not in text


@pytest.mark.parametrize("sizes", [{"steps": 20}, {"draws": 2}])
def test_too_little_is_not_judged(sizes: dict[str, int]) -> None:
    result = made(**sizes)
    result |= summary(result)
    assert set(result["gates"].values()) == {None}
    text = calls_table(result)
    assert "not measured" in text and "| pass |" not in text


def test_a_missing_network_is_said_before_anything_is_simulated(
    bundles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_crops, "make_crops", None)
    (tmp_path / "denoiser-draws-v1").symlink_to(bundles / "denoiser-draws-v1")
    (tmp_path / "denoiser-body-v1").symlink_to(bundles / "denoiser-body-v1")
    with pytest.raises(UsageError, match="betaplus train denoiser --kind fast"):
        benchmark_calls(tmp_path / "out", bundle=tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        benchmark_calls(tmp_path / "out", bundle=tmp_path / "none")
    monkeypatch.setenv("BETAPLUS_BUNDLES", str(tmp_path))
    monkeypatch.setattr("betaplus.generative.bundle._PACKAGE", tmp_path)
    with pytest.raises(UsageError, match="betaplus train denoiser --kind fast"):
        benchmark_calls(tmp_path / "out")
    # One bundle takes the place of its kind, the others are those that are shipped.
    found = find_networks(bundles / "denoiser-fast-v1")
    assert found["fast"].bundle.path.parent == bundles
    assert found["draws"].bundle.path.parent == tmp_path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


def test_crops_are_around_their_organs_and_made_once(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = make_crops(out / "calls" / "crops", 1, 14, 10.0, Silent())
    crop = read_crop(file)
    phantom = make_anatomy("body", crop.person, voxel=10.0)
    (liver,) = (label for label, name in phantom.names.items() if name == crop.place)
    low = [int(np.median(at)) - 7 for at in np.nonzero(phantom.labels == liver)]
    labels = phantom.labels[tuple(slice(n, n + 14) for n in low)]
    assert crop.noisy.shape == crop.clean.shape == crop.body.shape == labels.shape == (14,) * 3
    assert crop.place == "Liver" and crop.clean[labels == liver].mean() > 1.3
    assert (crop.body == (labels > 0)).mean() > 0.95
    noise = (crop.noisy - crop.clean)[labels == liver]
    assert abs(noise.mean()) < 0.1 * crop.clean.max() and noise.std() > 0.02
    monkeypatch.setattr(calls_crops, "_make_crop", None)  # would be called otherwise
    assert make_crops(file.parent, 1, 14, 10.0, Silent()) == [file]


def test_a_small_run_writes_table_and_report(bundles: Path, out: Path) -> None:
    found = benchmark_calls(
        out, bundle=bundles, crops=1, draws=2, steps=12, repeats=1, edge=14, voxel=10.0,
        device="cpu", workers=1,
    )  # fmt: skip
    assert found == json.loads((out / "benchmark_denoise_calls.json").read_text())
    counted = {name: method["calls"] for name, method in found["methods"].items()}
    assert counted == {
        "noisy": 0, "mmse": 1, "consistency 1": 1, "consistency 2": 2, "consistency 4": 4,
        "ddim 10, order 1": 10, "ddim 20, order 1": 20, "ddim 50, order 1": 50,
        "ddim 10": 10, "ddim 20": 20, "ddim 50": 50, "ddpm 12": 12,
    }  # fmt: skip
    text = (out / "benchmark_denoise_calls.md").read_text()
    assert "not measured" in text and "nan" not in text and "None" not in text
    assert "Calls of the network" in denoise_report(out).read_text(encoding="utf-8")
    assert (out / "benchmark_denoise_calls_calls.png").is_file()
