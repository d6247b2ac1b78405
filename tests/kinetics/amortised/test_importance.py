"""Weights against numpy, scipy and tails whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from betaplus.kinetics.amortised.importance import effective_size, normalised, smooth_weights
from betaplus.kinetics.amortised.results import weighted_quantiles
from betaplus.kinetics.exact.mixture import log_mixture
from betaplus.kinetics.exact.reweight import spread_points, unit_density


def test_weights_are_normalised_whatever_their_size():
    log_w = np.random.default_rng(0).normal(size=(3, 50)) + np.array([[900.0], [0.0], [-900.0]])
    w = normalised(log_w)
    np.testing.assert_allclose(w.sum(1), 1.0)
    np.testing.assert_allclose(w[1], np.exp(log_w[1]) / np.exp(log_w[1]).sum())


def test_effective_sizes():
    w = np.array([[0.25] * 4, [1.0, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(effective_size(w), [4.0, 1.0, 2.0])


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.3, 0.6, 1.0])
def test_pareto_k_of_tails_of_known_shape(shape):
    # 4,000 weights, of which 189 are the tail: one k has an SD near (1 + k) / sqrt(189) = 0.1, and
    # the weak prior draws it towards 0.5 by 5 %.
    rng = np.random.default_rng(1)
    w = stats.genpareto(shape).rvs(size=(40, 4000), random_state=rng) + 1.0
    _, k = smooth_weights(np.log(w))
    expected = (189 * shape + 5.0) / 199
    assert k.mean() == pytest.approx(expected, abs=0.06)
    assert k.std() < 0.2


def test_k_tells_a_proposal_that_is_too_narrow():
    rng = np.random.default_rng(2)
    out = {}
    for name, sd in (("wide", 1.5), ("same", 1.0), ("narrow", 0.5)):
        x = sd * rng.standard_normal((30, 2000, 2))
        q = stats.norm(scale=sd).logpdf(x).sum(-1)
        _, out[name] = smooth_weights(stats.norm.logpdf(x).sum(-1) - q)
    assert np.all(out["wide"] < 0.5)
    assert np.all(np.isneginf(out["same"])) or np.all(out["same"] < 0.5)
    assert np.mean(out["narrow"] > 0.7) > 0.8


def test_smoothing_keeps_the_order_and_the_bulk():
    log_w = 1.5 * np.random.default_rng(3).standard_normal((5, 1000))
    smoothed, _ = smooth_weights(log_w)
    order = np.argsort(log_w, axis=1)
    assert np.all(np.diff(np.take_along_axis(smoothed, order, 1), axis=1) >= -1e-12)
    below = order[:, : 1000 - int(3 * 1000**0.5)]
    shift = log_w.max(1, keepdims=True)
    np.testing.assert_allclose(
        np.take_along_axis(smoothed, below, 1), np.take_along_axis(log_w - shift, below, 1)
    )
    assert smoothed.max() <= 0.0


def test_smoothing_lowers_the_error_of_heavy_weights():
    # E[x^2] = 1 of a standard normal by draws with SD 0.6.
    rng = np.random.default_rng(4)
    x = 0.6 * rng.standard_normal((300, 500))
    log_w = stats.norm.logpdf(x) - stats.norm(scale=0.6).logpdf(x)
    raw = (normalised(log_w) * x**2).sum(1)
    smooth = (normalised(smooth_weights(log_w)[0]) * x**2).sum(1)
    assert np.std(smooth) < np.std(raw)


def test_few_and_equal_weights_stay_as_they_are():
    few = np.array([[0.0, 1.0, 2.0, 0.5]])
    smoothed, k = smooth_weights(few)
    np.testing.assert_array_equal(smoothed, few)
    assert k[0] == np.inf
    smoothed, k = smooth_weights(np.zeros((1, 400)))
    assert k[0] == -np.inf and not smoothed.any()


def test_weights_of_nothing_but_one_draw_fail():
    log_w = np.full((1, 400), -np.inf)
    log_w[0, 7] = 0.0
    smoothed, k = smooth_weights(log_w)
    assert k[0] > 0.7 or effective_size(normalised(smoothed))[0] < 1.5


def test_quantiles_of_equal_weights_are_numpys():
    x = np.random.default_rng(5).normal(size=(4, 101))
    levels = (0.05, 0.25, 0.5, 0.95)
    found = weighted_quantiles(x, np.full(x.shape, 1 / 101), levels)
    np.testing.assert_allclose(found, np.quantile(x, levels, axis=1, method="hazen").T)


def test_quantiles_of_whole_weights_are_those_of_repeated_data():
    rng = np.random.default_rng(6)
    x, times = rng.normal(size=(3, 200)), rng.integers(0, 5, (3, 200))
    levels = (0.1, 0.5, 0.9)
    found = weighted_quantiles(x, times / times.sum(1, keepdims=True), levels)
    for i in range(3):
        repeated = np.sort(np.repeat(x[i], times[i]))
        expected = np.quantile(repeated, levels, method="hazen")
        # Within the steps that repetition makes.
        gap = np.diff(np.unique(repeated)).max()
        assert np.all(np.abs(found[i] - expected) < gap)
        at = np.searchsorted(repeated, found[i]) / len(repeated)
        np.testing.assert_allclose(at, levels, atol=5 / len(repeated))


def test_points_of_the_multivariate_t_and_its_density():
    for d in (3, 5):
        points = spread_points(4096, d, seed=1)
        nu = 16 - d
        t = stats.multivariate_t(np.zeros(d), np.eye(d), df=nu)
        np.testing.assert_allclose(np.cov(points.T), np.eye(d) * nu / (nu - 2), atol=0.03)
        assert stats.kstest(points[:, 0], stats.t(nu).cdf).statistic < 0.01
        one, zero, work = np.eye(d)[None], np.zeros((1, d)), np.empty(d)
        for x in points[:20]:
            found = log_mixture(x, np.ones(1), zero, one, np.ones((1, d)), work) + unit_density(d)
            assert found == pytest.approx(float(t.logpdf(x)), abs=1e-9)
