"""The learned baselines: their units, items, losses and draws, against closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from betaplus.pipeline.benchmark.denoise.learned_baselines.batches import PairBatches
from betaplus.pipeline.benchmark.denoise.learned_baselines.ddpm2d import SliceModel, ddpm2d_loss
from betaplus.pipeline.benchmark.denoise.learned_baselines.gan3d import (
    DISCRIMINATOR_WEIGHT,
    ERROR_WEIGHT,
    Gan,
    gan3d_loss,
)
from betaplus.pipeline.benchmark.denoise.learned_baselines.held_out import HeldOut
from betaplus.pipeline.benchmark.denoise.learned_baselines.networks import images_of, methods_of
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import quick_plan
from betaplus.pipeline.benchmark.denoise.learned_baselines.unet3d import (
    ResidualNetwork,
    unet3d_loss,
)
from betaplus.pipeline.benchmark.denoise.learned_baselines.units import to_suv, to_units, told_of
from betaplus.pipeline.benchmark.denoise.learned_baselines.whole_volume import (
    around_signal,
    denoise_tiles,
    draw_slices,
)
from betaplus.pipeline.training.corpus import Corpus

PEOPLE = 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Boxes of 1.5 SUV; noise of an SD of 10 % at full dose in all but the last one."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    for person in range(PEOPLE):
        boxes = np.full((2, 4, 24, 24, 24), 1.5, np.float16)
        boxes[:, 1] = 0.1 if person < PEOPLE - 1 else 0.0
        boxes[:, 2:] = rng.standard_normal((2, 2, 24, 24, 24))
        np.save(folder / f"person{person:06d}_0.npy", boxes)
    return Corpus.of(folder)


def a_batch(seed: int = 0, n: int = 2) -> dict[str, torch.Tensor]:
    chosen = torch.Generator().manual_seed(seed)
    clean = 2.0 * torch.rand((n, 1, 8, 8, 8), generator=chosen)
    noisy = clean * (0.5 + torch.rand(clean.shape, generator=chosen))
    return {"noisy": noisy, "clean": clean, "told": told_of([0.1] * n)}


def shaken(network: torch.nn.Module) -> None:
    """Add to all weights, so that none is 0."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(0.1 * torch.randn_like(weights))


def test_units_clip_nothing() -> None:
    suv = torch.tensor([0.0, 0.01, 1.0, 16.0, 300.0])
    assert to_suv(to_units(suv)).tolist() == pytest.approx(suv.tolist(), rel=1e-5)
    assert float(to_units(suv)[1]) == pytest.approx(0.04, rel=1e-3)
    assert told_of([1.0, 0.1, 0.01]).tolist() == [[0.0], [pytest.approx(-0.5)], [-1.0]]


def test_items_do_not_depend_on_who_draws_them(corpus: Corpus) -> None:
    batches = PairBatches(corpus, 3.0, (12, 12, 4), 4)
    whole = batches(4, torch.Generator().manual_seed(5))
    parts = [batches(4, torch.Generator().manual_seed(5), rank, 2) for rank in (0, 1)]
    assert whole["noisy"].shape == whole["clean"].shape == (4, 1, 12, 12, 4)
    for name, items in whole.items():
        torch.testing.assert_close(items[0::2], parts[0][name])
        torch.testing.assert_close(items[1::2], parts[1][name])
    assert not torch.equal(whole["noisy"][0], whole["noisy"][2])


def test_items_are_the_corpus_at_some_dose(corpus: Corpus) -> None:
    """Uniform boxes stay so but for brightness; the noise is that of the dose, its mean is 0."""
    noisy_ones = Corpus(corpus.files[:-1])
    found = PairBatches(noisy_ones, 3.0, (16, 16, 16), 4)(24, torch.Generator().manual_seed(1))
    clean, noise = found["clean"], found["noisy"] - found["clean"]
    assert float(clean.std((2, 3, 4)).max()) < 1e-3
    levels = clean.mean((1, 2, 3, 4))
    assert 0.6 * 1.5 <= float(levels.min()) < float(levels.max()) <= 1.6 * 1.5
    relative = (noise / clean).flatten(1)
    assert relative.mean(1).abs().max() < 0.15
    at_most = 0.1 * torch.exp(-0.5 * found["told"][:, 0] * np.log(100.0))
    assert (relative.std(1) < 1.15 * at_most).all()  # a post-filter makes it less
    assert (relative.std(1) > 0.9 * at_most).any()
    without = PairBatches(Corpus(corpus.files[-1:]), 3.0, (8, 8, 8), 4)
    found = without(3, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found["noisy"], found["clean"], rtol=1e-4, atol=0)


@pytest.mark.parametrize("norm", ["L1", "L2"])
def test_the_unet_starts_as_the_identity(norm: str) -> None:
    network, batch = ResidualNetwork((4, 4), 1), a_batch()
    error = np.arcsinh(batch["noisy"].numpy()) - np.arcsinh(batch["clean"].numpy())
    expected = 4 * np.abs(error).mean() if norm == "L1" else 16 * np.square(error).mean()
    assert unet3d_loss(network, batch, norm).item() == pytest.approx(expected, rel=1e-5)


