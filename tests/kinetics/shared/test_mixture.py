"""The coupled posterior by `exact` against quadrature over all regions at once."""

from __future__ import annotations

import numpy as np
import pytest
from tests.kinetics import brute_force as grid
from tests.kinetics.shared.curves import LEVEL, one_tissue, table

from betaplus.core.errors import UsageError
from betaplus.core.posterior import Posterior
from betaplus.kinetics import PRIORS, Distribution, Prior, fit
from betaplus.kinetics.shared import fit_shared
from betaplus.physics.noise import noise_floor

SETTINGS = {"coarse": 512, "pilot": 512, "fine": 2048, "least_ess": 400, "largest": 8192}
LEVELS = (0.05, 0.5, 0.95)


def uniform(low, high):
    return Distribution(dist="uniform", low=low, high=high)


BOX = PRIORS["published"].replaced(
    K1=uniform(0.02, 0.6), k2=uniform(0.02, 0.8), VB=uniform(0.0, 0.2)
)
OPTIONS = {
    "blood": grid.CURVE,
    "model": "1TCM",
    "prior": BOX,
    "noise": LEVEL,
    "delay": 0.0,
    "settings": SETTINGS,
    "engine": "inline",
}


@pytest.fixture(scope="module")
def curves():
    return table(one_tissue())


@pytest.fixture(scope="module")
def coupled(curves) -> Posterior:
    return fit_shared(curves, shared="VB", samples=2000, seed=3, **OPTIONS)


def middles(low, high, n):
    edge = np.linspace(low, high, n + 1)
    return 0.5 * (edge[1:] + edge[:-1])


@pytest.fixture(scope="module")
def quadrature(curves):
    """Log density of each curve over (VB, K1), k2 summed out, prior volume divided out."""
    VB, K1, k2 = middles(0.0, 0.2, 80), middles(0.02, 0.6, 290), middles(0.02, 0.8, 195)
    unit, whole, floor = grid.tissue(k2), grid.blood(), noise_floor(grid.response())
    out = np.empty((3, VB.size, K1.size))
    for r, y in enumerate(curves.values):
        for i, b in enumerate(VB):
            tissue = (K1 * (1 - b))[:, None, None] * unit + b * whole
            value = grid.log_likelihood(y, tissue, LEVEL, floor)
            top = value.max()
            out[r, i] = top + np.log(np.exp(value - top).sum(-1) + 1e-300)
    return VB, K1, out - np.log(VB.size * K1.size * k2.size)


def cdf_levels(x, p):
    return np.interp(LEVELS, np.cumsum(p) - 0.5 * p, x)


def test_against_quadrature(coupled, quadrature):
    VB, K1, log = quadrature
    top = log.max(axis=(1, 2), keepdims=True)
    each = np.exp(log - top)
    by_VB = each.sum(-1)  # (region, VB): evidence of each region given VB
    joint = by_VB.prod(0)
    p = joint / joint.sum()
    mean = p @ VB
    std = np.sqrt(p @ (VB - mean) ** 2)
    for r in range(3):
        assert coupled["VB"].mean[r] == pytest.approx(mean, abs=0.03 * std)
        assert coupled["VB"].std[r] == pytest.approx(std, rel=0.03)
    got = [coupled["VB"].quantiles[q][0] for q in LEVELS]
    np.testing.assert_allclose(got, cdf_levels(VB, p), atol=0.05 * std)
    for r in range(3):
        given = each[r] / by_VB[r][:, None]  # p(K1 | VB) of this region
        q = p @ given
        m = q @ K1
        s = np.sqrt(q @ (K1 - m) ** 2)
        assert coupled["K1"].mean[r] == pytest.approx(m, abs=0.04 * s)
        assert coupled["K1"].std[r] == pytest.approx(s, rel=0.04)
        got = [coupled["K1"].quantiles[level][r] for level in LEVELS]
        np.testing.assert_allclose(got, cdf_levels(K1, q), atol=0.06 * s)
        draws = coupled["K1"].samples[r]
        assert draws.mean() == pytest.approx(m, abs=0.12 * s)
        want = ((p[:, None] * given) * np.outer(VB - mean, K1 - m)).sum() / (s * std)
        found = np.corrcoef(draws, coupled["VB"].samples[r])[0, 1]
        assert found == pytest.approx(want, abs=0.08)
    evidence = np.log(joint.sum()) + top.sum() + 2 * np.log(VB.size)  # p(VB) once, not thrice
    about = coupled.settings["shared"]
    assert about["log_evidence"] == pytest.approx(evidence, abs=0.05)
    apart = np.log(by_VB.sum(-1)) + top[:, 0, 0]
    assert about["log_evidence_apart"] == pytest.approx(apart.sum(), abs=0.1)
    assert about["mean"] == pytest.approx(mean, abs=0.03 * std)


