"""SRTM by least squares against an ODE, scipy and replicates."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.optimize import curve_fit, least_squares, lsq_linear
from scipy.signal import lfilter
from tests.kinetics.graphical.scans import (
    FRAMES,
    HALF_LIFE,
    K2_REF,
    check_bits,
    check_spread,
    noisy,
    reference,
    reference_task,
    run,
    target,
    task,
    two_tissue,
)

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.kinetics.nlls import Nlls
from betaplus.kinetics.prior import PRIORS, Distribution
from betaplus.kinetics.srtm_nlls import SrtmFitter, _Grid
from betaplus.physics.reference_region import srtm
from betaplus.physics.response import InputResponse


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def srtm_task(**changes):
    return reference_task("SRTM", **changes)


def fit(work, curves, **settings):
    return run("nlls", work, curves, **settings)


@pytest.mark.parametrize(("R1", "BPND"), [(1.1, 1.7), (0.8, 0.0), (1.3, 4.0), (0.6, -0.3), (1, 12)])
def test_known_binding(R1, BPND):
    out = fit(srtm_task(), target(R1, BPND))
    assert out["R1"][0] == pytest.approx(R1, rel=0.005)
    assert out["k2"][0] == pytest.approx(R1 * K2_REF, rel=0.005)
    assert out["BPND"][0] == pytest.approx(BPND, rel=0.005, abs=1e-4)
    assert out["status"][0] == 1


def test_two_tissues_in_fast_exchange():
    """The full reference tissue model, k3 / k4 = BPND, exchange faster than the scan sees."""
    y = two_tissue(1.1 * 0.09, 1.1 * K2_REF, 2.0, 1.0)
    out = fit(srtm_task(), y)
    assert out["BPND"][0] == pytest.approx(2.0, rel=0.03)
    assert out["R1"][0] == pytest.approx(1.1, rel=0.05)


def by_recursion(curve):
    """Frame means of SRTM on a grid of 0.5 s, with nothing of ours but the reference curve."""
    step = 0.5
    t = np.arange(0, FRAMES.end[-1] + step / 2, step)
    value = np.interp(t, curve.time, curve.plasma)
    decayed = np.exp(-np.log(2) / HALF_LIFE * t)
    edge = np.searchsorted(t, np.stack([FRAMES.start, FRAMES.end]) - 1e-6)

    def means(x):
        sums = [
            np.r_[0, np.cumsum(np.diff(t) * (v[1:] + v[:-1]) / 2)] for v in (x * decayed, decayed)
        ]
        total, weight = (s[edge[1]] - s[edge[0]] for s in sums)
        return total / weight

    def model(_, R1, k2, BPND):
        k2a = k2 / (1 + BPND) / 60
        fade = np.exp(-k2a * step)
        inflow = np.r_[0, step * (fade * value[:-1] + value[1:]) / 2]
        convolved = means(lfilter([1.0], [1.0, -fade], inflow)) / 60
        return R1 * reference() + (k2 - R1 * 60 * k2a) * convolved

    return model


def test_equals_scipy():
    sd = 20.0 + 0.02 * target(1.1, 1.7)
    work = srtm_task(noise=sd)
    model = by_recursion(work.curve)
    rng = np.random.default_rng(2)
    for R1, BPND in ((1.1, 1.7), (0.8, 0.3), (1.3, 4.0)):
        y = target(R1, BPND) + sd * rng.standard_normal(len(sd))
        values, covariance = curve_fit(
            model,
            FRAMES.mid,
            y,
            p0=(1.0, 0.1, 1.0),
            sigma=sd,
            absolute_sigma=True,
            xtol=1e-12,
            ftol=1e-12,
        )
        out = fit(work, y)
        expected = np.sqrt(np.diag(covariance))
        np.testing.assert_allclose(out["std"][0], expected, rtol=0.01)
        assert (np.abs(out["mean"][0] - values) < 0.01 * expected).all()


@functools.cache
def replicates(noise="auto"):
    work = srtm_task(predict=True, noise=noise)
    clean = target(1.1, 1.7)
    return clean, fit(work, noisy(work, clean, 3.0, 1200))


@pytest.mark.parametrize("noise", ["auto", 3.0])
def test_spread(noise):
    clean, out = replicates(noise)
    for name, truth in (("R1", 1.1), ("k2", 1.1 * K2_REF), ("BPND", 1.7)):
        check_spread(out, name, 0.08)
        assert out[name].mean() == pytest.approx(truth, rel=0.02)
    assert np.sqrt(np.mean(out["noise"].astype(float) ** 2)) == pytest.approx(3.0, rel=0.03)
    assert (out["status"] == 1).mean() > 0.99
    late = FRAMES.start > 60
    claimed = np.sqrt(np.mean(out["fit_std"][:, late].astype(float) ** 2, 0))
    np.testing.assert_allclose(claimed, out["fit"][:, late].std(0), rtol=0.12)
    np.testing.assert_allclose(out["fit"][:, late].mean(0), clean[late], rtol=0.01)


def test_grid_is_the_best_of_bounded_problems():
    """At every node R1 and k2 within their bounds by scipy; the least of all nodes."""
    work = srtm_task()
    low, high = (
        np.array([getattr(work.prior[p], end) for p in ("R1", "k2", "BPND")])
        for end in ("low", "high")
    )
    response = InputResponse(work.curve, FRAMES, HALF_LIFE)
    grid = _Grid(response, *(torch.from_numpy(v) for v in (reference(), low, high)))
    assert len(grid.k2a) >= 100
    ends = low[1] / (1 + high[2]), high[1] / (1 + low[2])
    np.testing.assert_allclose(grid.k2a[[0, -1]], ends)
    rng = np.random.default_rng(1)
    curves = [target(*r) for r in ((1.1, 1.7), (0.05, 0.3), (4.0, 1.0), (1.0, 30.0))]
    curves = np.stack(curves) + 300 * rng.standard_normal((4, len(FRAMES)))
    weight = rng.uniform(0.5, 2.0, curves.shape)
    found = grid.best(torch.from_numpy(curves), torch.from_numpy(weight)).numpy()
    convolved = response.tissue(grid.k2a).numpy()
    for y, w, ours in zip(curves, np.sqrt(weight), found, strict=True):
        least = np.inf
        for k2a, c in zip(grid.k2a.numpy(), convolved, strict=True):
            design = np.stack([reference() - k2a * c, c], 1) * w[:, None]
            k2 = np.clip(np.array([1 + low[2], 1 + high[2]]) * k2a, low[1], high[1])
            if k2[0] < k2[1]:
                box = ([low[0], k2[0]], [high[0], k2[1]])
                least = min(least, lsq_linear(design, y * w, box, method="bvls").cost)
        R1, k2, BPND = (torch.tensor([v]) for v in ours)
        curve = srtm(response, torch.from_numpy(reference()), R1, k2, BPND)[0].numpy()
        assert np.sum((w * (curve - y)) ** 2) / 2 == pytest.approx(least, rel=1e-6)
        assert (ours >= low - 1e-9).all() and (ours <= high + 1e-9).all()


def test_the_grid_finds_the_least_cost():
    """No start of a local search from random points ends lower, however noisy the curve."""
    sd = np.full(len(FRAMES), 300.0)
    work = srtm_task(noise=sd)
    low, high = (
        np.array([getattr(work.prior[p], e) for p in ("R1", "k2", "BPND")]) for e in ("low", "high")
    )
    fitter = SrtmFitter(Nlls.Settings(), work)
    rng = np.random.default_rng(0)

    def residual(v, y):
        return (fitter._curve(torch.from_numpy(v[None].copy()))[0][0].numpy() - y) / sd

    curves = np.stack([target(*r) for r in ((1.1, 1.7), (0.8, 0.3), (1.3, 4.0))] * 3)
    curves += sd * rng.standard_normal(curves.shape)
    out = fit(work, curves)
    for y, ours in zip(curves, out["mean"].astype(float), strict=True):
        ours = np.clip(ours, low, high)
        starts = low + (high - low) * rng.random((8, 3)) ** 2
        least = min(
            least_squares(residual, s, args=(y,), bounds=(low, high), x_scale=high).cost
            for s in starts
        )
        assert np.sum(residual(ours, y) ** 2) / 2 <= 1.0001 * least


def test_bounds():
    """A curve that asks for BPND = 12 under a bound of 5; one parameter that is known."""
    prior = PRIORS["default"].replaced(BPND=Distribution(dist="uniform", low=-0.5, high=5.0))
    work = srtm_task(prior=prior, samples=200)
    out = fit(work, noisy(work, target(1.0, 12.0), 1.0, 4))
    assert (out["BPND"] == 5).all() and np.isnan(out["BPND_sd"]).all()
    assert (out["quantiles"][:, 2] == 5).all() and (out["samples"][:, 2] == 5).all()
    assert np.isfinite(out["R1_sd"]).all() and (out["R1_sd"] > 0).all()
    known = srtm_task(prior=PRIORS["default"].replaced(R1=Distribution.at(1.0)))
    out = fit(known, target(1.0, 1.7))
    assert out["R1"][0] == 1.0 and np.isnan(out["R1_sd"][0])
    assert out["BPND"][0] == pytest.approx(1.7, rel=0.005)


def test_draws():
    work = srtm_task(samples=4000)
    out = fit(work, noisy(work, target(1.1, 1.7), 3.0, 4))
    assert out["samples"].shape == (4, 3, 4000)
    np.testing.assert_allclose(out["samples"].std(2), out["std"], rtol=0.06)
    np.testing.assert_allclose(out["samples"].mean(2), out["mean"], rtol=0.02)
    high = np.quantile(out["samples"], 0.95, axis=2)
    np.testing.assert_allclose(high, out["quantiles"][:, :, 2], rtol=0.02)
    z = (out["samples"] - out["mean"][:, :, None]) / out["std"][:, :, None]
    assert abs(np.corrcoef(z[0, 0], z[1, 0])[0, 1]) < 0.1  # a stream of its own


def test_bits(monkeypatch):
    work = srtm_task(samples=3, predict=True)
    curves = np.concatenate([noisy(work, target(*r), 4.0, 8) for r in ((1.1, 1.7), (0.8, 0.3))])
    check_bits("nlls", work, curves, "betaplus.kinetics.srtm_nlls", monkeypatch)


def test_misfits_are_marked():
    work = srtm_task(predict=True)
    out = fit(work, noisy(work, target(1.1, 1.7), 1.0, 10))
    assert (out["status"] == 1).all()
    slow = two_tissue(0.09, 0.3, 0.05, 0.02)
    assert (fit(work, noisy(work, slow, 0.3, 5))["status"] == 4).all()
    wrong = fit(srtm_task(noise=0.3), noisy(work, target(1.1, 1.7), 1.0, 5))
    assert (wrong["status"] == 4).all()
    spoilt = noisy(work, target(1.1, 1.7), 1.0, 3)
    spoilt[1, 4] = np.nan
    assert fit(work, spoilt)["status"].tolist() == [1, 4, 1]


def test_keys():
    out = Nlls().prepare(srtm_task(predict=True)).fit(target(1.1, 1.7)[None], np.arange(1))
    assert set(out) == {
        "mean", "std", "quantiles", "ess", "chi2", "noise", "status", "fit", "fit_std", "sigma",
    }  # fmt: skip
    assert Nlls().prepare(srtm_task()).parameters == ("R1", "k2", "BPND")
    empty = Nlls().prepare(srtm_task()).fit(np.zeros((0, 40)), np.arange(0))
    assert empty["quantiles"].shape == (0, 3, 3)


def test_bad_input():
    with pytest.raises(UsageError, match="model SRTM without a reference region"):
        Nlls().prepare(task("SRTM"))
    with pytest.raises(UsageError, match="delay 4 s with model SRTM"):
        Nlls().prepare(srtm_task(delay=4.0))
    few = FrameTiming.from_durations([600.0] * 3)
    with pytest.raises(UsageError, match="3 frames for the 3 parameters of SRTM"):
        Nlls().prepare(srtm_task(frames=few, reference=np.ones(3)))
