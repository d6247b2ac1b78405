"""The posterior density at a point, written out with scipy; and the lean pass around it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from tests.kinetics import brute_force as grid

from betaplus.kinetics.amortised.condition import make_probes
from betaplus.kinetics.amortised.corpus import whitened
from betaplus.kinetics.amortised.lean import LeanPass
from betaplus.kinetics.exact.density import PLACES, make_coordinates, parameters_at, probit
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.exact.predictive import predict_curves
from betaplus.kinetics.method import Task, free_parameters
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.physics.compartments import predict
from betaplus.physics.noise import noise_floor, noise_gain

MIXED = PRIORS["default"].replaced(
    K1=Distribution(dist="lognormal", low=0.01, high=5.0, mean=-1.5, sd=0.8),
    k2=Distribution(dist="normal", low=0.01, high=2.0, mean=0.4, sd=0.2),
    k3=Distribution(dist="uniform", low=0.001, high=0.5),
    VB=Distribution.at(0.05),
    noise=Distribution(dist="loguniform", low=1.0, high=40.0),
)
CASES = {
    "published": ("2TCM", PRIORS["published"], 0.0),
    "signed": ("2TCM", PRIORS["published-signed"], 0.0),
    "delay": ("2TCM", PRIORS["default"], None),
    "mixed": ("2TCM3k", MIXED, 7.0),
    "1TCM": ("1TCM", PRIORS["default"], 0.0),
}


def make_task(case: str) -> Task:
    model, prior, delay = CASES[case]
    return Task(
        curve=grid.CURVE, frames=grid.FRAMES, half_life=grid.HALF_LIFE, model=model, prior=prior,
        delay=delay,
    )  # fmt: skip


def curve_of(values: dict[str, float]) -> np.ndarray:
    """Frame means by the package's reference model in double precision, not by tables."""
    given = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    return predict(grid.response(), given).numpy()


def quantile(prior, z):
    """A prior's quantile at Phi(z) by scipy."""
    p, low, high = stats.norm.cdf(z), prior.low, prior.high
    if prior.dist == "fixed":
        return low
    if prior.dist == "uniform":
        return stats.uniform(low, high - low).ppf(p)
    if prior.dist == "loguniform":
        return stats.loguniform(low, high).ppf(p)
    log = prior.dist == "lognormal"
    low, high = (np.log(low), np.log(high)) if log else (low, high)
    ends = (low - prior.mean) / prior.sd, (high - prior.mean) / prior.sd
    x = stats.truncnorm(*ends, prior.mean, prior.sd).ppf(p)
    return np.exp(x) if log else x


def log_marginal(y, curve, prior):
    """Log of p(y | curve) integrated over the prior of the noise level, every constant kept."""
    response = grid.response()
    shape = (np.maximum(curve, 0) + noise_floor(response)) * noise_gain(grid.FRAMES, grid.HALF_LIFE)
    n, S = len(y), ((y - curve) ** 2 / shape).sum()
    centre = 0.5 * np.log(S / n)

    def log_term(u):  # over u = log l
        log_p = -u if prior.dist == "loguniform" else 0.0
        return -n * u - 0.5 * S * np.exp(-2 * u) + u + log_p

    edges = np.log(prior.low), np.log(prior.high)
    mass = edges[1] - edges[0] if prior.dist == "loguniform" else prior.high - prior.low
    top = log_term(np.clip(centre, *edges))
    inside = np.clip([centre - 1.5, centre + 1.5], *edges)
    value = integrate.quad(lambda u: np.exp(log_term(u) - top), *inside, epsabs=0, epsrel=1e-9)[0]
    return top + np.log(value / mass) - 0.5 * np.log(2 * np.pi * shape).sum()


