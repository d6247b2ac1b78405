"""The parts of the exact method, each against something that does not share its code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from betaplus.core import FrameTiming, InputCurve
from betaplus.kinetics.exact.lanes import draw_plateau, draw_truncated
from betaplus.kinetics.exact.mixture import T_EXPONENT, fit_mixture, log_mixture, tempered_weights
from betaplus.kinetics.exact.problem import make_problem
from betaplus.kinetics.exact.summary import _quantiles, _resample
from betaplus.kinetics.exact.tables import response_table
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS
from betaplus.physics.response import InputResponse

FRAMES = FrameTiming.from_durations(
    [5.0] * 12 + [15] * 4 + [60] * 6 + [120] * 5 + [180] * 4 + [300] * 4
)


@pytest.fixture(scope="module")
def response():
    time = np.array([0, 9, 14, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 3000.0])
    plasma = np.array([0, 0, 9, 60, 41, 30, 22, 16, 11, 7.5, 5, 3.1, 2.2]) * 1e3
    return InputResponse(InputCurve(time, plasma, 0.9 * plasma, "Bq/mL"), FRAMES, 6584.04)


def task_of(response, prior, delay, noise, seed=0):
    return Task(
        curve=response.curve,
        frames=FRAMES,
        half_life=response.half_life,
        model="1TCM",
        prior=PRIORS[prior],
        delay=delay,
        noise=noise,
        seed=seed,
    )


@pytest.mark.parametrize(
    ("centre", "scale", "low", "high"),
    [(0.3, 0.1, 0.0, 1.0), (-2.0, 0.1, 0.01, 1.0), (9.0, 0.2, 0.0, 1.0), (0.5, 50.0, 0.2, 0.7)],
)
def test_truncated_logistic(centre, scale, low, high):
    """Quantiles and densities of the far-tail-safe draw, against scipy where scipy can."""
    u = (np.arange(400) + 0.5) / 400
    drawn = np.array([draw_truncated(v, centre, scale, low, high) for v in u])
    x, density = drawn.T
    assert ((x >= low) & (x <= high)).all() and (np.diff(x) >= 0).all()
    logistic = stats.logistic(centre, scale)
    mirror = stats.logistic(-centre, scale)  # the other tail, where the CDF does not round to 1
    if low + high > 2 * centre:
        mass = mirror.cdf(-low) - mirror.cdf(-high)
        reached = (mirror.cdf(-low) - mirror.cdf(-x)) / mass
    else:
        mass = logistic.cdf(high) - logistic.cdf(low)
        reached = (logistic.cdf(x) - logistic.cdf(low)) / mass
    np.testing.assert_allclose(reached, u, atol=2e-7)
    np.testing.assert_allclose(density, logistic.pdf(x) / mass, rtol=2e-6)


@pytest.mark.parametrize(
    ("edge", "low", "high"), [(0.1, 0.01, 5.0), (2.0, 0.01, 0.5), (1e-3, 0.01, 1.0)]
)
def test_plateau(edge, low, high):
    """Density integrates to one and is that of the draws."""
    u = (np.arange(2000) + 0.5) / 2000
    x, density = np.array([draw_plateau(v, edge, 0.3, low, high) for v in u]).T
    shape = integrate.quad(
        lambda t: 1 / (1 + (np.exp(t) / edge) ** (1 / 0.3)), np.log(low), np.log(high)
    )[0]
    np.testing.assert_allclose(density, 1 / (1 + (x / edge) ** (1 / 0.3)) / x / shape, rtol=1e-6)
    np.testing.assert_allclose(np.trapezoid(density, x), 1.0, atol=0.02)


def test_mixture_density_and_fit():
    """EM recovers a mixture from weighted points; its density is scipy's."""
    rng = np.random.default_rng(3)
    covs = [np.array([[1.0, 0.6], [0.6, 0.8]]), np.array([[0.3, -0.1], [-0.1, 0.5]])]
    means = [np.array([-2.0, 0.0]), np.array([2.5, 1.0])]
    truth = [stats.multivariate_normal(m, c) for m, c in zip(means, covs, strict=True)]
    z = rng.uniform(-6, 6, (60_000, 2))
    density = 0.3 * truth[0].pdf(z) + 0.7 * truth[1].pdf(z)
    share, m, L = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2, 2))
    order = np.argsort(z[:, 0])
    fit_mixture(z[order], len(z), (density / density.sum())[order], 2, share, m, L)
    first = int(np.argmin(m[:, 0]))
    np.testing.assert_allclose(share[[first, 1 - first]], [0.3, 0.7], atol=0.03)
    np.testing.assert_allclose(m[first], means[0], atol=0.08)
    np.testing.assert_allclose(m[1 - first], means[1], atol=0.08)
    point = np.array([0.4, -0.7])
    inverse = 1 / np.diagonal(L, axis1=1, axis2=2).copy()
    unit_share = share * inverse.prod(1)
    ours = log_mixture(point, unit_share, m, L, inverse, np.empty(2))
    df = T_EXPONENT - 2
    unit = stats.multivariate_t(np.zeros(2), np.eye(2), df=df).logpdf(np.zeros(2))
    theirs = np.log(
        sum(
            s * stats.multivariate_t(a, b @ b.T, df=df).pdf(point)
            for s, a, b in zip(share, m, L, strict=True)
        )
    )
    np.testing.assert_allclose(ours + unit, theirs, rtol=1e-10)


