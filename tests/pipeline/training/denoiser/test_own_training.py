"""Fine-tuning on own scans: what is learned from noisy targets, how it is judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.pipeline.training.denoiser.own_cases import (
    CONFIG,
    DOSE,
    PLAN,
    VOXEL,
    base_bundle,
    body,
    nested,
    own_folder,
)
from torch import nn

from betaplus.core.errors import InputError, UsageError
from betaplus.denoising.bundle import load_denoiser
from betaplus.denoising.noise import measure_noise
from betaplus.denoising.volume import Volume
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.own.batches import OwnBatches, OwnValidation
from betaplus.pipeline.training.denoiser.own.corpus import (
    import_pairs,
    own_scans,
)
from betaplus.pipeline.training.denoiser.own.loss import mean_loss
from betaplus.pipeline.training.denoiser.own.pairs import find_pairs
from betaplus.pipeline.training.denoiser.own.train import fine_tune_denoiser


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    return own_folder(tmp_path_factory.mktemp("own"), 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return base_bundle(tmp_path_factory.mktemp("base"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class _Scaled(nn.Module):
    """D(y) = y - a n b: the mean of a Gaussian given it with Gaussian noise is of this kind."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(()))

    def mean(self, shown, told):
        return -self.a * shown.basis


def _best(target: str, ratio: float) -> float:
    """Return the a that minimises the loss, a parabola, for x of variance 1, noise of 0.5."""
    rng = np.random.default_rng(0)
    shape = (6, 1, 40, 40, 40)
    x, n, m = (rng.normal(0.0, sd, shape) for sd in (1.0, 0.5**0.5, (0.5 * ratio) ** 0.5))
    y = x + n
    f = ratio / (1.0 + ratio)
    against = {"clean": x, "complement": x + m, "full": f * y + (1.0 - f) * (x + m)}[target]
    sd = 0.5**0.5
    shown = torch.tensor(y / sd, dtype=torch.float32)
    batch = {
        "z": torch.tensor((against - y) / sd, dtype=torch.float32),
        "sd": torch.ones(shape), "images": shown, "basis": shown, "told": torch.zeros(6, 2),
        "ratio": torch.full((6,), ratio),
    }  # fmt: skip
    network = _Scaled()
    slopes = []
    for a in (0.0, 1.0):
        network.a.data.fill_(a)
        slopes.append(float(torch.autograd.grad(mean_loss(network, batch), network.a)[0]))
    return slopes[0] / (slopes[0] - slopes[1])


@pytest.mark.parametrize("ratio", [0.05, 1.0])
def test_the_loss_is_least_at_the_mean_of_the_clean_image_though_the_target_is_noisy(ratio) -> None:
    wiener = 0.5 / (1.0 + 0.5)  # of y that is noise: E[x | y] = y - wiener y
    assert _best("clean", ratio) == pytest.approx(wiener, abs=0.01)
    assert _best("complement", ratio) == pytest.approx(wiener, abs=0.01)
    # Against the full image the share f of the noise stays.
    f = ratio / (1.0 + ratio)
    assert _best("full", ratio) == pytest.approx((1.0 - f) * wiener, abs=0.01)


def test_weights_of_the_loss_do_not_depend_on_the_target() -> None:
    """It is a parabola in the target with one curvature, near to the image or far."""
    shape = (2, 1, 8, 8, 8)
    generator = torch.Generator().manual_seed(0)
    basis, z = (torch.randn(shape, generator=generator) for _ in range(2))
    batch = {
        "sd": torch.ones(shape), "images": basis, "basis": basis, "told": torch.zeros(2, 2),
        "ratio": torch.ones(2),
    }  # fmt: skip
    values = [mean_loss(_Scaled(), batch | {"z": k * z}).item() for k in (0.01, 1.0, 10.0)]
    assert values[1] / values[0] == pytest.approx(1e4, rel=1e-4)
    assert values[2] / values[1] == pytest.approx(1e2, rel=1e-4)


def test_the_noise_of_a_part_is_that_which_the_verb_measures_in_the_whole(own, tmp_path) -> None:
    list(import_pairs(tmp_path, find_pairs(own)[:1], PLAN, VOXEL))
    (found,) = own_scans(Corpus.of(tmp_path))
    whole = np.asarray(found.voxels[0], np.float32)
    volume = Volume(data=whole, voxel=(VOXEL,) * 3, grid_voxel=VOXEL)
    part = (slice(4, 28),) * 3
    crop = torch.from_numpy(whole[part].copy())[None, None]
    sd = measure_noise(crop, torch.tensor([found.width])).sd[0, 0, 4:-4, 4:-4, 4:-4]
    expected = volume.noise.sd[0, 0][part][4:-4, 4:-4, 4:-4]
    assert float((sd / expected).median()) == pytest.approx(1.0, abs=0.1)
    assert float((sd / expected - 1.0).abs().max()) < 0.5


