"""What is made of draws: exact posteriors from weights, and never a wrong answer in silence."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from tests.kinetics import brute_force as grid
from tests.kinetics.amortised.cases import curves_of, make_fitter, make_task

from betaplus.kinetics.amortised.fitter import MISFIT, OK, REFINED, REWEIGHTED, Trust
from betaplus.kinetics.exact.method import Exact
from betaplus.kinetics.prior import PRIORS

ITEMS = np.arange(200)
LARGE = Exact.Settings(fine=8192, least_ess=1500.0, largest=1 << 15)
TASKS = {
    "2TCM": make_task(),
    "2TCM3k": make_task(model="2TCM3k"),
    "1TCM": make_task(model="1TCM", prior=PRIORS["default"]),
    "delay": make_task(model="1TCM", prior=PRIORS["default"], delay=None),
    "level": make_task(noise=5.0),
}


def exactly(task, curves):
    fitter = Exact(LARGE).prepare(dataclasses.replace(task, samples=0))
    return fitter, fitter.fit(curves.astype(np.float32), ITEMS[: len(curves)])


@pytest.mark.parametrize("density", [True, False])
@pytest.mark.parametrize("name", TASKS)
def test_weights_make_a_poor_network_exact(name, density):
    task = TASKS[name]
    if name in ("1TCM", "delay"):
        clean = 0.3 * 0.95 * grid.tissue([0.4])[0] + 0.05 * grid.blood()
        curves = np.stack([grid.noisy(clean, 4.0, seed) for seed in range(3)])
    else:
        curves = curves_of(3)
    fitter = make_fitter(task, 4000, Trust(refine=False, points=4096), density=density)
    found = fitter.fit(curves, ITEMS[:3])
    reference, right = exactly(task, curves)
    assert fitter.parameters == reference.parameters
    sd = right["std"]
    error = np.sqrt(1 / found["ess"] + 1 / right["ess"])[:, None]
    assert found["ess"].min() > 100
    assert np.all(np.abs(found["mean"] - right["mean"]) / sd < np.maximum(5 * error, 0.05))
    assert np.median(np.abs(found["std"] / sd - 1)) < 0.06
    inner = np.abs(found["quantiles"] - right["quantiles"]) / sd[..., None]
    assert np.median(inner) < 0.1
    np.testing.assert_allclose(found["evidence"], right["evidence"], atol=0.1)
    np.testing.assert_allclose(found["noise"], right["noise"], rtol=0.03)
    np.testing.assert_allclose(found["chi2"], right["chi2"], rtol=0.05)


def test_samples_and_predictions_of_weighted_draws():
    task, curves = make_task(samples=500, predict=True), curves_of(2)
    fitter = make_fitter(task, 3000, Trust(refine=False))
    found = fitter.fit(curves, ITEMS[:2])
    assert found["samples"].shape == (2, len(fitter.parameters), 500)
    sd = found["std"]
    assert np.all(np.abs(found["samples"].mean(2) - found["mean"]) < 0.1 * sd)
    assert np.median(np.abs(found["samples"].std(2) / sd - 1)) < 0.1
    half = found["samples"][..., :250].mean(2)  # in no order
    assert np.all(np.abs(half - found["mean"]) < 0.3 * sd)
    right = Exact(LARGE).prepare(make_task(predict=True)).fit(curves.astype(np.float32), ITEMS[:2])
    for key in ("fit", "sigma"):
        np.testing.assert_allclose(found[key], right[key], rtol=0.05, atol=5.0)
    np.testing.assert_allclose(found["fit_std"], right["fit_std"], rtol=0.3, atol=5.0)


@pytest.mark.parametrize(
    "how",
    [
        {"shift": 30.0},
        {"shift": 4.0},
        {"scale": 0.02},
        {"shift": 30.0, "density": False},
        {"shift": 30.0, "scale": 1e-3, "density": False},
        {"shift": float("nan")},
        {"shift": float("nan"), "density": False},
        {"shift": float("inf"), "density": False},
    ],
)
def test_nonsense_is_done_again_by_exact_or_was_mended(how):
    task, curves = make_task(), curves_of(6)
    found = make_fitter(task, 500, **how).fit(curves, ITEMS[:6])
    again = Exact().prepare(task).fit(curves, ITEMS[:6])
    _, right = exactly(task, curves)
    refined = np.isin(found["status"], (REFINED, MISFIT))
    if how.get("density", True):
        assert refined.all()
    for key in ("mean", "std", "quantiles", "ess", "chi2"):
        assert np.isfinite(found[key]).all()
        np.testing.assert_array_equal(found[key][refined], again[key][refined])
    # What was believed has to be right.
    off = np.abs(found["mean"] - right["mean"]) / right["std"]
    assert np.all(off[~refined] < 0.4)


@pytest.mark.parametrize("reweight", [True, False])
def test_draws_that_are_not_finite_give_no_number_where_nothing_replaces_them(reweight):
    trust = Trust(reweight=reweight, refine=False)
    found = make_fitter(make_task(), 500, trust, shift=float("nan")).fit(curves_of(2), ITEMS[:2])
    for key in ("mean", "std", "quantiles"):
        assert np.isnan(found[key]).all()


def test_what_lies_outside_the_training_is_done_by_exact_and_said():
    task, curves = make_task(), curves_of(3)
    fitter = make_fitter(task, outside=("half-life 9 s",))
    found = fitter.fit(curves, ITEMS[:3])
    assert np.isin(found["status"], (REFINED, MISFIT)).all()
    again = Exact().prepare(task).fit(curves, ITEMS[:3])
    np.testing.assert_array_equal(found["mean"], again["mean"])
    assert len(fitter.remarks) == 1 and "half-life 9 s" in fitter.remarks[0]
    assert "exact" in fitter.remarks[0]
    kept = make_fitter(task, trust=Trust(refine=False), outside=("half-life 9 s",))
    assert "may be wrong" in kept.remarks[0]
    assert make_fitter(task).remarks == ()


def test_draws_as_they_are_without_weights():
    task, curves = make_task(), curves_of(3)
    found = make_fitter(task, 800, Trust(reweight=False, refine=False)).fit(curves, ITEMS[:3])
    assert "evidence" not in found and "pareto_k" not in found
    assert np.all(found["ess"] == 800)
    assert np.isin(found["status"], (OK, MISFIT)).all()
    _, right = exactly(task, curves)
    assert np.median(np.abs(found["mean"] - right["mean"]) / right["std"]) < 0.3


def test_a_curve_that_no_parameters_make_is_a_misfit():
    wave = 1 + 0.5 * np.sin(np.arange(len(grid.FRAMES)))
    found = make_fitter(make_task()).fit(curves_of(2) * wave, ITEMS[:2])
    assert np.all(found["status"] == MISFIT)


def test_good_draws_are_believed():
    task, curves = make_task(), curves_of(32)
    found = make_fitter(task, 2000).fit(curves, ITEMS[:32])
    assert np.mean(np.isin(found["status"], (OK, REWEIGHTED))) > 0.6
    _, right = exactly(task, curves)
    off = np.abs(found["mean"] - right["mean"]) / right["std"]
    assert np.median(off) < 0.05
    assert off.max() < 0.5


@pytest.mark.parametrize("density", [True, False])
def test_results_do_not_depend_on_the_blocks(density):
    task, curves = make_task(samples=20, predict=True), curves_of(70)
    fitter = make_fitter(task, 300, density=density)
    whole = fitter.fit(curves, ITEMS[:70])
    for cuts in ((0, 32, 64, 70), (0, 7, 50, 70)):
        parts = [fitter.fit(curves[a:b], ITEMS[a:b]) for a, b in itertools.pairwise(cuts)]
        for key, values in whole.items():
            joined = np.concatenate([part[key] for part in parts])
            np.testing.assert_array_equal(joined, values, err_msg=key)
    turned = fitter.fit(curves[::-1], ITEMS[:70][::-1])
    np.testing.assert_array_equal(turned["mean"][::-1], whole["mean"])