@pytest.fixture(scope="module")
def cases():
    """Task, lean pass, curves (4, T) and their pilots, by name."""
    out = {}
    for case in CASES:
        task = make_task(case)
        rng = np.random.default_rng(len(case))
        curves = []
        for i in range(4):
            names = [n for n in PLACES if n in free_parameters(task)]
            values = {n: float(task.prior[n].at_probit(0.7 * rng.standard_normal())) for n in names}
            values |= {"VB": 0.05} if task.prior["VB"].fixed else {}
            values |= {} if task.delay is None else {"delay": task.delay}
            values |= {"delay": 5.0 * i} if task.delay is None else {}
            curves.append(grid.noisy(curve_of(values), 5.0, i))
        curves = np.stack(curves)
        lean = LeanPass(task)
        padded = lean.padded(curves)
        out[case] = task, lean, curves, padded, lean.pilots(padded, make_probes())
    return out


@pytest.mark.parametrize("case", CASES)
def test_log_posterior_against_scipy(cases, case):
    task, lean, curves, padded, pilot = cases[case]
    D, n = lean.free.size, len(grid.FRAMES)
    x = np.random.default_rng(3).standard_normal((4, 12, D))
    rows, log_p, misfits = lean.evaluate(padded, pilot, x)
    v = pilot.mean[:, None] + np.einsum("nij,nsj->nsi", pilot.factor, x)
    scale = lean.problem.target.table.scale
    for i in range(4):
        constant = 0.5 * np.log(pilot.weight[i, :n]).sum() - n * np.log(scale * (2 * np.pi) ** 0.5)
        for s in range(12):
            values = {name: rows[i, s, place] for place, name in enumerate(PLACES)}
            for j, place in enumerate(lean.free):
                expected = quantile(task.prior[PLACES[place]], v[i, s, j])
                close = 2e-4 if PLACES[place] == "delay" else 1e-5  # of ranges of 90 s and 2
                assert values[PLACES[place]] == pytest.approx(expected, rel=2e-4, abs=close)
            clean = curve_of(values)
            shape = (clean + noise_floor(grid.response())) * noise_gain(grid.FRAMES, grid.HALF_LIFE)
            S = ((curves[i] - clean) ** 2 / shape).sum() / scale
            assert misfits[i, s] == pytest.approx(S, rel=0.02)
            expected = log_marginal(curves[i], clean, task.prior["noise"])
            found = log_p[i, s] + 0.5 * (v[i, s] ** 2).sum() + constant
            # A fitted delay is tabulated at quarter seconds, which the steep frames feel.
            assert found == pytest.approx(expected, abs=0.3 if task.delay is None else 0.03)


@pytest.mark.parametrize("case", CASES)
def test_parameters_and_back(cases, case):
    task, lean, *_ = cases[case]
    target = lean.problem.target
    space = make_coordinates(target, task.prior, free_parameters(task))
    assert [PLACES[i] for i in space.free] == [n for n in PLACES if n in free_parameters(task)]
    U, W = np.zeros(target.floor.size, np.float32), np.zeros(target.floor.size, np.float32)
    row, z = np.zeros(6), np.zeros(len(target.quantiles))
    for v in np.random.default_rng(0).uniform(-3, 3, (20, space.free.size)):
        parameters_at(target, space, v, z, row, U, W)
        for j, place in enumerate(space.free):
            table = task.prior[PLACES[place]].at_probit(np.linspace(-6, 6, 4097))
            assert probit(table, row[place]) == pytest.approx(v[j], abs=2e-3)
        clean = row[0] * (1 - row[4]) * U + row[4] * W
        expected = curve_of(dict(zip(PLACES, row, strict=True)))
        error = np.abs(target.table.scale * clean[: len(expected)] - expected)
        limit = 1e-2 if task.delay is None else 1e-3
        assert error.max() < limit * max(expected.max(), row[4] * grid.PLASMA.max())


def test_probit_beyond_the_table_is_its_end():
    table = PRIORS["published"]["K1"].at_probit(np.linspace(-6, 6, 4097))
    assert probit(table, 0.0) == -6.0
    assert probit(table, 3.0) == 6.0


