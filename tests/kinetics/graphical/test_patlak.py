"""Patlak: rate constants known, noise, blood, the published figures."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from tests.kinetics.test_real_curves import kmap
from tests.physics.test_patlak import FENG, by_quadrature

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.settings import make_settings
from betaplus.core.tracer import Tracer
from betaplus.kinetics.graphical.patlak import Patlak
from betaplus.kinetics.method import find_method
from betaplus.physics.compartments import predict
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation.input_functions import feng

from .scans import (
    FRAMES,
    HALF_LIFE,
    check_bits,
    check_spread,
    noisy,
    one_tissue,
    plasma,
    run,
    task,
    two_tissue,
)

LATE = 3000.0


@pytest.mark.parametrize("rates", [(0.1, 0.13, 0.06), (0.05, 0.3, 0.02), (0.4, 0.6, 0.2)])
def test_irreversible_tissue(rates):
    K1, k2, k3 = rates
    out = run("patlak", task("Patlak", t_star=LATE), two_tissue(K1, k2, k3, 0.0))
    assert out["Ki"][0] == pytest.approx(K1 * k3 / (k2 + k3), rel=0.005)
    assert out["status"][0] == 1


@pytest.mark.parametrize("t_star", [1200.0, 1800.0])
def test_release_of_the_tracer_lowers_Ki(t_star):
    """k4 > 0, FDG: 16-20 % low in grey matter, 54-61 % in liver, for published rates."""
    time = np.unique(np.r_[np.arange(0, 300, 1.0), np.arange(300, 3601, 20)])
    value = 100 * np.maximum(feng(time / 60 - 0.735, *FENG), 0)
    curve = InputCurve(time, value, value, "Bq/mL")
    frames = FrameTiming.from_durations([300.0] * 12)
    half_life = Tracer.of("F18").half_life
    work = task("Patlak", curve=curve, frames=frames, half_life=half_life, t_star=t_star)
    response = InputResponse(curve, frames, half_life)
    for rates, VB, low, high in (
        ((0.102, 0.130, 0.062, 0.0068), 0.05, 0.155, 0.205),
        ((0.864, 0.981, 0.005, 0.016), 0.0, 0.53, 0.61),
    ):
        names = ("K1", "k2", "k3", "k4", "VB")
        values = {k: torch.tensor([v]).double() for k, v in zip(names, (*rates, VB), strict=True)}
        y = predict(response, values).numpy()
        K1, k2, k3, _ = rates
        off = 1 - run("patlak", work, y, VB=VB)["Ki"][0] / (K1 * k3 / (k2 + k3))
        assert low < off < high


def test_blood_in_the_tissue():
    tissue = two_tissue(0.1, 0.13, 0.06, 0.0)
    blood = InputResponse(plasma(), FRAMES, HALF_LIFE).blood().numpy()
    clean = run("patlak", task("Patlak", t_star=LATE), tissue)
    y = 0.93 * tissue + 0.07 * blood
    mixed = run("patlak", task("Patlak", t_star=LATE, predict=True), y, VB=0.07)
    for name in ("Ki", "V0"):
        assert mixed[name][0] == pytest.approx(clean[name][0], rel=2e-5)
    np.testing.assert_allclose(mixed["fit"][0, -8:], y[-8:], rtol=1e-3)


def test_delay():
    """A tissue on Patlak's line that sees everything 12 s later."""
    y = by_quadrature(plasma(), FRAMES, HALF_LIFE, 12.0) @ [0.03, 0.5]
    at, off = (run("patlak", task("Patlak", t_star=LATE, delay=d), y) for d in (12.0, 0.0))
    assert at["Ki"][0] == pytest.approx(0.03, rel=1e-4)
    assert at["V0"][0] == pytest.approx(0.5, rel=1e-4)
    assert abs(off["V0"][0] - 0.5) > 0.003


def test_dispersion():
    """The sampler smears the input with 20 s; undone, V0 is that of the true input."""
    true = plasma()
    time = np.arange(0, 6001, 1.0)
    value = np.interp(time, true.time, true.plasma)
    tau, fade = 20.0, np.exp(-1 / 20.0)
    rise = 1 - tau * (1 - fade)  # weights of a straight line over each second
    gain = np.r_[0, (1 - fade - rise) * value[:-1] + rise * value[1:]]
    smeared = lfilter([1.0], [1.0, -fade], gain)
    curve = InputCurve(time, smeared, smeared, "Bq/mL")
    y = two_tissue(0.1, 0.13, 0.06, 0.0)
    expected = run("patlak", task("Patlak", t_star=LATE), y)
    undone = run("patlak", task("Patlak", t_star=LATE, curve=curve, dispersion=tau), y)
    left = run("patlak", task("Patlak", t_star=LATE, curve=curve), y)
    assert undone["V0"][0] == pytest.approx(expected["V0"][0], rel=1e-4)
    assert abs(left["V0"][0] - expected["V0"][0]) > 0.005


def test_late_frames_alone_will_do():
    """A scan of the last half hour, with a gap."""
    late = np.flatnonzero(FRAMES.start >= LATE)
    late = np.delete(late, 2)
    y = two_tissue(0.1, 0.13, 0.06, 0.0)
    work = task("Patlak", frames=FRAMES.select(late), t_star=0.0)
    out = run("patlak", work, y[late])
    assert out["Ki"][0] == pytest.approx(0.1 * 0.06 / 0.19, rel=0.005)
    assert out["frames_used"][0] == len(late)


