"""Studies to learn from: input function, frames, half-life, prior and dose, drawn at random.

Input functions are Feng's model with its parameters spread widely, or measured ones varied: slowed,
dispersed, thinned to another tail, given another blood to plasma ratio.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve
from betaplus.core.seeds import generator
from betaplus.core.tracer import HALF_LIVES
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import PRIORS, Distribution, Prior
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse
from betaplus.simulation.dynamic import frame_means
from betaplus.simulation.input_functions import feng, sample_times
from betaplus.simulation.noise import noise_sd

__all__ = ["Study", "draw_curves", "draw_study"]

_SCHEDULES = (
    ((5.0, 12), (15.0, 4), (60.0, 6), (120.0, 5), (180.0, 4), (300.0, 4)),
    ((10.0, 6), (15.0, 4), (60.0, 3), (120.0, 5), (300.0, 9)),
    ((2.0, 30), (5.0, 12), (10.0, 6), (30.0, 4), (60.0, 10), (300.0, 9)),
    ((10.0, 6), (20.0, 3), (60.0, 4), (120.0, 2), (300.0, 8), (600.0, 5)),
    ((30.0, 4), (60.0, 4), (120.0, 4), (300.0, 10)),
    ((15.0, 8), (60.0, 4), (120.0, 5), (300.0, 15)),
)  # durations [s] and how many of each
_MODELS, _MODEL_SHARES = ("2TCM", "2TCM3k", "1TCM"), (0.76, 0.12, 0.12)
_PRIORS, _PRIOR_SHARES = ("published", "default", "published-signed"), (0.45, 0.45, 0.10)
_ACTIVITY = (8.0, 8e4)  # time average of plasma [Bq/mL]
_LEVEL = (1.5, 25.0)  # noise level l where the prior is wide open


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """A task, and the noise levels its curves are given.

    Attributes:
        task: What is to be fitted.
        delay: Distribution of the true delay [s], which the task may know or not.
        noise: Distribution of l.
    """

    task: Task
    noise: Distribution


def draw_study(
    seed: int, item: int, measured: Sequence[InputCurve] = (), share: float = 0.5
) -> Study:
    """Return study number `item`.

    Args:
        seed: Seed of the whole set.
        item: Which study.
        measured: Measured input functions to vary.
        share: Share of studies that start from a measured one, if there are any.
    """
    rng = generator(seed, item, draw=20)
    frames = _frames(rng)
    end = float(frames.end[-1])
    half_life = HALF_LIVES[str(rng.choice(["F18", "C11", "Ga68"], p=[0.6, 0.35, 0.05]))]
    if measured and rng.random() < share:
        curve = _varied(measured[int(rng.integers(len(measured)))], end, rng)
    else:
        curve = _feng(end, rng)
    prior = PRIORS[str(rng.choice(_PRIORS, p=_PRIOR_SHARES))]
    model = str(rng.choice(_MODELS, p=_MODEL_SHARES))
    delay = _delay(prior, rng)
    average = np.trapezoid(curve.plasma, curve.time) / (curve.time[-1] - curve.time[0])
    activity = np.exp(rng.uniform(*np.log(_ACTIVITY)))
    noise = prior["noise"]
    if prior.name == "default":
        noise = Distribution(dist="loguniform", low=_LEVEL[0], high=_LEVEL[1])
        activity = max(activity, 100.0)
    scale = activity / average
    task = Task(
        curve=InputCurve(curve.time, scale * curve.plasma, scale * curve.whole_blood, "Bq/mL"),
        frames=frames,
        half_life=half_life,
        model=model,
        prior=prior,
        delay=delay,
        seed=item,
    )
    return Study(task=task, noise=noise)


def draw_curves(study: Study, n: int, seed: int, item: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the parameters (n, 6) of n curves in the order of `PLACES`, and the curves (n, T)."""
    rng = generator(seed, item, draw=21)
    task = study.task
    prior = task.prior
    names = {"1TCM": ("K1", "k2", "VB"), "2TCM3k": ("K1", "k2", "k3", "VB")}.get(
        task.model, ("K1", "k2", "k3", "k4", "VB")
    )
    truth = {name: prior[name].at_probit(rng.standard_normal(n)) for name in names}
    delay = (
        prior["delay"].at_probit(rng.standard_normal(n))
        if task.delay is None
        else np.full(n, task.delay)
    )
    level = study.noise.at_probit(rng.standard_normal(n))
    response = InputResponse(task.curve, task.frames, task.half_life)
    clean = frame_means(response, truth, delay)
    gain = noise_gain(task.frames, task.half_life)
    sd = noise_sd(clean, level[:, None], gain, noise_floor(response))
    rows = np.zeros((n, 6))
    for place, name in enumerate(("K1", "k2", "k3", "k4", "VB")):
        if name in truth:
            rows[:, place] = truth[name]
    rows[:, 5] = delay
    return rows, clean + sd * rng.standard_normal(clean.shape)


