"""The denoiser of images: EDM's preconditioning, its loss, and a fit to data with a closed form."""

import math

import pytest
import torch

from betaplus.generative.image_denoiser import ImageDenoiser, NoiseLevels, denoising_loss
from betaplus.generative.unet import UNetSize

SIZE = UNetSize(dimensions=2, widths=(8, 8), blocks=1, embedding=16)


def test_untrained_it_is_the_denoiser_of_white_data() -> None:
    denoiser = ImageDenoiser(SIZE, 0.7)
    x = torch.randn(2, 1, 8, 8)
    sigma = torch.tensor([0.3, 2.0])
    wiener = 0.49 / (0.49 + sigma**2)
    assert torch.allclose(denoiser(x, sigma), wiener[:, None, None, None] * x, atol=1e-6)
    assert torch.allclose(denoiser(x, 0.3), wiener[0] * x, atol=1e-6)


def test_the_loss_of_white_data_is_1_at_every_level_before_training() -> None:
    # E (D - x)^2 = sd^2 sigma^2 / (sd^2 + sigma^2), the inverse of the weight.
    denoiser = ImageDenoiser(SIZE, 0.7)
    torch.manual_seed(0)
    clean, noise = 0.7 * torch.randn(64, 1, 32, 32), torch.randn(64, 1, 32, 32)
    for sigma in (0.01, 0.5, 30.0):
        loss = denoising_loss(denoiser, clean, torch.full((64,), sigma), noise).detach()
        assert float(loss) == pytest.approx(1.0, abs=4 * math.sqrt(2 / clean.numel()))


def test_images_beside_the_noisy_one_are_seen() -> None:
    size = UNetSize(dimensions=2, widths=(8,), blocks=1, embedding=16, channels=2)
    denoiser = ImageDenoiser(size, 0.5)
    torch.nn.init.normal_(denoiser.network.head.weight)
    x, beside = torch.randn(1, 1, 8, 8), torch.randn(1, 1, 8, 8)
    assert not torch.allclose(denoiser(x, 0.5, beside), denoiser(x, 0.5, beside + 1.0))


def test_levels_stay_in_their_range_and_have_their_median() -> None:
    levels = NoiseLevels(low=0.01, high=20.0, mean=-0.5, sd=1.0, uniform=0.0)
    drawn = levels.draw(20_000, torch.Generator().manual_seed(0))
    assert float(drawn.min()) >= 0.01 * (1 - 1e-6)
    assert float(drawn.max()) <= 20.0 * (1 + 1e-6)
    assert float(drawn.log().median()) == pytest.approx(-0.5, abs=4 * 1.25 / math.sqrt(20_000))
    flat = NoiseLevels(low=0.01, high=20.0, uniform=1.0)
    spread = flat.draw(20_000, torch.Generator().manual_seed(0)).log()
    middle = (math.log(0.01) + math.log(20.0)) / 2
    assert float(spread.mean()) == pytest.approx(middle, abs=0.07)


def test_it_learns_the_posterior_mean_of_images_of_one_value() -> None:
    # x = a everywhere with a ~ N(0, 1): the posterior mean is sum(y) / (n + sigma^2).
    torch.manual_seed(0)
    denoiser = ImageDenoiser(UNetSize(dimensions=2, widths=(16, 16), blocks=1, embedding=32), 1.0)
    optimizer = torch.optim.Adam(denoiser.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    levels = NoiseLevels(low=0.2, high=5.0, mean=0.0, sd=1.0, uniform=0.5)

    def draw(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        value = torch.randn(n, 1, 1, 1, generator=generator)
        return value.expand(n, 1, 8, 8), torch.randn(n, 1, 8, 8, generator=generator)

    for _ in range(300):
        clean, noise = draw(32)
        loss = denoising_loss(denoiser, clean, levels.draw(32, generator), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    clean, noise = draw(256)
    for sigma in (0.5, 2.0):
        noisy = clean + sigma * noise
        best = noisy.sum((2, 3), keepdim=True) / (64 + sigma**2)
        with torch.no_grad():
            found = denoiser(noisy, sigma)
        excess = float((found - best).square().mean())
        untrained = float((noisy / (1 + sigma**2) - best).square().mean())
        assert excess < 0.2 * untrained


LOCAL = UNetSize(dimensions=3, widths=(8, 8), blocks=1, embedding=16, channels=2)


def test_with_a_reach_hot_voxels_keep_their_value_and_cold_ones_lose_their_noise() -> None:
    denoiser = ImageDenoiser(LOCAL, 0.5, reach=3)
    torch.manual_seed(0)
    clean = torch.zeros(1, 1, 32, 32, 32)
    clean[..., 20:30] = 60.0
    noisy = clean + 3.0 * torch.randn(clean.shape)
    found = denoiser(noisy, 3.0).detach()
    plain = ImageDenoiser(UNetSize(dimensions=3, widths=(8, 8), embedding=16), 0.5)
    dragged = plain(noisy, 3.0).detach()
    hot, cold = slice(24, 28), slice(2, 12)
    assert float(dragged[..., hot].mean()) < 2.0  # one sd for all drags 60 to nothing
    assert float(found[..., hot].mean()) == pytest.approx(60.0, rel=0.01)
    assert float(found[..., cold].std()) < 0.25


def test_with_a_reach_the_loss_of_images_of_one_level_is_about_1_whatever_the_level() -> None:
    # x = level + white noise of its SD: the local sd is sqrt(sd^2 + level^2), so that the loss
    # is 1 for data of that SD around 0; around the level it is what the skip misses.
    denoiser = ImageDenoiser(LOCAL, 0.5, reach=3)
    torch.manual_seed(0)
    for level in (0.0, 5.0, 50.0):
        sd = math.hypot(0.5, level)
        clean, noise = sd * torch.randn(2, 1, 16, 16, 16), torch.randn(2, 1, 16, 16, 16)
        local = denoiser.local_sd(torch.full_like(clean, level))
        assert torch.allclose(local, torch.tensor(sd), rtol=1e-5)
        loss = denoising_loss(denoiser, torch.full_like(clean, level), torch.ones(2), noise)
        # error of D: (1 - skip) level + skip sigma noise, over c_out
        skip, out = sd**2 / (1 + sd**2), sd / math.hypot(1.0, sd)
        expected = ((1 - skip) ** 2 * level**2 + skip**2) / out**2
        assert float(loss.detach()) == pytest.approx(expected, rel=0.12)


def test_the_weights_of_the_loss_do_not_see_the_clean_image() -> None:
    # Only then is the minimum the posterior mean: two clean images, one noisy image, one weight.
    denoiser = ImageDenoiser(LOCAL, 0.5, reach=3)
    torch.manual_seed(0)
    noisy, sigma = torch.randn(1, 1, 8, 8, 8), torch.tensor([0.7])
    losses = []
    for clean in (torch.zeros_like(noisy), torch.ones_like(noisy)):
        loss = denoising_loss(denoiser, clean, sigma, (noisy - clean) / 0.7).detach()
        losses.append(float(loss))
    estimate = denoiser(noisy, 0.7).detach()
    local = denoiser.local_sd(noisy)
    weight = (0.49 + local**2) / (0.7 * local) ** 2
    expected = [float((weight * (estimate - c) ** 2).mean()) for c in (0.0, 1.0)]
    assert losses == pytest.approx(expected, rel=1e-4)
