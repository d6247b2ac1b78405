"""Method `abc`: against closed form and `exact`, bit by bit in any batch, and what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, truncnorm
from tests.kinetics import brute_force as grid

from betaplus.core import UsageError
from betaplus.core.settings import make_settings
from betaplus.kinetics.abc.method import Abc
from betaplus.kinetics.abc.proposal import Proposal, resample
from betaplus.kinetics.abc.regression import adjusted
from betaplus.kinetics.abc.simulator import Simulator
from betaplus.kinetics.exact.method import THOROUGH, Exact
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.pipeline.benchmark.kinetics.cases import find_scan

QUICK = {"table": 8192, "simulations": 4000, "accepted": 500}
VB, K2, LOW, HIGH = 0.05, 0.3, 0.01, 1.0
SD = np.full(len(grid.FRAMES), 900.0)


def one_parameter():
    """K1 alone is unknown, the curve linear in it, the noise Gaussian of known SD."""
    prior = PRIORS["published"].replaced(k2=Distribution.at(K2), VB=Distribution.at(VB))
    return Task(
        curve=grid.CURVE,
        frames=grid.FRAMES,
        half_life=grid.HALF_LIFE,
        model="1TCM",
        prior=prior,
        delay=0.0,
        noise=SD,
    )


@pytest.fixture(scope="module")
def line():
    """Curves of K1 .1 and .3, and means and SDs of their posteriors in closed form."""
    design = (1 - VB) * grid.tissue([K2])[0]
    offset = VB * grid.blood()
    noise = SD * np.random.default_rng(5).standard_normal((2, len(SD)))
    curves = np.array([[0.1], [0.3]]) * design + offset + noise
    precision = (design**2 / SD**2).sum()
    centre, sd = ((curves - offset) * design / SD**2).sum(1) / precision, precision**-0.5
    posterior = truncnorm((LOW - centre) / sd, (HIGH - centre) / sd, centre, sd)
    return curves, posterior.mean(), posterior.std()


def fit(task, curves, **settings):
    fitter = Abc(Abc.Settings(**settings)).prepare(task)
    return fitter, fitter.fit(curves, np.arange(len(curves)))


@pytest.mark.parametrize("sampler", ["rejection", "smc"])
def test_linear_gaussian(line, sampler):
    """A truncated Gaussian, narrow in its prior."""
    curves, mean, sd = line
    fitter, found = fit(one_parameter(), curves, sampler=sampler, **QUICK)
    at = fitter.parameters.index("K1")
    np.testing.assert_allclose(found["mean"][:, at], mean, atol=0.4 * sd.max())
    np.testing.assert_allclose(found["std"][:, at], sd, rtol=0.25)
    wanted = mean[:, None] + sd[:, None] * np.array([-1.645, 0.0, 1.645])
    np.testing.assert_allclose(found["quantiles"][:, at], wanted, atol=0.6 * sd.max())
    assert (found["status"] == 1).all()


def test_tolerance_falls_to_the_posterior(line):
    """Without adjustment the SD is too wide, and less so the fewer simulations are accepted."""
    curves, mean, sd = line
    excess, tolerance = [], []
    for accepted in (4000, 1000, 200):
        fitter, found = fit(
            one_parameter(),
            curves,
            sampler="rejection",
            adjust="none",
            table=8192,
            simulations=8000,
            accepted=accepted,
        )
        at = fitter.parameters.index("K1")
        excess.append((found["std"][:, at] / sd - 1).mean())
        tolerance.append(found["tolerance"].mean())
    assert excess[0] > excess[1] > abs(excess[2]) and abs(excess[2]) < 0.3
    assert tolerance[0] > tolerance[1] > tolerance[2]
    np.testing.assert_allclose(found["mean"][:, at], mean, atol=0.4 * sd.max())


@pytest.fixture(scope="module")
def scan():
    """Sixteen curves of 15 % noise, and their exact posteriors."""
    found = find_scan()
    dose = found.dose(0.15)
    curves, task = found.draw(dose, 16, seed=77).noisy, found.task(dose)
    reference = Exact(THOROUGH).prepare(task)
    return task, curves, reference.parameters, reference.fit(curves, np.arange(16))


@pytest.mark.parametrize("sampler", ["rejection", "smc"])
@pytest.mark.parametrize("distance", ["statistics", "curve"])
def test_near_exact(scan, sampler, distance):
    task, curves, names, exact = scan
    fitter, found = fit(task, curves, sampler=sampler, distance=distance)
    assert fitter.parameters == names
    at = [names.index(name) for name in ("K1", "k2", "k3", "k4", "VB", "Ki")]
    sd = exact["std"][:, at]
    error = np.median(np.abs(found["mean"][:, at] - exact["mean"][:, at]) / sd, axis=0)
    ratio = np.median(found["std"][:, at] / sd, axis=0)
    assert (error < (0.3 if distance == "statistics" else 0.6)).all()
    low, high = (0.8, 1.25) if distance == "statistics" else (0.6, 2.5)
    assert (ratio > low).all() and (ratio < high).all()
    assert np.median(found["noise"] / exact["noise"]) == pytest.approx(1, abs=0.05)
    assert (found["status"] == 1).mean() > 0.7 and np.median(found["ess"]) > 100


def test_a_curve_has_the_same_bits_in_any_batch(scan):
    task, curves = scan[:2]
    work = dataclasses.replace(task, samples=20, predict=True)
    fitter = Abc(Abc.Settings(**QUICK)).prepare(work)
    many = np.concatenate([curves, curves[:3] * 0.5])
    together = fitter.fit(many, np.arange(19))
    for rows in (slice(1, 2), slice(5, 11), slice(14, 19)):
        alone = fitter.fit(many[rows], np.arange(19)[rows])
        for name, values in together.items():
            np.testing.assert_array_equal(values[rows], alone[name])
    assert together["samples"].shape == (19, len(fitter.parameters), 20)
    assert together["fit"].shape == together["sigma"].shape == many.shape
    assert np.median(np.abs(together["fit"] - many) / together["sigma"]) < 1.0


def test_unknown_delay_wide_prior_and_an_empty_curve(scan):
    """The default prior leaves the noise level open over nine decades."""
    task, curves = scan[:2]
    work = dataclasses.replace(task, prior=PRIORS["default"], delay=None, predict=True)
    fitter, found = fit(work, np.concatenate([curves[:4], np.zeros((1, curves.shape[1]))]), **QUICK)
    assert fitter.parameters[-1] == "delay"
    assert all(np.isfinite(values).all() for values in found.values())
    ratio = found["noise"][:4] / scan[3]["noise"][:4]
    assert ((ratio > 0.6) & (ratio < 1.7)).all()
    assert (np.abs(found["mean"][:4, -1]) < 4 * found["std"][:4, -1] + 1.0).all()


def test_simulated_noise_is_that_of_the_model(scan):
    """Curves and noise against float64 responses and the noise model in Bq/mL."""
    task = scan[0]
    simulator = Simulator(task)
    v = np.repeat([[0.3, -0.5, 0.2, 0.1, 0.4, 0.0]], 20_000, axis=0)
    rows, clean = simulator.curves(v)
    work = find_scan().response(1.0)
    K1, k2, k3, k4, b, _ = rows[0]
    total = k2 + k3 + k4
    gap = np.sqrt(total**2 - 4 * k2 * k4)
    slow, fast = (total - gap) / 2, (total + gap) / 2
    share = (k3 + k4 - slow) / gap
    unit = work.tissue(torch.tensor([slow, fast], dtype=torch.float64)).numpy()
    shape = K1 * (1 - b) * (share * unit[0] + (1 - share) * unit[1]) + b * work.blood().numpy()
    dose = float(task.curve.plasma.max() / work.curve.plasma.max())
    np.testing.assert_allclose(clean[0] * simulator.scale, dose * shape, rtol=2e-3, atol=1e-6)
    normal = np.random.default_rng(0).standard_normal(clean.shape, dtype=np.float32)
    noisy = simulator.noisy(clean, np.full(len(v), 5.0), normal)
    floor = noise_floor(find_scan().response(dose))
    gain = noise_gain(task.frames, task.half_life)
    want = 5.0 * np.sqrt((dose * shape + floor) * gain)
    np.testing.assert_allclose(noisy.std(axis=0) * simulator.scale, want, rtol=0.03)


def test_proposal_has_the_density_of_its_draws():
    """Weights of a target by the mixture's density bring back the target's moments."""
    rng = np.random.default_rng(2)
    particles = rng.standard_normal((500, 2)) @ np.array([[1.0, 0.6], [0.0, 0.8]])
    proposal = Proposal(particles, np.full(500, 1 / 500), 1.0, rng)
    v = proposal.draw(40_000, rng)
    target = multivariate_normal([0.3, -0.2], [[0.6, 0.2], [0.2, 0.5]])
    w = np.exp(target.logpdf(v) - proposal.log_density(v))
    w /= w.sum()
    np.testing.assert_allclose(w @ v, [0.3, -0.2], atol=0.03)
    np.testing.assert_allclose(np.cov(v.T, aweights=w), target.cov, atol=0.04)
    count = np.bincount(resample(w[:50] / w[:50].sum(), 1000, rng), minlength=50)
    assert np.abs(count - 1000 * w[:50] / w[:50].sum()).max() <= 1


def test_regression_moves_a_linear_model_to_the_data():
    rng = np.random.default_rng(4)
    s = rng.standard_normal((2000, 2))
    rest = rng.standard_normal((2000, 1)) * np.exp(0.3 * s[:, :1])
    v = 0.7 + s @ np.array([[0.5], [-1.0]]) + rest
    even = np.full(2000, 1 / 2000)
    for rescale, wanted in ((False, np.exp(0.09)), (True, 1.0)):
        moved = adjusted(v, s, even, rescale=rescale)
        assert moved.mean() == pytest.approx(0.7, abs=0.08)
        assert moved.std() == pytest.approx(wanted, rel=0.04)


def test_refusals():
    with pytest.raises(UsageError, match="setting sampler='gibbs'"):
        make_settings(Abc.Settings, {"sampler": "gibbs"})
    with pytest.raises(UsageError, match="setting simulations=10"):
        Abc.Settings(simulations=10)
    with pytest.raises(UsageError, match="expected at most 4000 accepted"):
        Abc.Settings(accepted=5000)
    with pytest.raises(UsageError, match="expected a table of at least 8000"):
        Abc.Settings(sampler="rejection", table=1024)
    with pytest.raises(UsageError, match="expected at least 200 simulations a round"):
        Abc.Settings(rounds=20, simulations=2000)
    with pytest.raises(UsageError, match="setting bandwidth=0"):
        Abc.Settings(bandwidth=0.0)
    with pytest.raises(UsageError, match="setting 'tolerance' is unknown"):
        make_settings(Abc.Settings, {"tolerance": 1})
    task = one_parameter()
    with pytest.raises(UsageError, match="noise estimate with method abc"):
        Abc().prepare(dataclasses.replace(task, noise="estimate"))
    with pytest.raises(UsageError, match="flow from K1 with method abc"):
        Abc().prepare(dataclasses.replace(task, extraction=(0.77, 0.63)))
    with pytest.raises(UsageError, match="model 'SRTM' is unknown"):
        Abc().prepare(dataclasses.replace(task, model="SRTM"))
    with pytest.raises(UsageError, match="every parameter is fixed"):
        fixed = task.prior.replaced(K1=Distribution.at(0.1))
        Abc().prepare(dataclasses.replace(task, prior=fixed))
