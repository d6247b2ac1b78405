"""The ensemble sampler on densities whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest

from betaplus.evaluation.convergence import ensemble_ess, split_rhat
from betaplus.evaluation.ensemble import sample_ensemble


def z_scores(chain: np.ndarray, statistic: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Errors of the means of a statistic, shape (B, E, W, N), in Monte Carlo standard errors."""
    size = ensemble_ess(statistic)
    return (statistic.mean(axis=(1, 2, 3)) - expected) / (statistic.std(axis=(1, 2, 3)) / size**0.5)


@pytest.mark.parametrize("jumps", [0.0, 0.3])
def test_gaussians_of_any_scale_and_correlation(jumps):
    rng = np.random.default_rng(0)
    d = 4
    mean = np.array([[0.0, 1.0, -2.0, 3.0], [10.0, 0.0, 0.0, -5.0]])
    root = np.array([np.eye(d), np.tril(rng.standard_normal((d, d))) + np.diag([1, 30, 0.1, 1])])
    precision = np.linalg.inv(root @ np.swapaxes(root, 1, 2))

    def log_density(x):
        r = x - mean[:, None]
        return -0.5 * np.einsum("bni,bij,bnj->bn", r, precision, r)

    start = mean[:, None, None] + rng.standard_normal((2, 4, 20, d))
    warm = sample_ensemble(log_density, start, 1000, rng, thin=10, jumps=jumps)
    run = sample_ensemble(log_density, warm.last, 4000, rng, thin=10, jumps=jumps)
    assert np.all((run.acceptance > 0.2) & (run.acceptance < 0.8))
    draws = np.moveaxis(run.chain, -1, 1)
    by_ensemble = np.swapaxes(draws, 3, 4).reshape(2, d, 4, -1)
    assert np.all(split_rhat(by_ensemble) < 1.01)
    centred = run.chain - mean[:, None, None, None]
    covariance = root @ np.swapaxes(root, 1, 2)
    for i in range(d):
        assert np.all(np.abs(z_scores(run.chain, run.chain[..., i], mean[:, i])) < 4)
        for j in range(i + 1):
            product = centred[..., i] * centred[..., j]
            assert np.all(np.abs(z_scores(run.chain, product, covariance[:, i, j])) < 4.5)


def test_banana():
    # x ~ N(0, 1), y | x ~ N(c (x^2 - 1), s^2): mean 0, variance 2 c^2 + s^2, E[x^2 y] = 2 c.
    c, s = 1.5, 0.5

    def log_density(x):
        u, v = x[..., 0], x[..., 1]
        return -0.5 * (u**2 + ((v - c * (u**2 - 1)) / s) ** 2)

    rng = np.random.default_rng(1)
    warm = sample_ensemble(log_density, rng.standard_normal((1, 4, 24, 2)), 1000, rng)
    chain = sample_ensemble(log_density, warm.last, 10_000, rng, thin=10).chain
    u, v = chain[..., 0], chain[..., 1]
    known = ((u, 0), (v, 0), (u**2, 1), (v**2, 2 * c**2 + s**2), (u**2 * v, 2 * c))
    for statistic, expected in known:
        assert abs(z_scores(chain, statistic, np.array([expected]))[0]) < 4


def test_jumps_find_the_weights_of_separate_modes():
    # 0.8 N(0, 1) + 0.2 N(30, 1), walkers started evenly in both: weights must go to 0.8 and 0.2.
    def log_density(x):
        return np.logaddexp(np.log(0.8) - 0.5 * x**2, np.log(0.2) - 0.5 * (x - 30.0) ** 2)[..., 0]

    rng = np.random.default_rng(2)
    start = rng.standard_normal((1, 4, 40, 1))
    start[:, :, 20:] += 30.0
    start = start[:, :, rng.permutation(40)]
    warm = sample_ensemble(log_density, start, 2000, rng, jumps=0.5)
    chain = sample_ensemble(log_density, warm.last, 8000, rng, thin=4, jumps=0.5).chain
    upper = (chain[..., 0] > 15).astype(float)
    average = upper.mean(axis=(0, 2))
    assert average.mean() == pytest.approx(0.2, abs=0.02)


def test_outside_the_support_is_never_visited():
    # Uniform on a triangle: mean (1/3, 1/3), variance 1/18.
    def log_density(x):
        return np.where((x > 0).all(axis=-1) & (x.sum(axis=-1) < 1), 0.0, -np.inf)

    rng = np.random.default_rng(3)
    start = 0.5 * rng.random((1, 4, 20, 2))
    chain = sample_ensemble(log_density, start, 6000, rng, thin=6).chain
    assert np.isfinite(log_density(chain)).all()
    for i in range(2):
        assert abs(z_scores(chain, chain[..., i], np.array([1 / 3]))[0]) < 4
        deviation = (chain[..., i] - 1 / 3) ** 2
        assert abs(z_scores(chain, deviation, np.array([1 / 18]))[0]) < 4
    with pytest.raises(ValueError, match="outside the support"):
        sample_ensemble(log_density, start + 2.0, 10, rng)


@pytest.mark.parametrize("walkers", [7, 6])
def test_too_few_or_odd_walkers_are_refused(walkers):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="walkers"):
        sample_ensemble(lambda x: -x[..., 0], np.zeros((1, 1, walkers, 4)), 1, rng)
