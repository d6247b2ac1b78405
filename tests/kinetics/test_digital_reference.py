"""Digital reference curves: compartments by an ODE solver, fitted as if they had been measured.

In the manner of the digital reference objects of OSIPI: the curves share nothing with the package,
neither the input function's formula nor the convolution nor the frame averages.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, solve_ivp

from betaplus.core import FrameTiming, InputCurve, TacTable, Tracer
from betaplus.kinetics import PRIORS, fit

FRAMES = FrameTiming.from_durations(
    [5.0] * 12 + [15] * 4 + [60] * 6 + [120] * 5 + [180] * 4 + [300] * 4
)
HALF_LIFE = {"F18": 6584.04, "C11": 1221.66}
FINE = np.arange(0.0, 3000.0 + 0.25, 0.25)  # s
TISSUES = {  # K1, k2, k3, k4, VB, as published for FDG and for reversible tracers
    "grey matter": ("F18", "2TCM", (0.102, 0.130, 0.062, 0.0068, 0.05)),
    "white matter": ("F18", "2TCM", (0.054, 0.109, 0.045, 0.0058, 0.02)),
    "liver": ("F18", "2TCM", (0.864, 0.981, 0.005, 0.016, 0.0)),
    "lung tumour": ("F18", "2TCM", (0.044, 0.231, 1.149, 0.259, 0.0)),
    "myocardium": ("F18", "2TCM3k", (0.6, 1.2, 0.1, 0.0, 0.3)),
    "tumour": ("F18", "2TCM3k", (0.243, 0.78, 0.1, 0.0, 0.08)),
    "receptor-rich cortex": ("C11", "2TCM", (0.14, 0.09, 0.055, 0.043, 0.05)),
    "perfusion": ("C11", "1TCM", (0.8, 0.9, 0.0, 0.0, 0.1)),
}
DELAY = 6.0


def feng(minutes):
    """Feng's plasma curve with its published FDG parameters, scaled to kBq/mL."""
    t = np.maximum(minutes - 0.735, 0.0)
    fast = (851.1 * t - 21.88 - 20.81) * np.exp(-4.134 * t)
    return 500 * (fast + 21.88 * np.exp(-0.1191 * t) + 20.81 * np.exp(-0.01043 * t)) * (t > 0)


def blood_at(seconds):
    return 0.93 * feng(seconds / 60.0)


def measured(nuclide, rates, delay):
    """Frame means, decay-corrected to injection, of activity that decays while it is counted."""
    K1, k2, k3, k4, VB = rates

    def slopes(seconds, c):
        free, bound = c
        return [
            (K1 * feng((seconds - delay) / 60.0) - (k2 + k3) * free + k4 * bound) / 60.0,
            (k3 * free - k4 * bound) / 60.0,
        ]

    free, bound = solve_ivp(
        slopes, (0, 3000), [0.0, 0.0], t_eval=FINE, rtol=1e-9, atol=1e-6, max_step=2.0
    ).y
    whole = (1 - VB) * (free + bound) + VB * blood_at(FINE - delay)
    decay = np.log(2) / HALF_LIFE[nuclide]
    counts = cumulative_simpson(whole * np.exp(-decay * FINE), x=FINE, initial=0.0)
    share = cumulative_simpson(np.exp(-decay * FINE), x=FINE, initial=0.0)
    edges = [np.interp(t, FINE, counts) for t in (FRAMES.start, FRAMES.end)]
    scale = [np.interp(t, FINE, share) for t in (FRAMES.start, FRAMES.end)]
    return (edges[1] - edges[0]) / (scale[1] - scale[0])


def study(name):
    nuclide, model, rates = TISSUES[name]
    time = np.unique(np.r_[np.arange(0.0, 180.0, 0.5), np.geomspace(180.0, 3000.0, 400)])
    curve = InputCurve(time, feng(time / 60.0), blood_at(time), "Bq/mL")
    table = TacTable(
        values=measured(nuclide, rates, DELAY)[None],
        frames=FRAMES,
        unit="Bq/mL",
        names=(name,),
        tracer=Tracer.of(nuclide, half_life=HALF_LIFE[nuclide]),
    )
    truth = dict(zip(("K1", "k2", "k3", "k4", "VB"), rates, strict=True))
    return table, curve, model, truth


@pytest.mark.parametrize("name", TISSUES)
def test_least_squares_finds_what_was_put_in(name):
    """Noise-free: K1 and rates within 1 %, VB within .004, the delay within .25 s."""
    table, curve, model, truth = study(name)
    post = fit(table, curve, model=model, method="nlls", engine="inline")
    for parameter in post.parameters:
        if parameter in truth:
            got = float(post[parameter].mean[0])
            slack = 0.004 if parameter == "VB" else 2e-4
            assert got == pytest.approx(truth[parameter], rel=0.01, abs=slack), parameter
    assert float(post["delay"].mean[0]) == pytest.approx(DELAY, abs=0.25)


@pytest.mark.parametrize("name", ["grey matter", "tumour", "perfusion"])
def test_the_posterior_closes_in_on_what_was_put_in(name):
    """With a small known noise level the posterior median is within 2 % or two SDs of the truth."""
    table, curve, model, truth = study(name)
    post = fit(table, curve, model=model, noise=0.5, engine="inline", prior=PRIORS["default"])
    for parameter in post.parameters:
        if parameter in truth and truth[parameter] > 0:
            median, sd = float(post[parameter].median[0]), float(post[parameter].std[0])
            assert abs(median - truth[parameter]) < max(0.02 * truth[parameter], 2 * sd)
