"""How near samplers come in how few steps: closed forms for Gaussians, moments for a mixture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import qmc
from tests.generative.mixtures import Plane, normal

from betaplus.generative.denoiser import leading
from betaplus.generative.samplers import ancestral, ddim, dpm_solver, heun, sde_solver
from betaplus.generative.schedules import cosine_levels, karras_levels, log_levels, vp_levels

MEAN = torch.tensor([0.7, -0.3], dtype=torch.float64)
VARIANCE = torch.tensor([0.25, 1.9], dtype=torch.float64)


def gaussian(x, sigma):
    """Posterior mean of N(MEAN, VARIANCE) data."""
    square = leading(sigma * sigma, x)
    return (VARIANCE * x + square * MEAN) / (VARIANCE + square)


def flow_end(x, sigma):
    """Where the probability flow through (x, sigma) ends."""
    return MEAN + (x - MEAN) * (VARIANCE / (VARIANCE + sigma**2)).sqrt()


@pytest.mark.parametrize(
    ("sampler", "order"), [(ddim, 1), (heun, 2), (dpm_solver, 2)], ids=["ddim", "heun", "dpm"]
)
def test_order_of_convergence(sampler, order):
    start, errors = torch.tensor([[2.0, -3.0], [-9.0, 4.0]], dtype=torch.float64), []
    for n in (100, 200, 400, 800):
        found = sampler(gaussian, log_levels(n, 1e-5, 5.0), [], start=start)
        errors.append((found - flow_end(start, 5.0)).abs().max().item())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(orders, order, atol=0.15)


@pytest.mark.parametrize("sampler", [ddim, heun, dpm_solver])
def test_the_probability_flow_ends_at_the_closed_form(sampler):
    x = 80.0 * next(normal(2, 500, 2, dtype=torch.float64))
    n = {ddim: 4000, heun: 300, dpm_solver: 400}[sampler]
    found = sampler(gaussian, log_levels(n, 1e-4), [], start=x)
    torch.testing.assert_close(found, flow_end(x, 80.0), atol=4e-3, rtol=0.0)


@pytest.mark.parametrize("levels", [cosine_levels(20), karras_levels(20), vp_levels(20)])
def test_ddim_loses_variance_by_the_cosines_of_its_steps(levels):
    # For N(0, I) data, sigma = tan(angle): each step multiplies by the cosine of its angle.
    noise = next(normal(3, 50, 2, dtype=torch.float64))
    found = ddim(lambda x, s: x / (1 + s * s), levels, [noise])
    angles = np.append(np.arctan(levels.numpy()), 0.0)
    torch.testing.assert_close(found, noise * np.prod(np.cos(np.diff(angles))))


def test_ancestral_sampling_of_a_gaussian_has_the_variance_of_its_recursion():
    levels = log_levels(12, 0.05, 20.0)
    variance = 1.0 + 20.0**2
    for sigma, lower in zip(levels.tolist(), [*levels[1:].tolist(), 0.0], strict=True):
        ratio, kept = (lower / sigma) ** 2, 1 / (1 + sigma**2)
        variance = (kept + ratio * (1 - kept)) ** 2 * variance + lower**2 * (1 - ratio)
    found = ancestral(lambda x, s: x / (1 + s * s), levels, normal(4, 400_000))
    assert found.var().item() == pytest.approx(variance, rel=5 * (2 / 400_000) ** 0.5)
    assert variance < 0.9


@pytest.mark.parametrize("spread", [0.3, 1.0])
def test_the_reverse_sde_to_second_order_keeps_the_variance_that_ancestral_steps_lose(spread):
    levels, found = log_levels(12, 0.02, 20.0), {}
    for sampler in (ancestral, sde_solver):
        draws = sampler(
            lambda x, s: x * spread**2 / (spread**2 + s * s),
            levels,
            normal(5, 200_000),
            start=(spread**2 + 400.0) ** 0.5 * next(normal(6, 200_000)),
        )
        found[sampler] = abs(draws.std().item() / spread - 1.0)
    assert found[sde_solver] < 0.5 * found[ancestral]
    assert found[sde_solver] < 0.05


DRAWS = 1 << 15
FEW = {
    "ddim 20": (ddim, cosine_levels(20, 0.05, 4.0)),
    "dpm_solver 10": (dpm_solver, log_levels(10, 0.05, 4.0)),
    "heun 18": (heun, karras_levels(18, 0.05, 4.0)),
}


def moments(x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    return x.double().mean(0).numpy(), torch.cov(x.double().T).numpy()


def differences(one, other) -> tuple[float, float]:
    """Return the distance of means over the root of the trace of I, and that of covariances."""
    return (
        float(np.linalg.norm(one[0] - other[0]) / 2**0.5),
        float(np.linalg.norm(one[1] - other[1]) / 2**0.5),
    )


@pytest.fixture(scope="module")
def thousand():
    """Moments of 1000-step ancestral sampling; 100,000 draws leave an error of about 0.4 %."""
    with torch.no_grad():
        x = ancestral(Plane(), vp_levels(1000).float(), normal(1, 100_000, 2))
    np.testing.assert_allclose(Plane().shares(x), Plane().share, atol=0.006)
    return moments(x)


def test_a_thousand_steps_have_the_moments_of_the_mixture(thousand):
    assert max(differences(thousand, (np.zeros(2), np.eye(2)))) < 0.012


@pytest.mark.parametrize("name", FEW)
def test_few_steps_have_the_moments_of_a_thousand(name, thousand):
    """Means to 2 % of the SD, covariances to 2 % of their norm.

    The start is a scrambled Sobol set, so that the few steps' own moments have hardly any error of
    chance: they are compared with the exact ones too.
    """
    sampler, levels = FEW[name]
    noise = qmc.MultivariateNormalQMC(np.zeros(2), rng=1).random(DRAWS)
    x = sampler(Plane(), levels, [torch.from_numpy(noise)])
    exact = differences(moments(x), (np.zeros(2), np.eye(2)))
    found = differences(moments(x), thousand)
    print(name, "from exact", exact, "from 1000 steps", found)
    assert max(*exact, *found) < 0.02
    np.testing.assert_allclose(Plane().shares(x), Plane().share, atol=0.01)


def test_dpm_solver_is_better_than_ddim_at_the_same_number_of_calls():
    noise = qmc.MultivariateNormalQMC(np.zeros(2), rng=1).random(4096)
    errors = [
        max(differences(moments(s(Plane(), levels, [torch.from_numpy(noise)])), (0.0, np.eye(2))))
        for s, levels in ((ddim, cosine_levels(10, 0.05, 4.0)), FEW["dpm_solver 10"])
    ]
    assert errors[1] < 0.4 * errors[0]