@functools.cache
def replicates(noise="auto"):
    work = task("Patlak", t_star=1200.0, predict=True, noise=noise)
    clean = two_tissue(0.1, 0.13, 0.06, 0.0)
    return work, clean, run("patlak", work, noisy(work, clean, 3.0, 1500))


@pytest.mark.parametrize("noise", ["auto", 3.0])
def test_spread(noise):
    _, clean, out = replicates(noise)
    exact = run("patlak", task("Patlak", t_star=1200.0), clean)
    for name in ("Ki", "V0"):
        check_spread(out, name, 0.06)
        assert abs(out[name].mean() - exact[name][0]) < 0.1 * out[name].std()
    assert np.sqrt(np.mean(out["noise"].astype(float) ** 2)) == pytest.approx(3.0, rel=0.03)
    assert out["chi2"].mean() == pytest.approx(1.0, abs=0.05)
    used = FRAMES.start >= 1200
    assert np.isnan(out["fit"][:, ~used]).all() and np.isnan(out["fit_std"][:, ~used]).all()
    claimed = np.sqrt(np.mean(out["fit_std"][:, used].astype(float) ** 2, 0))
    np.testing.assert_allclose(claimed, out["fit"][:, used].std(0), rtol=0.1)
    response = InputResponse(plasma(), FRAMES, HALF_LIFE)
    sd = 3.0 * np.sqrt((clean + noise_floor(response)) * noise_gain(FRAMES, HALF_LIFE))
    np.testing.assert_allclose(np.median(out["sigma"], 0)[used], sd[used], rtol=0.05)
    assert (out["status"] == 1).mean() > 0.99
    cover = np.abs(out["Ki"] - exact["Ki"][0]) < 1.645 * out["Ki_sd"]
    assert 0.86 < cover.mean() < 0.93


def test_given_standard_deviations():
    _, clean, _ = replicates()
    sd = 5.0 + np.arange(len(FRAMES)) * 3.0
    curves = clean + sd * np.random.default_rng(5).standard_normal((800, len(FRAMES)))
    out = run("patlak", task("Patlak", t_star=1200.0, noise=sd), curves)
    for name in ("Ki", "V0"):
        check_spread(out, name, 0.08)
    assert (out["noise"] == 1).all()
    wrong = run("patlak", task("Patlak", t_star=1200.0, noise=sd / 4), curves)
    assert (wrong["status"] == 4).mean() > 0.99


def test_draws():
    work, clean, _ = replicates()
    out = run("patlak", task("Patlak", t_star=1200.0, samples=4000), noisy(work, clean, 3.0, 5))
    draws = out["samples"]
    assert draws.shape == (5, 2, 4000) and draws.dtype == np.float32
    np.testing.assert_allclose(draws.mean(2), out["mean"], rtol=0.02)
    np.testing.assert_allclose(draws.std(2), out["std"], rtol=0.05)
    high = np.quantile(draws, 0.95, axis=2)
    np.testing.assert_allclose(high, out["quantiles"][:, :, 2], rtol=0.02)
    assert np.corrcoef(draws[0])[0, 1] < -0.5  # slope against intercept


def test_bits(monkeypatch):
    work = task("Patlak", samples=3, predict=True)
    curves = [noisy(work, two_tissue(0.1, 0.13, 0.06, k4), 4.0, 12) for k4 in (0.0, 0.03)]
    curves = np.concatenate(curves)
    check_bits("patlak", work, curves, "betaplus.kinetics.graphical.fitter", monkeypatch)


def test_shapes_and_types():
    curves = np.stack([two_tissue(0.1, 0.13, 0.06, 0.0)] * 3)
    curves[1, -2] = np.nan
    out = Patlak().prepare(task("Patlak", t_star=1200.0)).fit(curves, np.arange(3))
    assert out["quantiles"].shape == (3, 2, 3)
    assert set(out) == {
        "mean", "std", "quantiles", "ess", "chi2", "noise", "status", "t_star", "frames_used",
    }  # fmt: skip
    assert out["status"].tolist() == [1, 4, 1] and out["status"].dtype == np.uint8
    assert {v.dtype for k, v in out.items() if k != "status"} == {np.dtype(np.float32)}
    assert Patlak().prepare(task("Patlak")).fit(curves[:0], np.arange(0))["mean"].shape == (0, 2)


def test_settings():
    assert find_method("patlak") is Patlak
    settings = make_settings(Patlak.Settings, {"VB": "0.05", "least_frames": "4"})
    assert (settings.VB, settings.least_frames) == (0.05, 4)
    for name, value in (("VB", 1.0), ("max_error", 0.0), ("least_frames", 2), ("reweightings", -1)):
        with pytest.raises(UsageError, match=f"setting {name}={value:g}"):
            Patlak.Settings(**{name: value})


def test_grey_matter(reference_data):
    """KMAP grey matter, last 10 frames: Ki about .0372 per min."""
    tacs, blood = kmap(reference_data, "2tcm", "GM")
    curve = blood.curve(float(tacs.frames.end[-1]))
    work = task(
        "Patlak",
        curve=curve,
        frames=tacs.frames,
        half_life=tacs.tracer.half_life,
        t_star=float(tacs.frames.start[-10]),
    )
    out = run("patlak", work, tacs.values)
    assert out["frames_used"][0] == 10
    assert out["Ki"][0] == pytest.approx(0.0372, abs=0.0004)


def test_reversible_tissue_has_no_trapping():
    out = run("patlak", task("Patlak", t_star=LATE), one_tissue(0.1, 0.3))
    assert abs(out["Ki"][0]) < 0.001
