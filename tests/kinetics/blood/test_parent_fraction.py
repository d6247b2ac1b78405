"""Parent fractions: known parameters, scipy's curve_fit, Monte Carlo, and every real sample set."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import curve_fit

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.io.blood import load_blood
from betaplus.kinetics.blood.parent_fraction import (
    PARENT_MODELS,
    best_parent_model,
    fit_parent_fraction,
    with_parent_model,
)

TIMES = np.array([30, 60, 90, 150, 240, 400, 600, 900, 1500, 2400, 3600, 5400, 7200.0])


def hill(t, a, b, t50):
    return 1 - (1 - a) * t**b / (t50**b + t**b)


def exponential(t, a, k1, k2):
    return a * np.exp(-k1 * t) + (1 - a) * np.exp(-k2 * t)


def power(t, a, b, c):
    return (1 + (a * t) ** b) ** -c


TRUTH = {
    "hill": (hill, (0.12, 1.7, 9.0)),
    "exponential": (exponential, (0.65, 0.14, 0.006)),
    "power": (power, (0.2, 2.2, 0.4)),
}


def blood_of(fraction, time=TIMES, injection=0.0, **fields):
    """Blood whose parent fraction is sampled at some of its times."""
    plasma = 100.0 * np.exp(-(time - injection) / 4000.0)
    start = np.array([injection - 5.0, injection])
    return InputFunction(
        time=np.concatenate([start, time]),
        plasma=np.concatenate([[0.0, 0.0], plasma]),
        parent_fraction=np.concatenate([[np.nan, 1.0], fraction]),
        injection=injection,
        **fields,
    )


@pytest.mark.parametrize("model", TRUTH)
@pytest.mark.parametrize("injection", [0.0, 40.0])
def test_parameters_come_back_from_exact_samples(model, injection):
    curve, truth = TRUTH[model]
    blood = blood_of(curve(TIMES / 60, *truth), TIMES + injection, injection)
    fit = fit_parent_fraction(blood, model)
    assert tuple(fit.parameters.values()) == pytest.approx(truth, rel=1e-5)
    assert fit.rms < 1e-8 and fit.time.size == TIMES.size
    late = np.array([7.0, 700.0, 9000.0])
    assert fit.at(injection + late) == pytest.approx(curve(late / 60, *truth), abs=1e-8)
    np.testing.assert_array_equal(fit.at(injection - np.array([0.0, 3.0, 900.0])), 1.0)
    np.testing.assert_array_equal(fit.sd(np.array([injection - 1.0])), 0.0)
    assert best_parent_model(blood).model == model


@pytest.mark.parametrize("model", TRUTH)
def test_scipy_finds_the_same_minimum_and_covariance(model):
    """curve_fit without bounds, from the truth, with its own finite differences."""
    curve, truth = TRUTH[model]
    fraction = curve(TIMES / 60, *truth) + 0.015 * np.random.default_rng(3).standard_normal(13)
    fit = fit_parent_fraction(blood_of(np.clip(fraction, 0, 1)), model)
    theirs, covariance = curve_fit(
        curve, TIMES / 60, np.clip(fraction, 0, 1), p0=truth, xtol=1e-14, ftol=1e-14
    )
    assert tuple(fit.parameters.values()) == pytest.approx(theirs, rel=1e-4)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=2e-3, atol=1e-12)
    squares = np.sum((np.clip(fraction, 0, 1) - curve(TIMES / 60, *theirs)) ** 2)
    assert fit.rms == pytest.approx(np.sqrt(squares / 13), rel=1e-6)
    assert fit.aicc == pytest.approx(13 * np.log(squares / 13) + 8 + 2 * 4 * 5 / (13 - 4 - 1))


@pytest.mark.parametrize("model", TRUTH)
def test_covariance_against_repeated_measurements(model):
    """300 noisy sets: SD of the parameters and of the curve within 15 %."""
    curve, truth = TRUTH[model]
    times = np.arange(180, 7200, 180.0)  # noise never passes 1 there
    exact = curve(times / 60, *truth)
    rng = np.random.default_rng(11)
    seen, stated, at, sd = [], [], [], []
    grid = np.array([200.0, 700.0, 2500.0, 6000.0])
    for _ in range(300):
        fit = fit_parent_fraction(
            blood_of(exact + 0.006 * rng.standard_normal(times.size), times), model
        )
        seen.append(list(fit.parameters.values()))
        stated.append(np.diag(fit.covariance))
        at.append(fit.at(grid))
        sd.append(fit.sd(grid))
    scatter = np.std(seen, axis=0, ddof=1)
    np.testing.assert_allclose(np.sqrt(np.mean(stated, axis=0)) / scatter, 1.0, atol=0.15)
    np.testing.assert_allclose(
        np.sqrt(np.mean(np.square(sd), axis=0)) / np.std(at, 0), 1, atol=0.15
    )


@pytest.mark.parametrize("model", TRUTH)
def test_draws_spread_as_the_covariance_says(model):
    """Where the noise is so low that curves are linear in the parameters."""
    curve, truth = TRUTH[model]
    noise = 5e-4 * np.random.default_rng(4).standard_normal(TIMES.size)
    fit = fit_parent_fraction(blood_of(np.clip(curve(TIMES / 60, *truth) + noise, 0, 1)), model)
    grid = np.array([200.0, 700.0, 2500.0, 6000.0])
    draws = fit.draws(grid, 600, seed=5)
    np.testing.assert_allclose(draws.std(axis=0) / fit.sd(grid), 1.0, atol=0.1)
    assert (np.abs(draws.mean(axis=0) - fit.at(grid)) < 0.15 * fit.sd(grid)).all()
    np.testing.assert_array_equal(fit.draws(grid, 3, seed=5), draws[:3])
    assert (fit.draws(grid, 3, seed=6) != draws[:3]).any()


def test_curves_and_draws_stay_between_0_and_1():
    """Samples above 1 and a fraction that reaches 0: nothing leaves the range."""
    rng = np.random.default_rng(0)
    fraction = np.clip(hill(TIMES / 60, 0.0, 1.5, 4.0) + 0.06 * rng.standard_normal(13), 0, 1)
    for model in TRUTH:
        fit = fit_parent_fraction(blood_of(fraction), model)
        values = fit.draws(np.linspace(-100, 20_000, 300), 200, seed=1)
        assert values.min() >= 0 and values.max() <= 1 and np.isfinite(values).all()
        if model == "hill":
            assert values.min() > 0  # draws beyond a bound are drawn again, not cut off at it


def test_samples_are_interpolated_and_carry_no_uncertainty():
    fraction = hill(TIMES / 60, *TRUTH["hill"][1])
    blood = blood_of(fraction)
    fit = fit_parent_fraction(blood, "samples")
    assert fit.at(TIMES) == pytest.approx(fraction)
    assert fit.at(np.array([15.0])) == pytest.approx(0.5 * (1 + fraction[0]))
    assert np.isnan(fit.sd(TIMES)).all() and fit.parameters == {}
    with pytest.raises(InputError, match="draws of interpolated samples"):
        fit.draws(TIMES, 2, seed=0)
    assert with_parent_model(blood, "samples") is blood


def test_the_input_curve_follows_the_model():
    curve, truth = TRUTH["hill"]
    blood = blood_of(curve(TIMES / 60, *truth))
    modelled = with_parent_model(blood, "hill")
    assert modelled.remarks[-1].startswith("parent fraction by Hill's function, RMS ")
    np.testing.assert_array_equal(
        modelled.plasma[np.isfinite(modelled.plasma)], blood.plasma[np.isfinite(blood.plasma)]
    )
    got = modelled.curve(7800.0)
    fine = np.linspace(1, 7800, 5001)
    plasma = np.interp(fine, *[getattr(blood.curve(7800.0), n) for n in ("time", "whole_blood")])
    expected = plasma * curve(fine / 60, *truth)
    assert np.abs(np.interp(fine, got.time, got.plasma) - expected).max() < 5e-4 * expected.max()
    straight = np.interp(fine, blood.curve(7800.0).time, blood.curve(7800.0).plasma)
    assert np.abs(straight - expected).max() > 4e-3 * expected.max()  # what the model is for
    assert with_parent_model(blood, "best").remarks[-1] == modelled.remarks[-1]


def test_refusals():
    fraction = hill(TIMES / 60, *TRUTH["hill"][1])
    with pytest.raises(UsageError, match="'weibull'; expected one of hill, exponential, power"):
        fit_parent_fraction(blood_of(fraction), "weibull")
    with pytest.raises(
        InputError, match="corrected for metabolites already; a correction is never"
    ):
        fit_parent_fraction(blood_of(fraction, plasma_kind="parent"), "hill")
    few = np.where(np.arange(13) < 3, fraction, np.nan)
    for model in TRUTH:
        with pytest.raises(InputError, match=r"3 samples of the parent fraction .* at least 4"):
            fit_parent_fraction(blood_of(few), model)
    with pytest.raises(InputError, match="at least 4"):
        best_parent_model(blood_of(few))
    five = np.where(np.arange(13) < 5, fraction, np.nan)
    assert fit_parent_fraction(blood_of(five), "hill").aicc == np.inf
    with pytest.raises(InputError, match=r"5 samples .* at least 6 to compare models"):
        best_parent_model(blood_of(five))
    none = InputFunction(time=[0, 60, 120], plasma=[0, 9, 4])
    with pytest.raises(InputError, match="no parent fraction"):
        with_parent_model(none, "hill")
    assert PARENT_MODELS == ("hill", "exponential", "power", "samples")


def test_real_mc1(reference_data):
    """[11C]MC1, 35 scans: Hill's function within .045 RMS in all and .03 in most."""
    rms, better = [], 0
    for path in sorted((reference_data / "bids_mc1").glob("sub-*/*/pet/*_blood.tsv")):
        if "sub-13_ses-retest" in path.name:  # times out of order
            continue
        blood = load_blood(path)
        fit = fit_parent_fraction(blood, "hill")
        rms.append(fit.rms)
        if len(rms) <= 12:
            better += best_parent_model(blood).aicc < fit.aicc
        assert np.isfinite(fit.covariance).all() and (fit.sd(blood.time) < 0.2).all()
    assert len(rms) == 35 and max(rms) < 0.045 and np.median(rms) < 0.025
    assert 2 < better < 10  # neither always the best nor never


def test_real_cimbi36_is_metabolised_within_minutes(reference_data):
    """[11C]CIMBI-36: half of it gone at about 3 min, RMS below .01."""
    path = next((reference_data / "pet_bids_blood" / "pet001").rglob("*manual_blood.tsv"))
    fit = fit_parent_fraction(load_blood(path), "hill")
    assert fit.rms < 0.01 and 2.5 < fit.parameters["t50"] < 3.2
    assert fit.time.size == 10  # the sample at the injection says nothing