def _delay(prior: Prior, rng: np.random.Generator) -> float | None:
    if rng.random() < 0.5:
        return None
    if prior.known_delay is not None and rng.random() < 0.6:
        return prior.known_delay
    return float(rng.uniform(-15.0, 30.0))


def _frames(rng: np.random.Generator) -> FrameTiming:
    if rng.random() < 0.5:
        blocks = _SCHEDULES[int(rng.integers(len(_SCHEDULES)))]
        durations = [seconds for seconds, count in blocks for _ in range(count)]
        keep = len(durations) - int(rng.integers(0, 5))
        return FrameTiming.from_durations(durations[:keep])
    first = float(rng.choice([2.0, 5.0, 10.0, 15.0, 20.0, 30.0]))
    longest = float(rng.choice([180.0, 300.0, 600.0]))
    end = 60.0 * rng.uniform(40.0, 110.0)
    growth = rng.uniform(1.06, 1.25)
    durations, total, wanted = [], 0.0, first
    while total < end and len(durations) < 64:
        durations.append(5.0 * max(round(wanted / 5.0), 1) if wanted >= 5.0 else wanted)
        total += durations[-1]
        if total > 12.0 * first:
            wanted = min(wanted * growth, longest)
    return FrameTiming.from_durations(durations)


def _feng(end: float, rng: np.random.Generator) -> InputCurve:
    time = _knots(end, rng)
    amplitudes = np.exp([rng.normal(5.3, 0.7), rng.normal(1.4, 0.6), rng.normal(1.0, 0.6)])
    rates = np.exp([rng.normal(1.5, 0.35), rng.normal(-1.8, 0.6), rng.normal(-4.6, 0.6)])
    arrival = rng.uniform(0.0, 40.0)
    plasma = np.maximum(feng((time - arrival) / 60.0, amplitudes, rates), 0.0)
    if rng.random() < 0.3:  # metabolites leave the parent curve
        a, half = rng.uniform(0.5, 0.95), rng.uniform(5.0, 40.0)
        minutes = time / 60.0
        plasma = plasma * (1.0 - a * minutes**1.6 / (half**1.6 + minutes**1.6))
    return _with_blood(time, plasma, rng)


def _varied(curve: InputCurve, end: float, rng: np.random.Generator) -> InputCurve:
    time = _knots(end, rng)
    stretch = np.exp(0.2 * rng.standard_normal())
    shift = rng.uniform(-10.0, 20.0)
    at = np.maximum((time - shift) / stretch, 0.0)
    plasma = np.interp(at, curve.time, curve.plasma, left=0.0)
    last = curve.time[-1]
    late = curve.time > 0.6 * last
    slope = 0.0
    if late.sum() > 1 and curve.plasma[late][-1] > 0:
        first_value = max(curve.plasma[late][0], 1e-9)
        slope = np.log(first_value / curve.plasma[late][-1]) / (last - curve.time[late][0])
    plasma = plasma * np.where(at > last, np.exp(-max(slope, 0.0) * (at - last)), 1.0)
    tilt = 0.25 * rng.standard_normal()  # a slower or faster tail
    plasma = plasma * (1.0 + np.maximum(at, 0.0) / 600.0) ** tilt
    if rng.random() < 0.4:
        tau = rng.uniform(2.0, 12.0)
        fine = np.arange(0.0, 400.0, 1.0)
        kernel = np.exp(-fine[: int(8 * tau)] / tau)
        early = np.interp(fine, time, plasma)
        blurred = np.convolve(early, kernel / kernel.sum())[: fine.size]
        plasma = np.where(time < 390.0, np.interp(time, fine, blurred), plasma)
    return _with_blood(time, np.maximum(plasma, 0.0), rng)


def _knots(end: float, rng: np.random.Generator) -> np.ndarray:
    time = sample_times(end)
    if rng.random() < 0.5:
        time = np.unique(np.concatenate([np.arange(0.0, 180.0, 1.5), time]))
    return time


def _with_blood(time: np.ndarray, plasma: np.ndarray, rng: np.random.Generator) -> InputCurve:
    if rng.random() < 0.3:
        return InputCurve(time, plasma, plasma, "Bq/mL")
    early, late = rng.uniform(0.6, 1.1), rng.uniform(0.7, 1.6)
    ratio = late + (early - late) * np.exp(-time / (60.0 * rng.uniform(3.0, 30.0)))
    return InputCurve(time, plasma, plasma * ratio, "Bq/mL")