@pytest.mark.parametrize("case", CASES)
def test_probes_are_differences_of_the_density(cases, case):
    _, lean, _, padded, pilot = cases[case]
    probes = make_probes()[:, lean.free]
    _, log_p, _ = lean.evaluate(padded, pilot, np.repeat(probes[None], 4, 0))
    _, top, _ = lean.evaluate(padded, pilot, np.zeros((4, 1, lean.free.size)))
    np.testing.assert_allclose(top[:, 0], pilot.top, atol=1e-9)
    expected = log_p - top + 0.5 * (probes**2).sum(-1)
    np.testing.assert_allclose(pilot.probes, expected, atol=1e-6)


def test_pilots_are_near_a_large_exact_sample(cases):
    means, ratios = [], []
    for task, lean, curves, _, pilot in cases.values():
        large = Exact(Exact.Settings(fine=8192, least_ess=1000.0, largest=1 << 15))
        fitter = large.prepare(dataclasses.replace(task, samples=2000))
        found = fitter.fit(curves.astype(np.float32), np.arange(4))
        values = np.zeros((4, 2000, 6))
        for place in lean.free:
            values[..., place] = found["samples"][:, fitter.parameters.index(PLACES[place])]
        x = whitened(task, lean, pilot.mean, pilot.factor, values)
        covariance = np.stack([np.cov(part.T) for part in x])
        spread = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        means.append(x.mean(1).ravel() / spread.ravel())
        ratios.append(spread.ravel())
        correlation = covariance / spread[:, :, None] / spread[:, None]
        off = correlation[:, ~np.eye(lean.free.size, dtype=bool)]
        assert np.sqrt(np.mean(off**2)) < 0.2
    means, ratios = np.concatenate(means), np.concatenate(ratios)
    assert np.sqrt(np.mean(means**2)) < 0.15
    assert np.quantile(np.abs(means), 0.9) < 0.3
    assert np.abs(means).max() < 1.0  # a delay and a wide prior, 256 points
    assert np.median(np.abs(np.log(ratios))) < 0.12
    assert np.abs(np.log(ratios)).max() < 0.6


def test_residual_and_level_of_a_pilot(cases):
    _, lean, curves, _, pilot = cases["published"]
    rows = lean.evaluate(lean.padded(curves), pilot, np.zeros((4, 1, lean.free.size)))[0][:, 0]
    n, scale = len(grid.FRAMES), lean.problem.target.table.scale
    for i in range(4):
        clean = curve_of(dict(zip(PLACES, rows[i], strict=True)))
        sd = np.exp(pilot.level[i]) / np.sqrt(pilot.weight[i, :n]) * scale
        np.testing.assert_allclose(pilot.residual[i, :n], (curves[i] - clean) / sd, atol=0.02)
        # l of the simulation is 5 in Bq/mL; the table's unit takes one root of its scale.
        assert np.exp(pilot.level[i]) * scale**0.5 == pytest.approx(5.0, rel=0.5)


def test_predictive_curves_are_weighted_moments(cases):
    _, lean, _, padded, pilot = cases["mixed"]
    target, D, n = lean.problem.target, lean.free.size, len(grid.FRAMES)
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((4, 9, D)), rng.dirichlet(np.ones(9), 4)
    level2, shape = rng.uniform(1, 3, 4), (4, n)
    fit, spread, sigma = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    predict_curves(
        target, lean.coordinates, pilot.mean, pilot.factor, x, w, level2, fit, spread, sigma
    )
    rows = lean.evaluate(padded, pilot, x)[0]
    curves = np.array(
        [[curve_of(dict(zip(PLACES, row, strict=True))) for row in part] for part in rows]
    )
    curves /= target.table.scale
    mean = np.einsum("ns,nst->nt", w, curves)
    sd = np.sqrt(np.einsum("ns,nst->nt", w, (curves - mean[:, None]) ** 2))
    floor = noise_floor(grid.response()) / target.table.scale
    noise = (np.einsum("ns,nst->nt", w, curves) + floor) * noise_gain(grid.FRAMES, grid.HALF_LIFE)
    np.testing.assert_allclose(fit, mean, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(spread, sd, rtol=0.02, atol=2e-5)
    np.testing.assert_allclose(sigma, np.sqrt(noise * level2[:, None]), rtol=1e-3)
