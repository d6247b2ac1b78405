"""Consistency models against the closed form for Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from betaplus.generative.consistency import consistency_loss, draw_intervals, multistep
from betaplus.generative.denoiser import leading
from betaplus.generative.schedules import SIGMA_MIN, interval_weights, karras_levels

MEAN, SD, DRAWS = 0.8, 0.5, 40_000


def consistency(x, sigma):
    """The end of the probability-flow ODE of N(MEAN, SD^2) data through (x, sigma)."""
    s = leading(sigma, x)
    return MEAN + (x - MEAN) * torch.sqrt((SD**2 + SIGMA_MIN**2) / (SD**2 + s * s))


def denoised(x, sigma):
    square = leading(sigma * sigma, x)
    return (SD**2 * x + square * MEAN) / (SD**2 + square)


def noises(passes, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(1, DRAWS, 1, generator=generator) for _ in range(passes)]


@pytest.mark.parametrize("sigmas", [(80.0,), (80.0, 1.0), (80.0, 2.0, 0.5)])
def test_passes_of_the_exact_function_draw_from_the_data(sigmas):
    x = multistep(consistency, sigmas, noises(len(sigmas)))
    # From pure noise the mean is off by MEAN SD / 80: see the next test for what that is at T = 1.
    assert x.mean().item() == pytest.approx(MEAN, abs=SD * (MEAN / 80 + 4 / DRAWS**0.5))
    assert x.std().item() == pytest.approx(SD, rel=0.02)


def test_a_start_at_the_noise_of_the_data_is_biased_and_one_at_80_is_not():
    # PET-TRACER starts from N(0, 1) at T = 1, where x should be N(MEAN, SD^2 + 1).
    low = multistep(consistency, (1.0,), noises(1)).mean().item()
    high = multistep(consistency, (80.0,), noises(1)).mean().item()
    expected = MEAN - MEAN * SD / (SD**2 + 1) ** 0.5
    assert low == pytest.approx(expected, abs=0.01)
    assert (low - MEAN) / SD < -0.6
    assert abs(high - MEAN) / SD < 0.025
    published = multistep(consistency, (1.0, 2 / 3, 1 / 3), noises(3)).mean().item()
    assert (published - MEAN) / SD < -0.2  # further passes forget it only in part


def loss(function, n, teacher=None, seed=2):
    """Loss and mean step at n Karras levels."""
    generator = torch.Generator().manual_seed(seed)
    clean = MEAN + SD * torch.randn(1, 4000, 1, generator=generator).double()
    noise = torch.randn(1, 4000, 1, generator=generator).double()
    higher, lower = draw_intervals(n, (1, 4000), generator)
    there = torch.ones(1, 1, 1).double()
    value = consistency_loss(
        function, clean, noise, higher.double(), lower.double(), there, teacher
    )
    return value.item()


def test_distillation_has_no_loss_at_the_exact_function():
    wrong = loss(lambda x, s: 0.9 * consistency(x, s) + 0.1 * x / (1 + s[..., None]), 320, denoised)
    found = [loss(consistency, n, denoised) for n in (20, 80, 320)]
    assert found[0] > found[1] > found[2] >= 0
    assert found[2] < 1e-3 * wrong


def test_training_without_a_teacher_prefers_the_exact_function():
    # Its targets are noisy, so that the loss is not 0, but a wrong function's is larger.
    right = loss(consistency, 320)
    for shift in (-0.15, 0.15):
        other = loss(
            lambda x, s, c=shift: consistency(x, s) + c * s[..., None] / (1 + s[..., None]), 320
        )
        assert other > right


def test_gradients_reach_the_higher_level_only():
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    calls = []

    def scaled(x, sigma):
        calls.append(torch.is_grad_enabled())
        return weight * consistency(x, sigma)

    clean = torch.randn(1, 8, 1).double()
    ones = torch.ones(1, 8).double()
    consistency_loss(scaled, clean, clean, 2 * ones, ones, torch.ones(1, 1, 1)).backward()
    assert sorted(calls) == [False, True]
    assert weight.grad is not None


def test_places_that_do_not_exist_do_not_count():
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(2, 9, 3, generator=generator) for _ in range(2))
    higher, lower = draw_intervals(50, (2, 9), generator)
    there = torch.tensor([1.0, 1.0, 0.0]).expand(2, 1, 3)

    def value(extra):
        return consistency_loss(
            lambda x, s: consistency(x, s) * torch.tensor([1.0, 1.0, extra]),
            clean, noise, higher, lower, there,
        )  # fmt: skip

    torch.testing.assert_close(value(1.0), value(77.0))


@pytest.mark.parametrize("teacher", [None, denoised])
def test_images_have_a_loss_an_image(teacher):
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(3, 2, 4, 5, generator=generator).double() for _ in range(2))
    higher, lower = (level.double() for level in draw_intervals(50, (3,), generator))

    def wrong(x, sigma):
        return 0.9 * consistency(x, sigma) + 0.1 * x / (1 + leading(sigma, x))

    found = consistency_loss(wrong, clean, noise, higher, lower, teacher=teacher)
    ones = torch.ones(1, 1, 40).double()
    vectors = [image.reshape(3, 1, 1, 40) for image in (clean, noise)]
    levels = [level.reshape(3, 1, 1) for level in (higher, lower)]
    expected = [
        consistency_loss(wrong, *(part[i] for part in (*vectors, *levels)), ones, teacher).item()
        for i in range(3)
    ]
    assert found.item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_intervals_are_drawn_by_their_weights():
    generator, n = torch.Generator().manual_seed(4), 12
    higher, lower = draw_intervals(n, (100, 400), generator)
    rising = karras_levels(n).flip(0)
    index = np.searchsorted(rising.numpy(), lower.double().numpy() * (1 + 1e-5)) - 1
    torch.testing.assert_close(rising[index + 1].float(), higher)
    counts = np.bincount(index.ravel(), minlength=n - 1) / index.size
    expected = interval_weights(rising).numpy()
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected / index.size) + 1e-4)