def test_what_is_shared_is_the_same_in_every_region_and_better_known(coupled, curves):
    own = fit(curves, **OPTIONS)
    assert (np.ptp(coupled["VB"].mean), np.ptp(coupled["VB"].std)) == (0, 0)
    assert (coupled["VB"].samples == coupled["VB"].samples[0]).all()
    assert (coupled["VB"].std < 0.75 * own["VB"].std).all()
    assert (coupled["K1"].std < own["K1"].std).all()
    assert coupled.settings["shared"]["effective_values"] >= 10
    assert coupled.settings["samples"] == 2000
    assert set(coupled.parameters) == set(own.parameters)
    assert coupled.prediction["mean"].shape == curves.values.shape
    residual = (curves.values - coupled.prediction["mean"]) / coupled.prediction["sigma"]
    assert 0.5 < np.mean(residual**2) < 1.5
    assert coupled.remarks == ()


def test_curves_that_differ_speak_against_one_value():
    rows = np.concatenate([one_tissue(0.02)[:2], one_tissue(0.15)[:1]])
    coupled = fit_shared(table(rows), shared="VB", **OPTIONS)
    (remark,) = [text for text in coupled.remarks if "speak against" in text]
    about = coupled.settings["shared"]
    factor = about["log_evidence"] - about["log_evidence_apart"]
    assert factor < -3 and f"{factor:.1f}" in remark


def test_threads_give_the_same_numbers(curves):
    options = {**OPTIONS, "settings": {**SETTINGS, "coarse": 64, "fine": 256, "largest": 512}}
    one = fit_shared(curves, shared="k2", samples=50, **options)
    two = fit_shared(
        curves, shared="k2", samples=50, **{**options, "engine": "threads", "workers": 3}
    )
    for name in one.parameters:
        np.testing.assert_array_equal(one[name].mean, two[name].mean)
        np.testing.assert_array_equal(one[name].samples, two[name].samples)


def test_a_shared_delay_is_narrower_than_each_regions_own():
    shifted = [grid.blood() * 0.06 + 0.2 * 0.94 * grid.tissue([0.25])[0]] * 3
    rows = np.stack([grid.noisy(clean, LEVEL, i) for i, clean in enumerate(shifted)])
    prior = Prior("box", {**BOX, "delay": uniform(-10.0, 10.0)})
    options = {**OPTIONS, "prior": prior, "delay": "fit"}
    own = fit(table(rows), **options)
    coupled = fit_shared(table(rows), shared="delay", **options)
    assert list(coupled.parameters) == list(own.parameters)
    std = float(coupled["delay"].std[0])
    assert (std < 0.8 * own["delay"].std).all()
    assert abs(coupled["delay"].mean[0]) < 3.5 * std  # they were made without any
    # under a flat prior the posterior is the product of the regions' own
    draws = fit(table(rows), samples=5000, **options)["delay"].samples
    edge = np.linspace(-10.0, 10.0, 41)
    product = np.prod([np.histogram(row, edge)[0] for row in draws.astype(float)], axis=0)
    p, middle = product / product.sum(), 0.5 * (edge[1:] + edge[:-1])
    mean = p @ middle
    want = np.sqrt(p @ (middle - mean) ** 2 - 0.5**2 / 12)
    assert std == pytest.approx(want, rel=0.1)
    assert coupled["delay"].mean[0] == pytest.approx(mean, abs=0.2 * std)
    assert coupled.settings["delay"] == "shared by all regions"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shared": "K1"}, "K1 of model 1TCM cannot be shared; expected k2, VB, delay"),
        ({"shared": "k4"}, "k4 of model 1TCM cannot be shared"),
        ({"shared": "delay", "delay": 5.0}, "a shared delay that is known already"),
        ({"shared": "delay", "delay": "fit", "prior": "published"}, "known already"),
        ({"prior": BOX.replaced(VB=Distribution.at(0.05))}, "the prior fixes"),
        ({"noise": "estimate"}, "with noise estimate"),
        ({"method": "nuts"}, "method nuts; expected a compartment model"),
        ({"model": None, "method": "patlak"}, "method patlak; expected a compartment model"),
        ({"model": "SRTM"}, "SRTM needs a reference region"),
        ({"samples": -1}, "-1 samples"),
    ],
)
def test_refusals(curves, changes, words):
    with pytest.raises(UsageError, match=words):
        fit_shared(curves, **{"shared": "VB", **OPTIONS, **changes})


def test_one_curve_has_nothing_to_share():
    with pytest.raises(UsageError, match="with 1 curve; expected a table of 2 or more"):
        fit_shared(table(one_tissue()[:1]), shared="VB", **OPTIONS)


def test_fit_takes_other_quantile_levels(curves):
    """Levels beyond the usual ones leave those as they are, and lie in order."""
    plain = fit(curves, **OPTIONS)["K1"].quantiles
    more = fit(curves, quantiles=(0.01, 0.05, 0.5, 0.95, 0.99), **OPTIONS)["K1"].quantiles
    assert list(more) == [0.01, 0.05, 0.5, 0.95, 0.99]
    for level in LEVELS:
        np.testing.assert_array_equal(more[level], plain[level])
    assert (np.diff(np.stack(list(more.values())), axis=0) > 0).all()
    for levels in ((0.5,), (0.0, 0.05, 0.5, 0.95)):
        with pytest.raises(UsageError, match="quantiles"):
            fit(curves, quantiles=levels, **OPTIONS)
