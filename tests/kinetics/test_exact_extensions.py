"""Evidence, fixed parameters, SRTM and perfusion by `exact`, against quadrature on a grid."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.kinetics import brute_force as grid

from betaplus.core import UsageError
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.physics.noise import noise_floor
from betaplus.physics.perfusion import flow_from_uptake, uptake_from_flow

LEVEL = 6.0
FINE = Exact.Settings(coarse=2048, pilot=512, fine=8192, least_ess=500.0, largest=32768)


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


def fitted(work, y):
    fitter = Exact(FINE).prepare(work)
    result = fitter.fit(y[None], np.zeros(1, dtype=np.int64))
    names = fitter.parameters
    mean, std = (dict(zip(names, result[k][0].tolist(), strict=True)) for k in ("mean", "std"))
    return mean, std, result


def middles(low, high, n):
    edge = np.linspace(low, high, n + 1)
    return 0.5 * (edge[1:] + edge[:-1])


@pytest.fixture(scope="module")
def one_tissue():
    clean = 0.2 * 0.94 * grid.tissue([0.25])[0] + 0.06 * grid.blood()
    return grid.noisy(clean, LEVEL, 1)


@pytest.fixture(scope="module")
def one_tissue_grid(one_tissue):
    """K1, k2, VB on a grid with the log density of the data, prior volume divided out."""
    K1, VB = middles(0.12, 0.3, 90), middles(0.0, 0.2, 70)
    k2 = middles(0.12, 0.42, 80)
    unit = grid.tissue(k2)
    K1, k2_, VB = np.meshgrid(K1, np.arange(80), VB, indexing="ij")
    curves = (K1 * (1 - VB))[..., None] * unit[k2_] + VB[..., None] * grid.blood()
    value = grid.log_likelihood(one_tissue, curves, LEVEL, noise_floor(grid.response()))
    cell = (0.18 / 90 / 0.58) * (0.3 / 80 / 0.78) * (1 / 70)
    return K1, k2[k2_], VB, value + np.log(cell)


def test_evidence_of_one_tissue(one_tissue, one_tissue_grid):
    """Moments and log evidence of a 1TCM against 504,000 grid points."""
    K1, k2, VB, weight = one_tissue_grid
    (of_K1, of_k2, of_VB), evidence = grid.moments(weight, K1, k2, VB)
    mean, std, result = fitted(task(), one_tissue)
    for name, (m, s) in (("K1", of_K1), ("k2", of_k2), ("VB", of_VB)):
        assert mean[name] == pytest.approx(m, abs=0.05 * s)
        assert std[name] == pytest.approx(s, rel=0.05)
    assert result["evidence"][0] == pytest.approx(evidence, abs=0.05)


def test_evidence_with_unknown_noise(one_tissue):
    """The level integrated over its prior: the same evidence as the known levels averaged."""
    prior = BOX.replaced(noise=uniform(3.0, 12.0))
    _, _, got = fitted(task(noise="auto", prior=prior), one_tissue)
    levels = middles(3.0, 12.0, 24)
    each = [fitted(task(noise=float(v)), one_tissue)[2]["evidence"][0] for v in levels]
    assert got["evidence"][0] == pytest.approx(np.log(np.mean(np.exp(each))), abs=0.05)


@pytest.mark.parametrize("name", ["VB", "K1", "k2"])
def test_fixed_parameter(one_tissue, one_tissue_grid, name):
    """A fixed parameter stays where it is; the others have their conditional posterior."""
    known = {"VB": 0.055, "K1": 0.2, "k2": 0.25}[name]
    K1, k2, VB = middles(0.12, 0.3, 400), middles(0.12, 0.42, 400), middles(0.0, 0.2, 400)
    axes = {"K1": K1, "k2": k2, "VB": VB} | {name: np.array([known])}
    a, r, b = np.meshgrid(axes["K1"], np.arange(axes["k2"].size), axes["VB"], indexing="ij")
    unit = grid.tissue(axes["k2"])
    curves = (a * (1 - b))[..., None] * unit[r] + b[..., None] * grid.blood()
    weight = grid.log_likelihood(one_tissue, curves, LEVEL, noise_floor(grid.response()))
    values = {"K1": a, "k2": axes["k2"][r], "VB": b}
    width = {"K1": 0.18 / 400 / 0.58, "k2": 0.3 / 400 / 0.78, "VB": 1 / 400}
    cell = np.prod([v for k, v in width.items() if k != name])
    want, evidence = grid.moments(weight + np.log(cell), *values.values())
    mean, std, got = fitted(task(prior=BOX.replaced(**{name: Distribution.at(known)})), one_tissue)
    for key, (m, s) in zip(values, want, strict=True):
        if key == name:
            assert mean[key] == pytest.approx(known, rel=1e-5) and std[key] < 1e-6
        else:
            assert mean[key] == pytest.approx(m, abs=0.05 * s)
            assert std[key] == pytest.approx(s, rel=0.05)
    assert got["evidence"][0] == pytest.approx(evidence, abs=0.05)


def test_srtm():
    """R1, k2 and BPND against a grid over the three, priors and all; and the evidence."""
    reference = grid.blood()  # any curve serves
    prior = PRIORS["default"].replaced(BPND=uniform(0.0, 5.0), k2=uniform(0.02, 1.0))
    k2a = 0.15 / (1 + 1.4)
    unit = grid.tissue([k2a])[0] * 0.9  # the response to whole blood, .9 of plasma
    clean = 0.9 * (reference - k2a * unit) + 0.15 * unit
    y = grid.noisy(clean, LEVEL, 2)
    curve = dataclasses.replace(grid.CURVE, plasma=grid.CURVE.whole_blood)
    R1, k2, BP = middles(0.6, 1.2, 70), middles(0.06, 0.3, 90), middles(0.0, 5.0, 130)
    a, b, c = np.meshgrid(k2, R1, BP, indexing="ij")
    rate = a / (1 + c)
    table = np.linspace(rate.min(), rate.max(), 4000)
    units = grid.tissue(table) * 0.9
    at = np.rint((rate - table[0]) / (table[1] - table[0])).astype(int)
    curves = b[..., None] * reference + (a - b * rate)[..., None] * units[at]
    floor = 0.9 * noise_floor(grid.response())
    weight = grid.log_likelihood(y, curves, LEVEL, floor)
    cell = (0.6 / 70 / 2.9) * (0.24 / 90 / 0.98) * (1 / 130)
    want, evidence = grid.moments(weight + np.log(cell), b, a, c)
    mean, std, got = fitted(task(model="SRTM", prior=prior, curve=curve, reference=reference), y)
    for name, (m, s) in zip(("R1", "k2", "BPND"), want, strict=True):
        assert mean[name] == pytest.approx(m, abs=0.05 * s)
        assert std[name] == pytest.approx(s, rel=0.05)
    assert got["evidence"][0] == pytest.approx(evidence, abs=0.05)
    with pytest.raises(UsageError, match="BPND of SRTM is fixed"):
        fitted(
            task(
                model="SRTM",
                prior=prior.replaced(BPND=Distribution.at(1.0)),
                curve=curve,
                reference=reference,
            ),
            y,
        )


def test_perfusion(one_tissue, one_tissue_grid):
    """Flow is K1 through the inverse of Renkin and Crone, draw by draw."""
    K1, _, _, weight = one_tissue_grid
    ((m, s),), _ = grid.moments(weight, flow_from_uptake(K1, 0.77, 0.63))
    mean, std, _ = fitted(task(extraction=(0.77, 0.63)), one_tissue)
    assert mean["F"] == pytest.approx(m, abs=0.05 * s) and std["F"] == pytest.approx(s, rel=0.05)
    flow = np.geomspace(0.01, 8, 50)
    np.testing.assert_allclose(
        flow_from_uptake(uptake_from_flow(flow, 0.77, 0.63), 0.77, 0.63), flow
    )
