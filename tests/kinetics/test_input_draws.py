"""Uncertainty of the parent fraction in the parameters."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from betaplus.core import FrameTiming, InputFunction, TacTable, Tracer, UsageError
from betaplus.kinetics import fit
from betaplus.kinetics.input_draws import draw_inputs, fit_over_inputs
from betaplus.physics.response import InputResponse

FRAMES = FrameTiming.from_durations([10.0] * 6 + [30.0] * 4 + [120.0] * 5 + [300.0] * 8)
TRACER = Tracer.of("C11", name="PBR28")


def blood(noise, seed=0):
    time = np.r_[np.arange(0.0, 120.0, 5.0), np.geomspace(120.0, 3060.0, 18)]
    minutes = time / 60
    plasma = 4e4 * minutes * np.exp(-2.5 * minutes) + 3e3 * (1 - np.exp(-minutes)) * np.exp(
        -0.02 * minutes
    )
    t = np.maximum(minutes, 1e-9)
    fraction = 1 - 0.85 * t**1.6 / (9.0**1.6 + t**1.6)
    drawn = np.full(time.size, np.nan)
    at = np.r_[0, np.arange(12, time.size, 4)]
    drawn[at] = fraction[at] + noise * np.random.default_rng(seed).standard_normal(at.size)
    drawn[0] = 1.0
    return InputFunction(
        time=time,
        plasma=plasma,
        whole_blood=0.9 * plasma,
        parent_fraction=np.clip(drawn, 0, 1),
    )


def curves(source):
    import torch

    response = InputResponse(source.curve(float(FRAMES.end[-1])), FRAMES, TRACER.half_life)
    unit = response.tissue(torch.tensor([0.06], dtype=torch.float64)).numpy()
    values = 0.12 * 0.95 * unit + 0.05 * response.blood().numpy()
    return TacTable(values=values, frames=FRAMES, unit="Bq/mL", names=("a",), tracer=TRACER)


OPTIONS = {"model": "1TCM", "delay": 0.0, "noise": 1.0, "engine": "inline"}


def test_spread_of_the_input_adds_to_the_spread_of_the_parameters():
    """The variance is the mean within plus the variance between, and grows with the blood's."""
    data = curves(blood(0.0))
    inputs = draw_inputs(blood(0.03), "hill", 8, seed=1)
    pooled = fit_over_inputs(data, inputs, samples=100, **OPTIONS)
    single = [fit(data, one, **OPTIONS)["VT"] for one in inputs]
    means = np.array([s.mean[0] for s in single], dtype=float)
    within = np.mean([float(s.std[0]) ** 2 for s in single])
    VT = pooled["VT"]
    assert float(VT.std[0]) == pytest.approx(np.sqrt(within + means.var()), rel=0.02)
    assert float(VT.std[0]) > 1.3 * np.sqrt(within)
    assert VT.samples.shape == (1, 100)
    low, high = (float(VT.quantiles[q][0]) for q in (0.05, 0.95))
    inside = np.quantile(means, [0.0, 1.0])
    assert low < means.mean() < high and high - low > 0.5 * (inside[1] - inside[0])
    exact = fit_over_inputs(data, draw_inputs(blood(0.002), "hill", 8, seed=1), **OPTIONS)
    assert float(exact["VT"].std[0]) < float(VT.std[0])


def test_refusals():
    data = curves(blood(0.0))
    with pytest.raises(UsageError, match="expected hill, exponential or power"):
        draw_inputs(blood(0.02), "samples", 5)
    with pytest.raises(UsageError, match="1 draws of the input"):
        draw_inputs(blood(0.02), "hill", 1)
    with pytest.raises(UsageError, match="with an image"):
        fit_over_inputs(dataclasses.asdict(data), [], **OPTIONS)