def test_each_side_of_the_gan_has_its_own_gradient() -> None:
    """By hand: the discriminator gets nothing of the generator's loss, nor it of the other's."""
    gan, batch = Gan((4, 4), 1, (3, 4)), a_batch()
    shaken(gan)
    gan3d_loss(gan, batch).backward()
    found = {name: w.grad.clone() for name, w in gan.named_parameters() if w.grad is not None}
    noisy, clean = to_units(batch["noisy"]), to_units(batch["clean"])
    judge = gan.discriminator
    made = gan(noisy, batch["told"])
    fooled = judge(torch.cat([noisy, made], 1))
    generator = (made - clean).square().mean() + ((fooled - 1) ** 2).mean() / ERROR_WEIGHT
    names = [name for name, _ in gan.generator.named_parameters()]
    expected = torch.autograd.grad(generator, list(gan.generator.parameters()))
    for name, gradient in zip(names, expected, strict=True):
        torch.testing.assert_close(found[f"generator.{name}"], gradient, rtol=1e-3, atol=1e-5)
    real, false = (judge(torch.cat([noisy, x], 1)) for x in (clean, made.detach()))
    loss = DISCRIMINATOR_WEIGHT * (((real - 1) ** 2).mean() + (false**2).mean())
    for (name, _), gradient in zip(
        judge.named_parameters(), torch.autograd.grad(loss, list(judge.parameters())), strict=True
    ):
        torch.testing.assert_close(found[f"discriminator.{name}"], gradient, rtol=1e-3, atol=1e-7)


def test_the_loss_of_draws_is_that_of_every_slice() -> None:
    """Before training D = x / (1 + sigma^2): the weighted error has a closed form."""
    batch = a_batch()
    found = ddpm2d_loss(SliceModel((4, 4), 1), batch, torch.Generator().manual_seed(2))
    chosen = torch.Generator().manual_seed(2)
    from betaplus.pipeline.benchmark.denoise.learned_baselines.ddpm2d import LEVELS

    z = to_units(batch["clean"]) - to_units(batch["noisy"])
    z = torch.stack([z[b, :, :, :, k] for b in range(2) for k in range(8)])
    sigma = LEVELS.draw(16, chosen)[:, None, None, None]
    noise = torch.randn(z.shape, generator=chosen)
    error = (z + sigma * noise) / (1 + sigma**2) - z
    expected = ((1 + sigma**2) / sigma**2 * error**2).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_draws_have_the_distribution_of_a_perfect_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Corrections of N(.5, .4^2) of their own at every voxel; no tie between slices."""
    mean, sd = 0.5, 0.4

    def perfect(self: SliceModel, z: torch.Tensor, sigma: torch.Tensor, *known: object):
        return mean + (z - mean) * sd**2 / (sd**2 + sigma**2)

    monkeypatch.setattr(SliceModel, "forward", perfect)
    image = torch.ones(1, 1, 37, 33, 6)
    model = SliceModel((4, 4), 1)

    def draw(number: int) -> torch.Tensor:
        found = draw_slices(model, image, 0.1, calls=25, seed=4, draw=number, bf16=False)
        return to_units(found) - to_units(image)

    first, other = draw(0), draw(1)
    assert float(first.mean()) == pytest.approx(mean, abs=0.02)
    assert float(first.std()) == pytest.approx(sd, rel=0.06)
    torch.testing.assert_close(first, draw(0), rtol=0, atol=0)
    for a, b in ((first, other), (first[..., :-1], first[..., 1:])):
        both = torch.stack([a.flatten(), b.flatten()])
        assert abs(float(torch.corrcoef(both)[0, 1])) < 0.05


def test_the_mean_of_draws_is_a_method() -> None:
    assert methods_of("unet3d", 4) == ("unet3d",)
    plan, image = quick_plan(), torch.ones(1, 1, 16, 16, 3)
    model = SliceModel((4, 4), 1).eval().requires_grad_(False)
    found = dict(images_of("ddpm2d", model, image, 0.1, plan, 3, 2))
    assert tuple(found) == methods_of("ddpm2d", 2) == ("ddpm2d", "ddpm2d mean of 2")
    second = draw_slices(model, image, 0.1, calls=plan.calls, seed=3, draw=1, bf16=plan.bf16)
    mean = (found["ddpm2d"] + second) / 2
    torch.testing.assert_close(found["ddpm2d mean of 2"], mean)


def test_tiles_of_the_identity_are_the_image() -> None:
    image = 20.0 * torch.rand((1, 1, 101, 19, 23), generator=torch.Generator().manual_seed(0))
    found = denoise_tiles(ResidualNetwork((4, 4), 1), image, 0.05, bf16=True)
    torch.testing.assert_close(found, image, rtol=1e-5, atol=1e-6)


def test_the_box_around_the_signal_holds_it() -> None:
    image = np.zeros((40, 30, 20), np.float32)
    image[12:15, 4, 19] = 0.02
    assert around_signal(image) == (slice(4, 23), slice(0, 13), slice(11, 20))
    assert around_signal(np.zeros((4, 5, 6), np.float32)) == tuple(slice(0, n) for n in (4, 5, 6))


def test_half_the_error_is_a_gain_of_six_decibels(corpus: Corpus, tmp_path: Path) -> None:
    noisy_ones = Corpus(corpus.files[:-1])
    for planes in (None, 2):
        held = HeldOut(noisy_ones, 3.0, 1, 0, 8, planes)
        assert held.cases[0][1].shape[-1] == (planes or 24)
        truth = {float(noisy.sum()): clean for _, noisy, clean in held.cases}
        found = held.gains(lambda y, dose, known=truth: 0.5 * (y + known[float(y.sum())]))
        expected = 20.0 * np.log10(2.0)
        assert [found[k] for k in found if "gain" in k] == pytest.approx([expected] * 6, abs=1e-3)
        shifted = held.gains(lambda y, dose: y + 0.15)
        assert shifted["bias [%]"] == pytest.approx(10.0, abs=0.05)
        assert shifted["gain"] < 0
