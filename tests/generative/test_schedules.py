"""Noise levels against their formulas, and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import lognorm

from betaplus.generative.schedules import (
    SIGMA_MAX,
    SIGMA_MIN,
    alpha_bar_of,
    cosine_levels,
    ddpm_levels,
    discretisation,
    interval_weights,
    karras_levels,
    log_levels,
    sigma_of,
    vp_levels,
)


def test_karras_levels_fall_from_end_to_end_and_are_even_in_a_root():
    levels = karras_levels(18).numpy()
    np.testing.assert_allclose(levels[[0, -1]], [SIGMA_MAX, SIGMA_MIN], rtol=1e-12)
    steps = np.diff(levels ** (1 / 7))
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    assert steps[0] < 0
    np.testing.assert_allclose(karras_levels(3, 1.0, 9.0, rho=2.0).numpy(), [9.0, 4.0, 1.0])


@pytest.mark.parametrize("levels", [karras_levels, cosine_levels, log_levels, ddpm_levels])
def test_one_level_is_refused(levels):
    with pytest.raises(ValueError, match="1 noise levels"):
        levels(1)


def test_ddpm_levels_are_those_of_the_product_of_betas():
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    every = np.sqrt((1 - kept) / kept)[::-1]
    np.testing.assert_allclose(ddpm_levels(1000).numpy(), every, rtol=1e-9)
    # Published ends: alpha_bar_1000 is 4.04e-5, beta_1 is 1e-4.
    assert alpha_bar_of(ddpm_levels(2)).numpy() == pytest.approx([4.0358e-5, 0.9999], rel=1e-4)
    # The spaced steps of Nichol and Dhariwal: 0, 999/4, ... rounded.
    np.testing.assert_allclose(ddpm_levels(5).numpy(), every[::-1][[999, 749, 500, 250, 0]])
    with pytest.raises(ValueError, match="1001 noise levels, expected 2 to 1000"):
        ddpm_levels(1001)


def test_cosine_levels_are_even_in_time():
    levels = cosine_levels(30, 0.01, 100.0)
    np.testing.assert_allclose(levels[[0, -1]].numpy(), [100.0, 0.01], rtol=1e-9)
    # alpha_bar = cos^2(pi t / 2)
    time = np.arccos(np.sqrt(alpha_bar_of(levels).numpy())) * 2 / np.pi
    np.testing.assert_allclose(np.diff(time), (time[-1] - time[0]) / 29, rtol=1e-9)


def test_log_levels_are_even_in_the_logarithm():
    np.testing.assert_allclose(log_levels(4, 0.01, 10.0).numpy(), [10, 1, 0.1, 0.01], rtol=1e-12)


def test_levels_to_alpha_bar_and_back():
    levels = karras_levels(20)
    kept = alpha_bar_of(levels)
    torch.testing.assert_close(sigma_of(kept), levels, rtol=1e-7, atol=0.0)
    # sqrt(alpha_bar) x has variance 1 where clean data have.
    torch.testing.assert_close(kept * (1 + levels**2), torch.ones_like(kept))
    torch.testing.assert_close(alpha_bar_of(vp_levels(1))[0].log().item(), -10.05)


def test_vp_levels_are_those_of_discrete_ddpm():
    # Ho et al.: T = 1000 and beta from 1e-4 to 0.02, which is 0.1 and 20 in continuous time; the
    # product of 1 - beta agrees with the exponential to the order of beta.
    n = 1000
    kept = np.cumprod(1 - np.linspace(1e-4, 0.02, n))
    expected = np.sqrt((1 - kept) / kept)[::-1]
    found = vp_levels(n).numpy()
    assert np.all(np.diff(found) < 0)
    np.testing.assert_allclose(found[:-20], expected[:-20], rtol=0.06)
    fine = 100_000
    kept = np.cumprod(1 - np.linspace(0.1, 20.0, fine) / fine)
    expected = np.sqrt((1 - kept) / kept)[::-1]
    np.testing.assert_allclose(vp_levels(fine).numpy()[:-20], expected[:-20], rtol=2e-3)


def test_interval_weights_are_lognormal_probabilities():
    levels = karras_levels(40).flip(0)
    found = interval_weights(levels, mean=-1.1, sd=2.0).numpy()
    cdf = lognorm(s=2.0, scale=np.exp(-1.1)).cdf(levels.numpy())
    assert found.sum() == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(found, np.diff(cdf) / (cdf[-1] - cdf[0]), rtol=1e-6, atol=1e-12)


def test_levels_double_at_even_steps_of_progress():
    found = [discretisation(p) for p in np.linspace(0, 1, 8001)]
    assert found[0] == 10
    assert found[-1] == 1280
    assert sorted(set(found)) == [10 * 2**i for i in range(8)] and np.all(np.diff(found) >= 0)
    counts = [found.count(10 * 2**i) for i in range(8)]
    assert max(counts) - min(counts) <= 2


def test_levels_are_double_precision():
    for levels in (karras_levels, vp_levels, ddpm_levels, cosine_levels, log_levels):
        assert levels(5).dtype == torch.float64
        assert levels(5).diff().max() < 0
