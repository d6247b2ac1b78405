"""Options of a fit that are not methods: weights, delays, glucose, references, remarks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core import FrameTiming, InputCurve, InputError, TacTable, Tracer, UsageError
from betaplus.kinetics import PRIORS, Distribution, fit
from betaplus.kinetics.models import KINETIC_MODELS, resolve
from betaplus.physics.frame_curve import curve_through_means
from betaplus.physics.response import InputResponse

FRAMES = FrameTiming.from_durations([5.0] * 12 + [30.0] * 6 + [120.0] * 5 + [300.0] * 6)
TIME = np.r_[np.arange(0.0, 120.0, 2.0), np.geomspace(120.0, FRAMES.end[-1], 60)]
MINUTES = np.maximum(TIME - 15.0, 0.0) / 60.0
PLASMA = 5e4 * MINUTES * np.exp(-3.0 * MINUTES) + 2e3 * (1 - np.exp(-2 * MINUTES))
CURVE = InputCurve(TIME, PLASMA, 0.9 * PLASMA, "Bq/mL")
TRACER = Tracer.of("F18", name="FDG")


def table(delays=(6.0, 6.0), level=1.0):
    import torch

    response = InputResponse(CURVE, FRAMES, TRACER.half_life)
    rates = torch.tensor([0.3, 0.5], dtype=torch.float64)
    delay = torch.tensor(delays, dtype=torch.float64)
    clean = 0.3 * 0.9 * response.tissue(rates, delay) + 0.1 * response.blood(delay)
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    values = clean.numpy() + level * 5 * noise
    return TacTable(values=values, frames=FRAMES, unit="Bq/mL", names=("a", "b"), tracer=TRACER)


OPTIONS = {"model": "1TCM", "method": "nlls", "engine": "inline", "predict": False}


def test_delay_once_and_from_a_region():
    data = table(delays=(6.0, 14.0))
    region = fit(data, CURVE, delay="region:b", **OPTIONS)
    assert region.settings["delay"] == pytest.approx(14.0, abs=0.5)
    assert region.settings["delay_from"] == "region b"
    once = fit(table(), CURVE, delay="fit-once", **OPTIONS)
    assert once.settings["delay"] == pytest.approx(6.0, abs=0.5)
    assert "delay" not in once.parameters
    with pytest.raises(InputError, match="region 'c' is not in the table"):
        fit(data, CURVE, delay="region:c", **OPTIONS)
    fixed = PRIORS["default"].replaced(delay=Distribution.at(6.0))
    assert fit(table(), CURVE, prior=fixed, **OPTIONS).settings["delay"] == 6.0


def test_weights_are_those_of_weighted_least_squares():
    """Uniform, duration and given weights against `scipy.optimize.curve_fit`."""
    import torch
    from scipy.optimize import curve_fit

    data = table(level=20.0)
    response = InputResponse(CURVE, FRAMES, TRACER.half_life)
    blood = response.blood(6.0).numpy()

    def model(_, K1, k2, VB):
        unit = response.tissue(torch.tensor([k2], dtype=torch.float64), 6.0).numpy()[0]
        return K1 * (1 - VB) * unit + VB * blood

    given = np.linspace(1.0, 3.0, len(FRAMES))
    for weights, relative in (
        ("uniform", np.ones(len(FRAMES))),
        ("duration", FRAMES.duration),
        (given, given),
    ):
        post = fit(data, CURVE, delay=6.0, weights=weights, **OPTIONS)
        best, covariance = curve_fit(
            model, np.arange(len(FRAMES)), data.values[0], [0.3, 0.3, 0.1], relative**-0.5
        )
        got = [float(post[name].mean[0]) for name in ("K1", "k2", "VB")]
        np.testing.assert_allclose(got, best, rtol=1e-3)
        sd = [float(post[name].std[0]) for name in ("K1", "k2", "VB")]
        np.testing.assert_allclose(sd, np.sqrt(np.diag(covariance)), rtol=1e-2)
    exact = fit(data, CURVE, delay=6.0, weights="uniform", model="1TCM", engine="inline")
    flat = fit(data, CURVE, delay=6.0, weights="uniform", **OPTIONS)
    np.testing.assert_allclose(exact["K1"].mean, flat["K1"].mean, atol=0.3 * flat["K1"].std.max())
    for bad, words in (
        ("some", "expected model, uniform"),
        (given[:3], "3 weights for 29 frames"),
        (0 * given, "a weight is not above 0"),
    ):
        with pytest.raises((InputError, UsageError), match=words):
            fit(data, CURVE, weights=bad, **OPTIONS)


def test_glucose_scales_every_number_of_Ki():
    data = table()
    post = fit(
        data, CURVE, model="2TCM3k", method="nlls", delay=6.0, glucose=5.0, lumped_constant=0.8,
        samples=5, engine="inline",
    )  # fmt: skip
    Ki, rate = post["Ki"], post["CMRglc"]
    for name in ("mean", "std", "samples"):
        np.testing.assert_allclose(getattr(rate, name), 625.0 * getattr(Ki, name))
    np.testing.assert_allclose(rate.median, 625.0 * Ki.median)


def test_flow_by_least_squares_is_that_of_its_K1():
    """F and its SD by the delta method: dF = dK1 / (1 - a e^(-b/F) (1 + b/F))."""
    post = fit(table(), CURVE, delay=6.0, extraction=(0.77, 0.63), **OPTIONS)
    F, K1 = post["F"], post["K1"]
    fade = 0.77 * np.exp(-0.63 / F.mean)
    np.testing.assert_allclose(F.mean * (1 - fade), K1.mean, rtol=1e-5)
    np.testing.assert_allclose(F.std, K1.std / (1 - fade * (1 + 0.63 / F.mean)), rtol=1e-4)


def test_a_delay_at_its_limit_is_named():
    prior = PRIORS["default"].replaced(delay=Distribution(dist="uniform", low=-30, high=4))
    post = fit(table(), CURVE, model="1TCM", prior=prior, engine="inline")
    assert any(
        text.startswith("the delay is at the limit of its prior, 4") for text in post.remarks
    )
    free = fit(table(), CURVE, model="1TCM", engine="inline")
    assert not any("limit of its prior" in text for text in free.remarks)


def test_models_and_methods_are_matched():
    assert resolve(None, None, False)[0].name == "2TCM"
    assert resolve(None, None, True)[0].name == "SRTM"
    assert resolve(None, "patlak", False)[0].name == "Patlak"
    assert resolve("Logan", None, True) == (KINETIC_MODELS["RefLogan"], "logan")
    assert resolve("MRTM2", None, True)[1] == "mrtm2"
    with pytest.raises(UsageError, match="method nlls does not serve model Patlak"):
        resolve("Patlak", "nlls", False)


def test_curve_through_means_has_those_means():
    """Means of the curve found are those given, and its tissue response is that of the truth."""
    import torch

    true = InputResponse(CURVE, FRAMES, TRACER.half_life)
    means = true.plasma_mean().numpy()
    found = curve_through_means(FRAMES, means, TRACER.half_life)
    response = InputResponse(found, FRAMES, TRACER.half_life)
    assert (
        np.abs(response.plasma_mean().numpy() - means).max() < 0.03 * means.max()
    )  # at the arrival
    rates = torch.tensor([0.0, 0.1, 0.5], dtype=torch.float64)
    a, b = response.tissue(rates).numpy(), true.tissue(rates).numpy()
    assert np.abs(a - b)[:, -1].max() < 5e-4 * b.max()
    middle = np.r_[0.0, FRAMES.mid, FRAMES.end[-1]]
    naive = np.r_[0.0, means, means[-1]]
    straight = InputResponse(
        dataclasses.replace(found, time=middle, plasma=naive, whole_blood=naive),
        FRAMES,
        TRACER.half_life,
    )
    worse = np.abs(straight.tissue(rates).numpy() - b)[:, -1].max()
    assert worse > 3 * np.abs(a - b)[:, -1].max()
    with pytest.raises(InputError, match="nowhere above 0"):
        curve_through_means(FRAMES, 0 * means, TRACER.half_life)
