"""Method `nuts`: against quadrature on a grid, bit by bit in any batch, and what it refuses."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
from tests.kinetics import brute_force as grid

from betaplus.core import UsageError
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.nuts.method import Nuts
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.physics.noise import noise_floor

LEVEL = 6.0
QUICK = {"warmup": 400, "draws": 1000, "ess": 400.0, "rounds": 3}


@pytest.fixture(scope="module", autouse=True)
def numpyro():
    return pytest.importorskip("numpyro")


def uniform(low, high):
    return Distribution(dist="uniform", low=low, high=high)


BOX = PRIORS["published"].replaced(
    K1=uniform(0.02, 0.6), k2=uniform(0.02, 0.8), VB=uniform(0.0, 0.2)
)


def task(**changes):
    plain = Task(
        curve=grid.CURVE,
        frames=grid.FRAMES,
        half_life=grid.HALF_LIFE,
        model="1TCM",
        prior=BOX,
        delay=0.0,
        noise=LEVEL,
    )
    return dataclasses.replace(plain, **changes)


@pytest.fixture(scope="module")
def curves():
    unit = grid.tissue([0.25, 0.4])
    clean = np.array([[0.2], [0.3]]) * 0.94 * unit + 0.06 * grid.blood()
    return grid.noisy(clean, LEVEL, 1)


@pytest.fixture(scope="module")
def found(curves):
    fitter = Nuts(Nuts.Settings(**QUICK)).prepare(task())
    return fitter, fitter.fit(curves, np.arange(2))


def middles(low, high, n):
    edge = np.linspace(low, high, n + 1)
    return 0.5 * (edge[1:] + edge[:-1])


def test_moments_are_those_of_the_grid(found, curves):
    """Means within four standard errors of the chains, SDs within 12 %."""
    fitter, result = found
    K1, k2, VB = middles(0.12, 0.3, 90), middles(0.12, 0.42, 80), middles(0.0, 0.2, 70)
    a, row, b = np.meshgrid(K1, np.arange(80), VB, indexing="ij")
    model = (a * (1 - b))[..., None] * grid.tissue(k2)[row] + b[..., None] * grid.blood()
    weight = grid.log_likelihood(curves[0], model, LEVEL, noise_floor(grid.response()))
    want, _ = grid.moments(weight, a, k2[row], b)
    assert result["converged"][0] == 1 and result["rhat"][0] < 1.01 and result["ess"][0] >= 400
    for name, (mean, sd) in zip(("K1", "k2", "VB"), want, strict=True):
        at = fitter.parameters.index(name)
        error = sd / np.sqrt(result["ess"][0])
        assert abs(result["mean"][0, at] - mean) < 4 * error + 0.02 * sd
        assert result["std"][0, at] == pytest.approx(sd, rel=0.12)


def test_a_curve_has_the_same_bits_in_any_batch(found, curves):
    fitter, together = found
    alone = fitter.fit(curves[1:], np.array([1]))
    for name, values in together.items():
        np.testing.assert_array_equal(values[1:], alone[name])


def test_fixed_parameter_and_draws(curves):
    prior = BOX.replaced(VB=Distribution.at(0.06))
    fitter = Nuts(Nuts.Settings(**QUICK)).prepare(task(prior=prior, samples=50, predict=True))
    result = fitter.fit(curves[:1], np.arange(1))
    at = fitter.parameters.index("VB")
    assert result["mean"][0, at] == pytest.approx(0.06) and result["std"][0, at] < 1e-6
    assert result["samples"].shape == (1, len(fitter.parameters), 50)
    assert result["fit"].shape == (1, len(grid.FRAMES))
    assert np.abs(result["fit"][0] - curves[0]).max() < 6 * result["sigma"][0].max()


def test_refusals(monkeypatch):
    with pytest.raises(UsageError, match="setting chains=1"):
        Nuts.Settings(chains=1)
    with pytest.raises(UsageError, match="samples of 4 chains"):
        Nuts(Nuts.Settings(**QUICK)).prepare(task(samples=5000))
    with pytest.raises(UsageError, match="weights of frames with method nuts"):
        Nuts().prepare(task(weights=np.ones(len(grid.FRAMES))))
    with pytest.raises(UsageError, match="flow from K1 with method nuts"):
        Nuts().prepare(task(extraction=(0.77, 0.63)))
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(UsageError, match="method nuts needs numpyro"):
        find_method("nuts")().prepare(task())
