"""Denoiser, consistency function and ODE step against Gaussians, where all is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from betaplus.generative.denoiser import consistency_function, denoise, leading, ode_step
from betaplus.generative.schedules import SIGMA_MIN, karras_levels

MEAN, VARIANCE = torch.tensor([0.7, -0.3]).double(), torch.tensor([0.25, 1.9]).double()


def nothing(x, noise):
    return torch.zeros_like(x)


def anything(x, noise):
    return 3 * torch.sin(5 * x) + noise[..., None]


def gaussian(x, sigma):
    """Posterior mean of N(MEAN, VARIANCE) data."""
    square = leading(sigma * sigma, x)
    return (VARIANCE * x + square * MEAN) / (VARIANCE + square)


def flowed(x, sigma, lower):
    """Where the probability-flow ODE through (x, sigma) is at `lower`."""
    return MEAN + (x - MEAN) * torch.sqrt((VARIANCE + lower**2) / (VARIANCE + sigma**2))


@pytest.mark.parametrize("sigma", [0.002, 0.3, 1.0, 80.0])
def test_a_field_of_zero_denoises_standard_normal_data(sigma):
    x = torch.randn(3, 5, 2, dtype=torch.float64) * (1 + sigma**2) ** 0.5
    level = torch.full((1, 5), sigma, dtype=torch.float64)
    torch.testing.assert_close(denoise(nothing, x, level), x / (1 + sigma**2))
    end = consistency_function(nothing, x, level, SIGMA_MIN)
    torch.testing.assert_close(end, x / (1 + sigma**2) ** 0.5)


def test_denoiser_and_field_see_inputs_of_order_one():
    seen = []
    x = 80 * torch.randn(2, 500, 3)
    denoise(lambda u, c: seen.append((u, c)) or u, x, torch.full((1, 500), 80.0))
    u, c = seen[0]
    assert u.std().item() == pytest.approx(1.0, abs=0.05)
    assert c.flatten()[0].item() == pytest.approx(np.log(80) / 4)


def test_consistency_function_keeps_what_has_no_noise_left():
    x = torch.randn(2, 7, 3)
    level = torch.full((1, 7), SIGMA_MIN)
    found = consistency_function(anything, x, level, SIGMA_MIN)
    torch.testing.assert_close(found, x, atol=1e-5, rtol=SIGMA_MIN**2)


def test_ode_steps_against_scipy():
    x, levels = torch.tensor([[[40.0, -95.0]]]).double(), karras_levels(200)
    for sigma, lower in itertools.pairwise(levels):
        x = ode_step(gaussian, x, sigma.reshape(1, 1), lower.reshape(1, 1))

    def slope(sigma, y):
        here = gaussian(torch.as_tensor(y), torch.tensor(sigma)).numpy()
        return (y - here) / sigma

    span = (float(levels[0]), float(levels[-1]))
    end = solve_ivp(slope, span, [40.0, -95.0], method="LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    np.testing.assert_allclose(x[0, 0].numpy(), end, atol=2e-4)
    exact = flowed(torch.tensor([40.0, -95.0]).double(), levels[0], levels[-1])
    np.testing.assert_allclose(end, exact.numpy(), atol=1e-7)


def test_ode_steps_are_of_second_order():
    start, top = torch.tensor([[[2.0, -3.0]]]).double(), 5.0
    errors = []
    for n in (40, 80, 160):
        x, levels = start, karras_levels(n + 1, 0.05, top)
        for sigma, lower in itertools.pairwise(levels):
            x = ode_step(gaussian, x, sigma.reshape(1, 1), lower.reshape(1, 1))
        errors.append((x - flowed(start, top, 0.05)).abs().max().item())
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all((order > 1.7) & (order < 2.4)), order


@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 2, 6, 7), (3, 1, 4, 5, 6)])
def test_noise_levels_belong_to_the_first_axes(shape):
    x = torch.randn(shape, dtype=torch.float64)
    levels = torch.tensor([0.3, 1.0, 7.0], dtype=torch.float64)
    functions = {
        "denoise": lambda y, s: denoise(lambda u, c: u.sin() + c[..., None], y, s),
        "consistency": lambda y, s: consistency_function(
            lambda u, c: u.sin() + c[..., None], y, s, SIGMA_MIN
        ),
        "ode": lambda y, s: ode_step(lambda z, t: z / (2 + leading(t, z)), y, s, 0.5 * s),
    }
    for function in functions.values():
        together = function(x, levels)
        assert together.shape == shape
        for item, level in enumerate(levels):
            torch.testing.assert_close(function(x[item : item + 1], level)[0], together[item])
        torch.testing.assert_close(function(x, levels.reshape(3, 1)), together)
    with pytest.raises(ValueError, match="noise levels of shape"):
        leading(torch.ones(2, 2), torch.ones(2))


def test_an_ode_step_is_exact_for_standard_normal_data():
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    sigma, lower = torch.rand(4, 6).double() * 3 + 2, torch.rand(4, 6).double()
    found = ode_step(lambda y, s: denoise(nothing, y, s), x, sigma, lower)
    expected = x * ((1 + lower**2) / (1 + sigma**2)).sqrt()[..., None]
    torch.testing.assert_close(found, expected)