def test_two_processes_share_a_batch(own, tmp_path) -> None:
    list(import_pairs(tmp_path, find_pairs(own), PLAN, VOXEL))
    batches = OwnBatches(own_scans(Corpus.of(tmp_path)), PLAN)
    whole = batches(4, torch.Generator().manual_seed(5))
    halves = [batches(4, torch.Generator().manual_seed(5), rank, 2) for rank in range(2)]
    for name, values in whole.items():
        for rank in range(2):
            assert torch.equal(values[rank::2], halves[rank][name])


def test_the_gain_is_estimated_without_the_clean_image(own, base, tmp_path) -> None:
    """Compared with what the clean images say."""
    list(import_pairs(tmp_path, find_pairs(own), PLAN, VOXEL))
    scans = own_scans(Corpus.of(tmp_path))
    network = load_denoiser(explicit=base).network
    with torch.no_grad():
        found = OwnValidation(scans, replace(PLAN, boxes=8), 0).measure(network, bf16=False)
    gains = []
    for n, one in enumerate(scans):
        low = np.asarray(one.voxels[0], np.float32)
        volume = Volume(data=low, voxel=(VOXEL,) * 3, grid_voxel=VOXEL)
        with torch.no_grad():
            out = volume.corrected(network.mean(volume.shown, volume.told))
        inside = np.s_[4:-4, 4:-4, 4:-4]
        before, after = (((v - body(n))[inside] ** 2).mean() for v in (low, out))
        gains.append(10.0 * np.log10(before / after))
    # The noise of few targets is known to a few percent of it.
    left, expected = (
        10.0 ** (-gain / 10.0) for gain in (found["estimated gain [dB]"], np.mean(gains))
    )
    assert left == pytest.approx(expected, abs=0.06)


def test_fine_tuning_helps_on_held_out_subjects(own, base, tmp_path) -> None:
    """By noisy targets, by the estimated gain, and by the clean image, which is known here."""
    (tmp_path / "plan.toml").write_text(CONFIG.format(steps=60, rate=5e-3))
    made = fine_tune_denoiser(
        tmp_path / "out", own, bundle=base, config=tmp_path / "plan.toml", seed=1
    )
    assert made.name == "denoiser-own-v1"
    figures = json.loads((made / "training.json").read_text())["metrics"]
    name = "distance to noisy targets [dB]"
    assert figures[name] < figures[f"{name} before"] - 0.2
    mean = body(7)
    low, _ = nested(mean, DOSE, 107)
    left = []
    for bundle in (base, made):
        denoiser = load_denoiser(explicit=bundle)
        volume = Volume(data=low.astype(np.float32), voxel=(VOXEL,) * 3, grid_voxel=VOXEL)
        out = volume.corrected(denoiser.mean(volume.shown, volume.told))
        left.append(float(((out - mean)[mean > 0.5] ** 2).mean()))
    assert left[1] < 0.9 * left[0]
    card = (made / "README.md").read_text()
    assert "No clean image was known" in card and "denoiser-body-v1" in card
    config = json.loads((made / "config.json").read_text())
    assert config["validity"]["tracer"] == ["FDG"]
    assert config["validity"]["dose fraction"] == [DOSE, DOSE]
    again = {"bundle": base, "config": tmp_path / "plan.toml"}
    with pytest.raises(UsageError, match="earlier training run"):
        fine_tune_denoiser(tmp_path / "out", own, **again)
    with pytest.raises(UsageError, match="was made with start"):
        fine_tune_denoiser(tmp_path / "out", own, resume=True, **again | {"bundle": made})
    other = own_folder(tmp_path / "other", 2)
    with pytest.raises(UsageError, match="was made with images"):
        fine_tune_denoiser(tmp_path / "out", other, resume=True, **again)


def test_a_network_that_gets_worse_is_not_published(own, base, tmp_path) -> None:
    (tmp_path / "plan.toml").write_text(CONFIG.format(steps=10, rate=1.0))
    with pytest.raises(InputError, match="no better after training"):
        fine_tune_denoiser(tmp_path / "out", own, bundle=base, config=tmp_path / "plan.toml")
    assert not (tmp_path / "out" / "bundles").exists()
