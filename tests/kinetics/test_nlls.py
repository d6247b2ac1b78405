"""Least squares against scipy, against replicates, and within its own accounts."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.settings import make_settings
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.nlls import Nlls
from betaplus.kinetics.prior import PRIORS, Distribution, Prior
from betaplus.physics.compartments import MODELS, predict
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse

HALF_LIFE = 6584.04
FRAMES = FrameTiming.from_durations([5.0] * 8 + [10] * 4 + [30] * 3 + [60] * 4 + [300] * 9)
TRUTH = {"K1": 0.35, "k2": 0.6, "k3": 0.15, "k4": 0.03, "VB": 0.06, "delay": 4.0}


def input_curve() -> InputCurve:
    time = np.array([0, 8, 11, 14, 17, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 2600, 3800.0])
    plasma = np.array([0, 0, 4, 30, 60, 50, 36, 28, 22, 16, 11, 7.5, 5, 3.1, 2.2, 1.7]) * 1e3
    return InputCurve(time, plasma, plasma * np.linspace(1.05, 0.8, time.size), "Bq/mL")


RESPONSE = InputResponse(input_curve(), FRAMES, HALF_LIFE)
GAIN, FLOOR = noise_gain(FRAMES, HALF_LIFE), noise_floor(RESPONSE)


def task(model="2TCM", prior="default", **changes) -> Task:
    prior = PRIORS[prior] if isinstance(prior, str) else prior
    base = Task(
        curve=input_curve(), frames=FRAMES, half_life=HALF_LIFE, model=model, prior=prior, delay=0.0
    )
    return dataclasses.replace(base, **changes)


def clean_curves(model, parameters) -> np.ndarray:
    """Noise-free curves by the exact response, shape (n, T)."""
    names = [*MODELS[model].parameters, "delay"]
    size = np.broadcast_shapes(*(np.shape(parameters[p]) for p in names if p in parameters), (1,))
    named = {
        p: torch.from_numpy(np.broadcast_to(parameters.get(p, 0.0), size).astype(np.float64))
        for p in names
    }
    return predict(RESPONSE, named).numpy()


def noisy(clean, level, n=None, seed=0) -> np.ndarray:
    clean = clean if n is None else np.repeat(clean, n, axis=0)
    sd = level * np.sqrt((clean + FLOOR) * GAIN)
    return clean + sd * np.random.default_rng(seed).standard_normal(clean.shape)


def run(work, curves, **settings):
    fitter = Nlls(Nlls.Settings(**settings)).prepare(work)
    return fitter.parameters, fitter.fit(curves, np.arange(len(curves)))


def column(parameters, result, name, what="mean"):
    return result[what][:, parameters.index(name)]


def random_truth(model, n, seed=0):
    rng = np.random.default_rng(seed)
    out = {
        "K1": rng.uniform(0.05, 0.9, n),
        "k2": rng.uniform(0.1, 1.8, n),
        "k3": rng.uniform(0.02, 0.4, n),
        "k4": rng.uniform(0.005, 0.1, n),
        "VB": rng.uniform(0.03, 0.2, n),
    }
    return {k: v for k, v in out.items() if k in MODELS[model].parameters}


class Exact:
    """Weighted residuals of one curve by the exact response, for scipy."""

    def __init__(self, names, y, sigma):
        self.names, self.y, self.sigma = names, y, sigma

    def curves(self, values):
        named = dict(zip(self.names, torch.from_numpy(values.T.copy()), strict=True))
        return predict(RESPONSE, named).numpy()

    def residual(self, v):
        return (self.curves(v[None])[0] - self.y) / self.sigma

    def jacobian(self, v):
        step = 1e-6 * np.maximum(np.abs(v), 1e-3)
        both = self.curves(np.concatenate([v + np.diag(step), v - np.diag(step)]))
        return ((both[: len(v)] - both[len(v) :]) / (2 * step[:, None] * self.sigma)).T


@pytest.mark.parametrize(("model", "n"), [("1TCM", 12), ("2TCM3k", 16), ("2TCM", 50)])
@pytest.mark.parametrize("prior", ["published"])
def test_equals_scipy(model, n, prior):
    truth = random_truth(model, n, seed=4)
    curves = noisy(clean_curves(model, truth), 5.0, seed=1)
    work = task(model, prior, predict=True)
    parameters, result = run(work, curves, reweightings=12)
    names = MODELS[model].parameters
    where = [parameters.index(p) for p in names]
    low = np.array([work.prior[p].low for p in names])
    high = np.array([work.prior[p].high for p in names])
    held = 0
    assert (result["status"] == 1).mean() > 0.9
    for i in range(n):
        exact = Exact(names, curves[i], result["sigma"][i].astype(np.float64))
        ours = result["mean"][i, where].astype(np.float64)
        ours = np.clip(ours, low, high)  # float32 of a bound
        cost = float((exact.residual(ours) ** 2).sum())
        starts = [np.array([truth[p][i] for p in names]), low + 0.3 * (high - low), ours]
        theirs = min(
            (
                least_squares(
                    exact.residual,
                    np.clip(start, low + 1e-6, high - 1e-6),
                    exact.jacobian,
                    bounds=(low, high),
                    x_scale=0.1 * (high - low),
                    ftol=1e-12,
                    xtol=1e-12,
                    gtol=1e-12,
                )
                for start in starts
            ),
            key=lambda r: r.cost,
        )
        assert cost <= 1.001 * 2 * theirs.cost
        sd = result["std"][i, where].astype(np.float64)
        at_bound = np.isnan(sd)
        held += at_bound.sum()
        free = ~at_bound
        off = np.abs(ours - theirs.x)
        assert np.all(off[free] <= 1e-3 * np.maximum(np.abs(theirs.x), sd)[free])
        # scipy stays inside: it comes near a bound but not onto it
        assert np.all(off[at_bound] <= 2e-3 * (high - low)[at_bound])
        jacobian = exact.jacobian(ours)[:, free]
        factor = cost / (len(FRAMES) - free.sum())
        expected = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)) * factor)
        np.testing.assert_allclose(sd[free], expected, rtol=2e-3)
    if model == "2TCM":
        assert held > 3, "no bound was active"


@functools.cache
def replicates(model):
    """Fits of one curve with 1500 draws of faint noise; the delay is fitted in 2TCM3k."""
    truth = {k: v for k, v in TRUTH.items() if k in MODELS[model].parameters}
    fitted = model == "2TCM3k"
    truth["delay"] = TRUTH["delay"] if fitted else 0.0
    curves = noisy(clean_curves(model, truth), 0.2, n=1500, seed=3)
    work = task(model, delay=None if fitted else 0.0, predict=True)
    return truth, work, curves, *run(work, curves, starts=1)


def macro(values):
    K1, k2, k3, k4 = (values.get(p, 0.0) for p in ("K1", "k2", "k3", "k4"))
    out = {"Ki": K1 * k3 / (k2 + k3)}
    if k4 or not k3:
        out["BPND"] = k3 / k4 if k3 else 0.0
        out["VT"] = K1 / k2 * (1 + out["BPND"])
    return out


@pytest.mark.parametrize("model", list(MODELS))
def test_uncertainty_is_the_spread_over_replicates(model):
    truth, _, _, parameters, result = replicates(model)
    truth = truth | macro(truth)
    assert (result["status"] == 1).mean() > 0.99
    for name in parameters:
        estimate, sd = column(parameters, result, name), column(parameters, result, name, "std")
        spread = estimate.std()
        assert np.median(sd) == pytest.approx(spread, rel=0.08), name
        assert abs(estimate.mean() - truth[name]) < 5 * spread / np.sqrt(len(estimate)), name
        low, _, high = column(parameters, result, name, "quantiles").T
        inside = np.mean((low <= truth[name]) & (truth[name] <= high))
        assert inside == pytest.approx(0.89, abs=0.03), name  # normal for Student's t: 0.887
    assert (result["noise"] ** 2).mean() == pytest.approx(0.04, rel=0.03)
    # what the true noise-free curve is missed by, in units of its error
    clean = clean_curves(model, truth)
    z = (result["fit"] - clean) / np.maximum(result["fit_std"], 1e-9)
    late = FRAMES.start > 60
    assert np.sqrt((z[:, late] ** 2).mean(0)) == pytest.approx(1.04, abs=0.1)


@pytest.mark.parametrize("model", list(MODELS))
def test_recovers_the_truth_without_noise(model):
    truth = {k: np.atleast_1d(v) for k, v in random_truth(model, 40, seed=9).items()}
    truth["delay"] = np.random.default_rng(1).uniform(-10, 25, 40)
    parameters, result = run(task(model, delay=None), clean_curves(model, truth), starts=3)
    for name, values in truth.items():
        error = np.abs(column(parameters, result, name) - values)
        limit = 0.05 if name == "delay" else 0.01 * np.abs(values)
        assert np.quantile(error - limit, 0.95) < 0, name


def test_delay_is_recovered_from_noisy_curves():
    truth = random_truth("2TCM", 300, seed=11)
    truth["delay"] = np.random.default_rng(2).uniform(-10, 25, 300)
    curves = noisy(clean_curves("2TCM", truth), 3.0, seed=5)
    parameters, result = run(task(delay=None), curves)
    error = column(parameters, result, "delay") - truth["delay"]
    z = error / column(parameters, result, "delay", "std")
    assert np.median(np.abs(error)) < 1.0
    assert np.nanmedian(np.abs(z)) == pytest.approx(0.70, abs=0.15)
    assert (result["status"] == 1).mean() > 0.97


def test_bounds():
    """No blood at all and a K1 beyond its bound."""
    work = task(prior="published", samples=200, predict=True)
    truth = TRUTH | {"VB": 0.0, "K1": 1.6, "delay": 0.0}
    curves = noisy(clean_curves("2TCM", truth), 2.0, n=50, seed=2)
    parameters, result = run(work, curves)
    for name in MODELS["2TCM"].parameters:
        low, high = np.float32(work.prior[name].low), np.float32(work.prior[name].high)
        for what in ("mean", "quantiles", "samples"):
            values = column(parameters, result, name, what)
            assert values.min() >= low and values.max() <= high
    held = np.isnan(column(parameters, result, "K1", "std"))
    assert held.all()
    assert (column(parameters, result, "K1", "quantiles") == 1.0).all()
    assert (column(parameters, result, "K1", "samples") == 1.0).all()
    assert np.isfinite(column(parameters, result, "Ki", "std")).all()


def test_irreversible_at_the_bound_has_no_distribution_volume():
    truth = TRUTH | {"k4": -0.02, "delay": 0.0}
    curves = noisy(clean_curves("2TCM", truth), 0.5, n=10, seed=2)
    parameters, result = run(task(prior="published", samples=10), curves)
    assert (column(parameters, result, "k4") == 0).all()
    for what in ("mean", "std", "quantiles", "samples"):
        assert np.isnan(column(parameters, result, "VT", what)).all()
        assert np.isnan(column(parameters, result, "BPND", what)).all()
    assert np.isfinite(column(parameters, result, "Ki", "std")).all()
    parameters, result = run(task(prior="published-signed"), curves)
    assert column(parameters, result, "k4").mean() == pytest.approx(-0.02, rel=0.1)


def test_noise_modes():
    truth = TRUTH | {"delay": 0.0}
    clean = clean_curves("2TCM", truth)
    curves = noisy(clean, 4.0, n=400, seed=8)
    _, auto = run(task(), curves)
    _, estimated = run(task(noise="estimate"), curves)
    for name in auto:
        np.testing.assert_array_equal(auto[name], estimated[name])
    assert (auto["noise"] ** 2).mean() == pytest.approx(16, rel=0.05)
    assert auto["chi2"] == pytest.approx(1, abs=1e-5)
    _, known = run(task(noise=4.0, predict=True), curves)
    assert (known["noise"] == 4).all()
    assert known["chi2"].mean() == pytest.approx(1, abs=0.05)
    assert known["chi2"].std() == pytest.approx(np.sqrt(2 / (len(FRAMES) - 5)), rel=0.15)
    np.testing.assert_allclose(
        known["sigma"], 4 * np.sqrt((known["fit"] + FLOOR) * GAIN), rtol=1e-4
    )
    same = np.isfinite(auto["std"]).all(1) & np.isfinite(known["std"]).all(1)
    ratio = auto["std"][same] / known["std"][same]
    assert ratio == pytest.approx(np.repeat(auto["noise"][same, None] / 4, 8, 1), rel=1e-2)
    sd = 4 * np.sqrt((clean[0] + FLOOR) * GAIN)
    _, given = run(task(noise=sd, predict=True), curves)
    assert (given["noise"] == 1).all()
    assert given["chi2"].mean() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(given["sigma"], np.repeat(sd[None], 400, 0), rtol=1e-6)
    _, wrong = run(task(noise=1.0), curves)
    assert (wrong["status"] == 4).all()


def test_weights_follow_the_fit_and_not_the_data():
    """One frame low by 6 SD moves the estimate as its variance says, not as its value would."""
    clean = clean_curves("2TCM", TRUTH | {"delay": 0.0})
    curves = noisy(clean, 1.0, n=1, seed=1)
    curves[0, -1] = 1e-3
    work = task(predict=True)
    _, result = run(work, curves)
    assert result["sigma"][0, -1] > 0.5 * result["noise"][0] * np.sqrt(clean[0, -1] * GAIN[-1])


def test_draws():
    _, work, curves, parameters, result = replicates("2TCM")
    some = slice(0, 20)
    drawn = dataclasses.replace(work, samples=4000, predict=False)
    fitter = Nlls(Nlls.Settings(starts=1)).prepare(drawn)
    items = np.arange(100, 120)
    out = fitter.fit(curves[some], items)
    draws = out["samples"]
    assert draws.shape == (20, len(parameters), 4000) and draws.dtype == np.float32
    np.testing.assert_array_equal(out["mean"], result["mean"][some])
    np.testing.assert_allclose(draws.std(2), out["std"], rtol=0.06)  # macro: the delta method
    np.testing.assert_allclose(draws.mean(2), out["mean"], atol=1e-9, rtol=0.02)
    named = dict(zip(parameters, draws.transpose(1, 0, 2), strict=True))
    np.testing.assert_allclose(
        named["Ki"], named["K1"] * named["k3"] / (named["k2"] + named["k3"]), rtol=1e-5
    )
    np.testing.assert_allclose(
        named["VT"], named["K1"] / named["k2"] * (1 + named["k3"] / named["k4"]), rtol=1e-5
    )
    spread = clean_curves("2TCM", {p: named[p][0].astype(float) for p in MODELS["2TCM"].parameters})
    np.testing.assert_allclose(spread.std(0)[10:], result["fit_std"][0, 10:], rtol=0.06)
    again = fitter.fit(curves[3:4], items[3:4])
    np.testing.assert_array_equal(again["samples"][0], draws[3])
    other = fitter.fit(curves[3:4], items[4:5])
    assert np.mean(other["samples"][0] == draws[3]) < 0.01


@pytest.mark.parametrize("delay", [0.0, None])
def test_bits_do_not_depend_on_the_batch(delay, monkeypatch):
    truth = random_truth("2TCM", 70, seed=3)
    curves = noisy(clean_curves("2TCM", truth), 8.0, seed=6)
    work = task(prior="default", delay=delay, samples=3, predict=True)
    fitter = Nlls().prepare(work)
    items = np.arange(70)
    together = fitter.fit(curves, items)
    backwards = fitter.fit(curves[::-1], items[::-1])
    for name in together:
        np.testing.assert_array_equal(together[name], backwards[name][::-1])
    monkeypatch.setattr("betaplus.kinetics.nlls._BATCH", 9)
    split = Nlls().prepare(work).fit(curves, items)
    for name in together:
        np.testing.assert_array_equal(together[name], split[name])
    for i in (0, 31, 69):
        alone = fitter.fit(curves[i : i + 1], items[i : i + 1])
        for name in together:
            np.testing.assert_array_equal(together[name][i : i + 1], alone[name])


def test_shapes_and_types():
    curves = noisy(clean_curves("2TCM", TRUTH), 2.0, n=3)
    parameters, out = run(task(delay=None, samples=5, predict=True), curves)
    assert parameters == ("K1", "k2", "k3", "k4", "VB", "Ki", "VT", "BPND", "delay")
    shapes = {
        "mean": (3, 9),
        "std": (3, 9),
        "quantiles": (3, 9, 3),
        "samples": (3, 9, 5),
        "ess": (3,),
        "chi2": (3,),
        "noise": (3,),
        "aic": (3,),
        "bic": (3,),
        "status": (3,),
        "fit": (3, 28),
        "fit_std": (3, 28),
        "sigma": (3, 28),
    }
    assert {name: value.shape for name, value in out.items()} == shapes
    assert out.pop("status").dtype == np.uint8
    assert {value.dtype for value in out.values()} == {np.dtype(np.float32)}
    assert np.isnan(out["ess"]).all()
    parameters, out = run(task("1TCM"), curves)
    assert parameters == ("K1", "k2", "VB", "VT")
    assert set(out) == {"mean", "std", "quantiles", "ess", "chi2", "noise", "aic", "bic", "status"}
    _, out = run(task("1TCM"), curves[:0])
    assert out["quantiles"].shape == (0, 4, 3)


def test_misfits_are_marked():
    clean = clean_curves("2TCM", TRUTH | {"k3": 0.5, "delay": 0.0})
    curves = noisy(clean, 0.5, n=20)
    assert (run(task("2TCM"), curves)[1]["status"] == 1).all()
    assert (run(task("1TCM"), curves)[1]["status"] == 4).all()
    assert (run(task("2TCM"), curves, max_iterations=1)[1]["status"] == 4).all()
    curves[3, 5] = np.nan
    status = run(task("2TCM"), curves)[1]["status"]
    assert status[3] == 4 and (np.delete(status, 3) == 1).all()


def test_settings():
    assert find_method("nlls") is Nlls
    settings = make_settings(Nlls.Settings, {"starts": "5", "reweightings": "0"})
    assert (settings.starts, settings.reweightings) == (5, 0)
    with pytest.raises(UsageError, match="starts=0"):
        Nlls.Settings(starts=0)
    with pytest.raises(UsageError, match="reweightings=-1"):
        Nlls.Settings(reweightings=-1)
    few = task(frames=FrameTiming.from_durations([60.0] * 5))
    with pytest.raises(UsageError, match="5 frames for the 5 free parameters of 2TCM"):
        Nlls().prepare(few)


def test_bounds_are_those_of_the_prior():
    narrow = {**PRIORS["default"], "k2": Distribution(dist="uniform", low=0.7, high=0.9)}
    curves = noisy(clean_curves("2TCM", TRUTH | {"delay": 0.0}), 0.5, n=5)
    parameters, result = run(task(prior=Prior("narrow", narrow)), curves)
    np.testing.assert_array_equal(column(parameters, result, "k2"), np.float32(0.7))
