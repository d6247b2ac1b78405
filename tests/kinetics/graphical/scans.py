"""Curves of compartment systems from an ODE solver, and tasks to fit them."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
from scipy.integrate import solve_ivp

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.prior import PRIORS
from betaplus.physics.frame_curve import curve_through_means
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse

HALF_LIFE = 1221.84
FRAMES = FrameTiming.from_durations(
    [5.0] * 10 + [10] * 4 + [30] * 3 + [60] * 4 + [120] * 4 + [300] * 15
)


def plasma() -> InputCurve:
    time = np.array([0, 8, 12, 16, 20, 26, 34, 50, 80, 150, 300, 700, 1500, 2600, 3800, 6000.0])
    value = np.array([0, 0, 9, 50, 60, 41, 30, 22, 16, 11, 7.5, 5, 3.1, 2.2, 1.7, 1.1]) * 1e3
    return InputCurve(time, value, value * np.linspace(1.05, 0.8, time.size), "Bq/mL")


@functools.cache
def one_tissue(K1, k2):
    return _solved(((-k2,),), (K1,), (1.0,))


@functools.cache
def two_tissue(K1, k2, k3, k4):
    return _solved(((-k2 - k3, k4), (k3, -k4)), (K1, 0.0), (1.0, 1.0))


def _solved(matrix, entry, seen):
    """Frame values: the ODE of the tissues with the decayed integral of what is seen beside it."""
    matrix, entry, seen = (np.array(v, dtype=float) for v in (matrix, entry, seen))
    curve, decay = plasma(), np.log(2) / HALF_LIFE

    def rhs(t, x):
        inflow = entry * np.interp(t, curve.time, curve.plasma)
        tissue = x[:-1]
        return np.append((matrix @ tissue + inflow) / 60, seen @ tissue * np.exp(-decay * t))

    edges = np.union1d(FRAMES.start, FRAMES.end)
    stops = np.union1d(edges, curve.time[curve.time < edges[-1]])
    state, integral = np.zeros(len(seen) + 1), {0.0: 0.0}
    for a, b in itertools.pairwise(stops):  # the input is smooth inside each piece
        step = solve_ivp(rhs, (a, b), state, rtol=1e-9, atol=1e-9, method="DOP853")
        state = step.y[:, -1]
        integral[float(b)] = state[-1]
    spans = zip(FRAMES.start, FRAMES.end, strict=True)
    sums = np.array([integral[float(e)] - integral[float(s)] for s, e in spans])
    return sums * FRAMES.decay_factors(HALF_LIFE) / FRAMES.duration


K1_REF, K2_REF = 0.09, 0.12


def reference() -> np.ndarray:
    return one_tissue(K1_REF, K2_REF)


def target(R1, BPND) -> np.ndarray:
    """A region that is truly SRTM: one tissue, k2a = R1 k2' / (1 + BPND)."""
    return one_tissue(R1 * K1_REF, R1 * K2_REF / (1 + BPND))


def task(model, **changes) -> Task:
    base = Task(
        curve=plasma(),
        frames=FRAMES,
        half_life=HALF_LIFE,
        model=model,
        prior=PRIORS["default"],
        delay=None,
    )
    return dataclasses.replace(base, **changes)


def reference_task(model, **changes) -> Task:
    means = reference()
    curve = curve_through_means(FRAMES, means, HALF_LIFE)
    return task(model, **{"curve": curve, "reference": means, **changes})


def noisy(work, clean, level, n, seed=0) -> np.ndarray:
    response = InputResponse(work.curve, work.frames, work.half_life)
    gain = noise_gain(work.frames, work.half_life)
    sd = level * np.sqrt((np.maximum(clean, 0) + noise_floor(response)) * gain)
    return clean + sd * np.random.default_rng(seed).standard_normal((n, len(clean)))


def run(method, work, curves, **settings):
    """Results by name, parameters among them, each of shape (n, ...)."""
    kind = find_method(method)
    fitter = kind(kind.Settings(**settings)).prepare(work)
    curves = np.atleast_2d(curves)
    out = fitter.fit(curves, np.arange(len(curves)))
    for i, name in enumerate(fitter.parameters):
        out[name] = out["mean"][:, i].astype(float)
        out[f"{name}_sd"] = out["std"][:, i].astype(float)
    return out


def check_bits(method, work, curves, module, monkeypatch, **settings):
    """A curve has the same bits alone, in a batch, and wherever it stands in one."""
    kind = find_method(method)
    fitter = kind(kind.Settings(**settings)).prepare(work)
    items = np.arange(len(curves))
    together = fitter.fit(curves, items)
    backwards = fitter.fit(curves[::-1], items[::-1])
    monkeypatch.setattr(f"{module}._BATCH", 7)
    split = fitter.fit(curves, items)
    for name in together:
        np.testing.assert_array_equal(together[name], backwards[name][::-1])
        np.testing.assert_array_equal(together[name], split[name])
    for i in (0, len(curves) // 2, len(curves) - 1):
        alone = fitter.fit(curves[i : i + 1], items[i : i + 1])
        for name in together:
            np.testing.assert_array_equal(together[name][i : i + 1], alone[name])


def check_spread(out, name, tolerance=0.1):
    """SDs are those over replicates; SDs of few degrees of freedom compare by their squares."""
    found = float(np.std(out[name], ddof=1))
    claimed = float(np.sqrt(np.mean(out[f"{name}_sd"] ** 2)))
    assert abs(claimed / found - 1) < tolerance, (name, claimed, found)
