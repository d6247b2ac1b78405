"""Langevin draws against the stationary covariance of a linear recursion."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import solve_discrete_lyapunov
from torch import Tensor

from betaplus.pipeline.benchmark.propagation.posterior import Known, Langevin

MASK = np.array([[True, True, False], [True, False, True]])
PRIOR = 0.09 * np.exp(-0.5 * np.subtract.outer(np.arange(4), np.arange(4)) ** 2.0)
PRECISION = np.diag([400.0, 100.0, 20.0, 1.0]) + 5.0


def denoise(images: Tensor, sigma: float) -> Tensor:
    """The posterior mean under the Gaussian prior; nothing outside the mask."""
    out = torch.zeros_like(images)
    gain = PRIOR @ np.linalg.inv(PRIOR + sigma**2 * np.eye(4))
    mask = torch.from_numpy(MASK)
    out[:, mask] = images[:, mask] @ torch.from_numpy(gain.T).float()
    return out


def test_draws_have_the_covariance_of_the_recursion() -> None:
    how = Langevin(chains=400, burn=60, draws=10, thin=5, step=0.6, last=0.1)
    right = PRECISION @ np.array([0.5, -0.2, 0.3, 0.1])
    draws = how.run([Known(PRECISION, right)], MASK, denoise, seed=0)[0]
    whole = PRECISION + np.linalg.inv(PRIOR + 0.01 * np.eye(4))
    near = np.linalg.inv(PRECISION + 100.0 * np.eye(4))
    step = np.eye(4) - 0.6 * near @ whole
    expected = solve_discrete_lyapunov(step, 1.2 * near)
    assert draws.shape == (4000, 4)
    scale = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(draws.mean(0), np.linalg.solve(whole, right), atol=0.1 * scale.min())
    found = np.cov(draws.T) / np.outer(scale, scale)
    np.testing.assert_allclose(found, expected / np.outer(scale, scale), atol=0.12)


def test_a_short_step_draws_from_the_posterior() -> None:
    how = Langevin(chains=400, burn=150, draws=5, thin=20, step=0.1, last=0.05)
    draws = how.run([Known(PRECISION, np.zeros(4))], MASK, denoise, seed=1)[0]
    posterior = np.linalg.inv(PRECISION + np.linalg.inv(PRIOR + 0.0025 * np.eye(4)))
    np.testing.assert_allclose(draws.std(0), np.sqrt(np.diag(posterior)), rtol=0.1)


def test_problems_do_not_know_of_each_other() -> None:
    how = Langevin(chains=50, burn=40, draws=10, last=0.1)
    first = Known(PRECISION, PRECISION @ np.full(4, 0.5))
    second = Known(PRECISION, -PRECISION @ np.full(4, 0.5))
    a, b = how.run([first, second], MASK, denoise, seed=0).mean(1)
    assert a[0] > 0.4
    assert b[0] < -0.4


def test_units_of_a_level() -> None:
    known = Known(PRECISION, PRECISION @ np.ones(4)).at(2.0)
    np.testing.assert_allclose(np.linalg.solve(known.precision, known.right), 0.5)