def test_tempering_keeps_enough_points():
    log_w = -0.5 * np.linspace(0, 60, 500) ** 2
    out = np.empty(500)
    size = tempered_weights(log_w, 500, 50.0, out)
    w = np.exp(log_w)
    np.testing.assert_allclose(size, w.sum() ** 2 / (w**2).sum(), rtol=1e-10)
    assert out.sum() == pytest.approx(1) and 1 / (out**2).sum() >= 50


@pytest.mark.parametrize("tail", ["normal", "cauchy"])
def test_weighted_quantiles(tail):
    rng = np.random.default_rng(1)
    x = rng.standard_normal(4001) if tail == "normal" else rng.standard_cauchy(4001)
    w = rng.gamma(0.5, size=4001)
    w /= w.sum()
    levels = np.array([0.05, 0.5, 0.95])
    out = np.empty((1, 1, 3), np.float32)
    _quantiles(
        x,
        w,
        x.size,
        levels,
        np.empty(64),
        np.empty(x.size, np.int32),
        np.empty(x.size, np.int64),
        out,
        0,
        0,
    )
    order = np.argsort(x)
    middle = np.cumsum(w[order]) - 0.5 * w[order]
    np.testing.assert_allclose(out[0, 0], np.interp(levels, middle, x[order]), rtol=1e-4, atol=1e-6)


def test_resampling_is_unbiased():
    """Systematic resampling: every node within one of its expected count, keys differ."""
    w = np.random.default_rng(0).dirichlet(np.full(50, 0.3))
    nodes, other = np.empty(1000, np.int64), np.empty(1000, np.int64)
    _resample(w, 50, np.uint64(11), nodes)
    _resample(w, 50, np.uint64(12), other)
    count = np.bincount(nodes, minlength=50)
    assert np.abs(count - 1000 * w).max() <= 1
    assert (nodes != other).any()
    assert abs(np.corrcoef(nodes[:-1], nodes[1:])[0, 1]) < 0.15  # in random order


@pytest.mark.parametrize("delays", [(0.0, 0.0), (-30.0, 60.0)])
def test_table_interpolation(response, delays):
    """Tabulated responses against the exact ones, off the grid of rates and delays."""
    table = response_table(response, (0.0, 12.5), delays)
    work = task_of(response, "default", None if delays[1] > delays[0] else 0.0, "auto", seed=5)
    problem = make_problem(response, work, n_coarse=256, n_points=64)
    z, ours = problem.points.coarse, problem.points.coarse_tissue[:, : len(FRAMES)]
    k2 = torch.from_numpy(PRIORS["default"]["k2"].at_probit(z[:, 0]))
    delay = PRIORS["default"]["delay"].at_probit(z[:, 1]) if z.shape[1] == 2 else np.zeros(256)
    exact = response.tissue(k2, torch.from_numpy(delay)).numpy() / table.scale
    error = np.abs(ours - exact).max(axis=1) / exact.max(axis=1)
    assert error.max() < (6e-5 if z.shape[1] == 1 else 1.5e-3)
    assert np.median(error) < (2e-5 if z.shape[1] == 1 else 3e-4)


@pytest.mark.parametrize(
    ("name", "noise"), [("published", "auto"), ("default", "auto"), ("published", 5.0)]
)
def test_noise_evidence(response, name, noise):
    """The tabulated integral over the noise level against adaptive quadrature."""
    n = len(FRAMES)
    work = task_of(response, name, 0.0, noise)
    problem = make_problem(response, work, n_coarse=64, n_points=64)
    target = problem.target
    scale = target.table.scale
    prior = PRIORS[name]["noise"]

    def exact(S):
        def integrand(log_l):
            level = np.exp(log_l)
            v = level**2 / scale
            return np.exp(
                prior.log_density(level) + log_l - 0.5 * n * np.log(v) - 0.5 * S / v - shift
            )

        peak = 0.5 * np.log(S * scale / n)
        low, high = max(np.log(prior.low), peak - 3), min(np.log(prior.high), peak + 3)
        low, high = (np.log(prior.low), np.log(prior.high)) if low >= high else (low, high)
        shift = max(
            -0.5 * n * np.log(np.exp(2 * t) / scale) - 0.5 * S * scale / np.exp(2 * t)
            for t in np.linspace(low, high, 99)
        )
        return (
            np.log(integrate.quad(integrand, low, high, epsabs=0, epsrel=1e-10, limit=500)[0])
            + shift
        )

    for_level = (
        (lambda S: -0.5 * n * np.log(25 / scale) - 0.5 * S * scale / 25) if noise == 5.0 else exact
    )
    S = n * 25 / scale * np.array([0.3, 0.7, 1.0, 1.6, 3.0])
    grid = target.s_low + 0.005 * np.arange(target.evidence.size)
    ours = np.interp(np.log(S), grid, target.evidence)
    theirs = np.array([for_level(s) for s in S])
    np.testing.assert_allclose(np.diff(ours), np.diff(theirs), atol=3e-4)
