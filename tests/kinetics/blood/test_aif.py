"""Models of parent plasma: known parameters, scipy's curve_fit, Monte Carlo, real blood."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from scipy.optimize import curve_fit

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.io.blood import load_blood
from betaplus.kinetics.blood import aif
from betaplus.kinetics.blood.aif import fit_aif, with_aif_model
from betaplus.kinetics.blood.parent_fraction import with_parent_model
from betaplus.simulation.input_functions import feng as simulated_feng
from betaplus.simulation.input_functions import sample_times

END = 3600.0
TIMES = sample_times(END)


def feng(t, tau, a1, a2, a3, l1, l2, l3):
    return simulated_feng((t - tau) / 60, (a1, a2, a3), (l1, l2, l3))


def triexp(t, t0, peak, a, alpha, b, beta, c, gamma):
    s = (t - peak) / 60
    fall = a * np.exp(-alpha * s) + b * np.exp(-beta * s) + c * np.exp(-gamma * s)
    return np.where(t > peak, fall, np.clip((t - t0) / (peak - t0), 0, None) * (a + b + c))


TRUTH = {
    "feng": (feng, (22.0, 851.1, 21.88, 20.81, 4.134, 0.1191, 0.01043)),
    "triexp": (triexp, (21.3, 44.6, 60.0, 3.2, 14.0, 0.25, 9.0, 0.012)),
}


def blood_of(plasma, time=TIMES, **fields):
    return InputFunction(time=time, plasma=plasma, plasma_kind="parent", **fields)


@pytest.mark.parametrize("model", TRUTH)
@pytest.mark.parametrize("scale", [1.0, 4321.0])
def test_parameters_come_back_from_exact_samples(model, scale):
    curve, truth = TRUTH[model]
    truth = np.array(truth)
    truth[[1, 2, 3] if model == "feng" else [2, 4, 6]] *= scale
    fit = fit_aif(blood_of(curve(TIMES, *truth)), model, END)
    assert tuple(fit.parameters.values()) == pytest.approx(truth, rel=1e-5)
    assert fit.rms < 1e-7 * fit.plasma.max()
    fine = np.linspace(-30, END, 4001)
    np.testing.assert_allclose(fit.at(fine), curve(fine, *truth), atol=1e-7 * fit.plasma.max())


@pytest.mark.parametrize("model", TRUTH)
def test_scipy_finds_the_same_minimum(model):
    """curve_fit from the truth, with the variances and shares of time written out."""
    curve, truth = TRUTH[model]
    exact = curve(TIMES, *truth)
    noise = 0.02 * np.sqrt(exact * exact.max()) * np.random.default_rng(1).standard_normal(57)
    fit = fit_aif(blood_of(exact + noise), model, END)
    found = fit.at(fit.time)
    middle = 0.5 * (fit.time[1:] + fit.time[:-1])
    share = np.diff(np.concatenate([[0.0], middle, fit.time[-1:]]))
    sigma = np.sqrt((found + 0.01 * found.max()) / share)
    theirs, _ = curve_fit(
        curve, fit.time, fit.plasma, p0=truth, sigma=sigma, xtol=1e-13, ftol=1e-13
    )
    np.testing.assert_allclose(found, curve(fit.time, *theirs), atol=2e-4 * found.max())
    np.testing.assert_allclose(list(fit.parameters.values()), theirs, rtol=2e-2)


@pytest.mark.slow
@pytest.mark.parametrize("model", TRUTH)
def test_covariance_against_repeated_measurements(model, monkeypatch):
    """300 noisy curves: SD of the parameters and of the curve, within 15 %."""
    monkeypatch.setattr(aif, "_POLISHED", 1)  # noise is low: the best start is enough
    curve, truth = TRUTH[model]
    exact = curve(TIMES, *truth)
    sd = 0.005 * np.sqrt((exact + 0.01 * exact.max()) * exact.max()) * (exact > 0)
    rng = np.random.default_rng(8)
    grid = np.array([30.0, 70.0, 300.0, 1500.0, 3500.0])
    seen, stated, at, claimed = [], [], [], []
    for _ in range(300):
        fit = fit_aif(blood_of(exact + sd * rng.standard_normal(TIMES.size)), model, END)
        seen.append(list(fit.parameters.values()))
        stated.append(np.diag(fit.covariance))
        at.append(fit.at(grid))
        claimed.append(fit.sd(grid))
    scatter = np.std(seen, axis=0, ddof=1)
    np.testing.assert_allclose(np.sqrt(np.mean(stated, axis=0)) / scatter, 1.0, atol=0.15)
    claimed = np.sqrt(np.mean(np.square(claimed), axis=0))
    np.testing.assert_allclose(claimed / np.std(at, axis=0, ddof=1), 1.0, atol=0.15)


@pytest.mark.parametrize("model", TRUTH)
def test_the_curve_is_straight_between_knots(model):
    """Less than .1 % off after the peak, and of the peak before it; not dense for nothing."""
    curve, truth = TRUTH[model]
    fit = fit_aif(blood_of(curve(TIMES, *truth)), model, END)
    got = fit.curve(END)
    fine = np.linspace(0, END, 200_001)
    exact = curve(fine, *truth)
    off = np.abs(np.interp(fine, got.time, got.plasma) - exact)
    after = fine > fine[np.argmax(exact)]
    assert (off[after] < 1e-3 * exact[after]).all()
    assert off[~after].max() < 1e-3 * exact.max()
    assert 100 < got.time.size < 700 and got.time[0] == 0 and got.time[-1] == END
    np.testing.assert_array_equal(got.whole_blood, got.plasma)  # nothing else was measured


def test_samples_are_plasma_times_parent_fraction_and_blood_stays_as_measured():
    rng = np.random.default_rng(2)
    exact = feng(TIMES, *TRUTH["feng"][1])
    fraction = 0.2 + 0.8 * np.exp(-TIMES / 900)
    sampled = np.arange(57) % 3 == 2
    whole = np.where(sampled, exact / fraction * 0.7 * rng.uniform(0.9, 1.1, 57), np.nan)
    blood = InputFunction(
        time=TIMES,
        plasma=exact / fraction,
        whole_blood=whole,
        parent_fraction=fraction,
        remarks=("from a syringe",),
    )
    fit = fit_aif(blood, "feng", END)
    np.testing.assert_allclose(fit.plasma, exact[1:], rtol=1e-12, atol=1e-9)
    curve = fit.curve(END)
    fine = np.linspace(0, END, 5001)
    expected = np.interp(fine, np.append(0, TIMES[sampled]), np.append(0, whole[sampled]))
    np.testing.assert_allclose(
        np.interp(fine, curve.time, curve.whole_blood), expected, rtol=1e-9, atol=1e-9
    )
    assert curve.remarks[0] == "from a syringe"
    said = r"parent plasma by Feng's model, RMS \S+ Bq/mL at 56 samples, area [+-]0\.\d % from .*"
    assert re.fullmatch(said, curve.remarks[-1])
    # Total plasma, not parent, stands in for whole blood that nobody measured.
    alone = InputFunction(time=TIMES, plasma=exact / fraction, parent_fraction=fraction)
    got = with_aif_model(alone, "feng", END)
    np.testing.assert_allclose(
        np.interp(TIMES, got.time, got.whole_blood), exact / fraction, rtol=1e-9, atol=1e-9
    )
    assert any("total plasma stands in" in remark for remark in got.remarks)


def test_late_blood_and_whole_blood_alone():
    """The model goes on to the end of the scan, and nothing is said of samples that it replaced."""
    late = TIMES < 3400
    blood = InputFunction(time=TIMES[late] + 1, whole_blood=feng(TIMES, *TRUTH["feng"][1])[late])
    curve = with_aif_model(blood, "feng", END)
    assert curve.time[-1] == END
    assert curve.plasma[-1] == pytest.approx(feng(END - 1, *TRUTH["feng"][1]), rel=1e-4)
    text = " / ".join(curve.remarks)
    assert "no plasma: whole blood stands in" in text and "whole_blood extrapolated" in text
    plasma = blood_of(feng(TIMES, *TRUTH["feng"][1])[late], TIMES[late] + 1)
    text = " / ".join(with_aif_model(plasma, "feng", END).remarks)
    assert "extrapolated" not in text and "prepended" not in text


def test_a_model_that_does_not_follow_is_said_to_miss():
    """Two boluses are no bolus."""
    exact = feng(TIMES, *TRUTH["feng"][1])
    assert not any("misses" in r for r in with_aif_model(blood_of(exact), "feng", END).remarks)
    twice = blood_of(exact + feng(TIMES - 240.0, *TRUTH["feng"][1]))
    remark = with_aif_model(twice, "feng", END).remarks[-1]
    assert re.fullmatch(r"that model misses the samples by \d\d % of the peak", remark)


def test_models_of_parent_fraction_and_plasma_chain(reference_data):
    """[11C]MC1: Hill's fraction first, then Feng's plasma: the area stays that of the samples."""
    path = next((reference_data / "bids_mc1" / "sub-04").rglob("*ses-baseline*_blood.tsv"))
    blood = with_parent_model(load_blood(path), "hill")
    curve = with_aif_model(blood, "feng", 7200.0)
    plain = load_blood(path).curve(7200.0)
    areas = [np.trapezoid(c.plasma, c.time) for c in (curve, plain)]
    assert areas[0] / areas[1] == pytest.approx(1.0, abs=0.07)
    assert [r.split(",")[0] for r in curve.remarks if " by " in r and "RMS" in r] == [
        "parent fraction by Hill's function",
        "parent plasma by Feng's model",
    ]
    fine = np.linspace(0, 7200, 2001)
    whole = [np.interp(fine, c.time, c.whole_blood) for c in (curve, plain)]
    np.testing.assert_allclose(*whole, rtol=1e-9, atol=1e-12)


def test_refusals(monkeypatch):
    exact = feng(TIMES, *TRUTH["feng"][1])
    with pytest.raises(UsageError, match="AIF model 'gamma'; expected one of feng, triexp"):
        fit_aif(blood_of(exact), "gamma", END)
    with pytest.raises(InputError, match="expected blood for at least 90 %"):
        fit_aif(blood_of(exact), "feng", 2 * END)
    few = np.unique(np.linspace(0, 56, 8).astype(int))
    few[1] = 13
    with pytest.raises(InputError, match=r"7 samples of plasma .* at least 8 for Feng's model"):
        fit_aif(blood_of(exact[few], TIMES[few]), "feng", END)
    with pytest.raises(InputError, match="at least 9 for a rise and three exponentials"):
        fit_aif(blood_of(exact[few], TIMES[few]), "triexp", END)
    from betaplus.kinetics.blood import bounded_fit

    monkeypatch.setattr(bounded_fit, "_EVALUATIONS", 2)
    noisy = exact * np.random.default_rng(0).uniform(0.7, 1.3, 57)
    with pytest.raises(InputError, match="Feng's model did not converge on 56 samples"):
        fit_aif(blood_of(noisy), "feng", END)


def real_pbr28(folder):
    with (folder / "tacs_pbr28" / "pbr28_blooddata.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    for scan in dict.fromkeys(row["PET"] for row in rows):
        own = [row for row in rows if row["PET"] == scan]
        columns = ("Time", "Cpl_metabcorr", "Cbl_dispcorr")
        time, plasma, whole = (np.array([float(r[c]) for r in own]) for c in columns)
        blood = InputFunction(
            time=time, plasma=plasma, whole_blood=whole, plasma_kind="parent", unit="kBq/mL"
        )
        yield scan, blood


@pytest.mark.parametrize("model", TRUTH)
def test_real_pbr28(reference_data, model):
    """[11C]PBR28, 12 scans: area within 3 % of the trapezoids, RMS within 4 % of the peak.

    Two thirds of the samples lie in the first minutes; the last ten carry a third of the area.
    """
    found = 0
    for scan, blood in real_pbr28(reference_data):
        fit = fit_aif(blood, model, 5400.0)
        got, samples = fit.curve(5400.0), blood.curve(5400.0)
        areas = [np.trapezoid(c.plasma, c.time) for c in (got, samples)]
        assert areas[0] / areas[1] == pytest.approx(1.0, abs=0.03), scan
        tail = [
            np.trapezoid(np.interp(t, c.time, c.plasma), t)
            for c in (got, samples)
            for t in [np.linspace(600, 5400, 4801)]
        ]
        assert tail[0] / tail[1] == pytest.approx(1.0, abs=0.15), scan
        assert fit.rms < 0.04 * fit.plasma.max(), scan
        assert fit.area == pytest.approx(areas[0] / areas[1], abs=2e-3)
        found += 1
    assert found == 12


def test_real_mc1(reference_data):
    """Manual samples only, 15 s apart at the peak: area within 7 % of the trapezoids.

    Straight lines between samples 15 to 30 min apart lie above a falling curve.
    """
    for subject in ("sub-01", "sub-04", "sub-08"):
        path = next((reference_data / "bids_mc1" / subject).rglob("*ses-baseline*_blood.tsv"))
        blood = load_blood(path)
        for model in TRUTH:
            fit = fit_aif(blood, model, 7200.0)
            assert 0.93 < fit.area < 1.01
            assert fit.at(fit.time[-3:]) == pytest.approx(fit.plasma[-3:], rel=0.15)
