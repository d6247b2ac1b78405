"""R-hat and effective sample size against closed forms of AR(1) processes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from betaplus.evaluation.convergence import (
    bulk_ess,
    effective_draws,
    ensemble_ess,
    ensemble_sd_error,
    rank_normalise,
    split_rhat,
)


def ar1(rho: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Stationary AR(1) with unit variance along the last axis."""
    rng = np.random.default_rng(seed)
    shocks = np.sqrt(1 - rho**2) * rng.standard_normal((*shape[:-1], shape[-1] + 400))
    return lfilter([1.0], [1.0, -rho], shocks, axis=-1)[..., 400:]


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("estimate", [bulk_ess, effective_draws])
def test_ess_of_ar1_is_that_of_the_closed_form(rho, estimate):
    # ESS = M N (1 - rho) / (1 + rho); 40 quantities average out the estimator's own noise.
    chains = ar1(rho, (40, 4, 5000), seed=1)
    expected = 20_000 * (1 - rho) / (1 + rho)
    assert np.mean(estimate(chains)) == pytest.approx(expected, rel=0.05)


def test_ess_predicts_the_spread_of_chain_means():
    chains = ar1(0.8, (2000, 4, 500), seed=2)
    spread = chains.mean(axis=(1, 2)).var()
    assert np.mean(1.0 / effective_draws(chains[:200])) == pytest.approx(spread, rel=0.12)


def test_ess_does_not_count_walkers_that_move_together():
    # 10 copies of each ensemble's chain are worth one; 10 independent chains are worth ten.
    common = ar1(0.5, (20, 4, 1, 2000), seed=3)
    together = np.repeat(common, 10, axis=2)
    apart = ar1(0.5, (20, 4, 10, 2000), seed=4)
    alone = 4 * 2000 / 3
    assert np.mean(ensemble_ess(together)) == pytest.approx(alone, rel=0.1)
    assert np.mean(ensemble_ess(apart)) == pytest.approx(10 * alone, rel=0.1)


def test_sd_error_is_the_spread_of_sds():
    # Gaussian AR(1): squares have autocorrelation rho^2, so Var(s) / s^2 = (1 + r) / (1 - r) / 2n.
    draws = ar1(0.7, (60, 4, 5, 1500), seed=10)
    expected = np.sqrt((1 + 0.49) / (1 - 0.49) / (2 * 4 * 5 * 1500))
    assert np.mean(ensemble_sd_error(draws)) == pytest.approx(expected, rel=0.1)
    assert draws.std(axis=(1, 2, 3)).std() == pytest.approx(expected, rel=0.35)


def test_sd_error_sees_a_walker_shut_up_far_away():
    draws = np.random.default_rng(11).standard_normal((4, 48, 400))
    assert ensemble_sd_error(draws) < 0.01
    draws[0, 0] += 12.0
    chains = np.swapaxes(draws, 1, 2).reshape(4, -1)
    assert split_rhat(chains) < 1.01  # what ranks do not see
    assert ensemble_sd_error(draws) > 0.05


def test_rhat_of_independent_draws_is_one():
    assert np.all(split_rhat(ar1(0.0, (20, 4, 1000), seed=5)) < 1.01)


def test_rhat_sees_shift_scale_and_trend():
    rng = np.random.default_rng(6)
    draws = rng.standard_normal((4, 1000))
    shift = np.array([0.0, 0.0, 0.0, 1.0])[:, None]
    scale = np.array([1.0, 1.0, 1.0, 3.0])[:, None]
    assert split_rhat(draws + shift) > 1.1
    assert split_rhat(draws * scale) > 1.05
    assert split_rhat(draws + np.linspace(0, 3, 1000)) > 1.1


def test_rhat_of_shifted_chains_is_the_classic_ratio():
    # Normal chains, means apart by a known variance b: R-hat^2 = (1 + b) up to rank-normalising.
    rng = np.random.default_rng(7)
    means = np.array([-0.3, -0.1, 0.1, 0.3])
    draws = rng.standard_normal((4, 50_000)) + means[:, None]
    between = np.repeat(means, 2).var(ddof=1)
    assert split_rhat(draws) == pytest.approx(np.sqrt(1 + between), abs=0.005)


def test_ranks_ignore_monotone_maps():
    chains = ar1(0.4, (3, 4, 300), seed=8)
    np.testing.assert_allclose(rank_normalise(np.exp(chains)), rank_normalise(chains), atol=1e-12)
    np.testing.assert_allclose(bulk_ess(np.exp(chains)), bulk_ess(chains))
