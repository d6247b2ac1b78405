"""Everything the exact kernel needs that does not depend on the curve."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from betaplus.core.frames import FrameTiming
from betaplus.kinetics.exact.kernel import fill_response
from betaplus.kinetics.exact.tables import ResponseTable, response_table
from betaplus.kinetics.prior import Prior
from betaplus.physics.compartments import CompartmentModel
from betaplus.physics.noise import NOISE_FLOOR, noise_gain
from betaplus.physics.response import InputResponse

__all__ = ["Amplitude", "Points", "Problem", "Target", "make_problem"]

Z_MAX = 6.0
_Z_POINTS = 4097
_S_STEP = 0.005
_LEVELS = 512


class Amplitude(NamedTuple):
    """Prior of a linear parameter: kind 0 uniform, 1 log-uniform, 2 normal, 3 log-normal."""

    kind: int
    centre: float
    width: float
    low: float
    high: float


class Target(NamedTuple):
    """The posterior up to the data: response, prior and noise."""

    table: ResponseTable
    quantiles: np.ndarray  # (d, Z): rate constants and delay at even probit coordinates
    z_step: float
    n_rates: int
    delay: float  # s, where it is known
    K1: Amplitude
    VB: Amplitude
    floor: np.ndarray  # (frame,) variance shape = floor + gain * curve
    gain: np.ndarray
    n_frames: int
    evidence: np.ndarray  # log p(S) over a grid of log S, noise level integrated out
    precision: np.ndarray  # posterior mean of 1 / l^2 on that grid [table units]
    s_low: float
    s_step: float
    estimate_noise: bool


class Points(NamedTuple):
    """Low-discrepancy points shared by all curves."""

    coarse: np.ndarray  # (n, d) probit coordinates from the prior
    coarse_tissue: np.ndarray  # (n, frame)
    coarse_blood: np.ndarray  # (n or 1, frame)
    gauss: np.ndarray  # (N, d) standard normal
    uniform: np.ndarray  # (N, 2) for VB and K1


class Problem(NamedTuple):
    """A target and the points to integrate it with."""

    target: Target
    points: Points


def make_problem(
    response: InputResponse,
    model: CompartmentModel,
    prior: Prior,
    *,
    delay: float | None,
    noise: float | np.ndarray | str,
    n_coarse: int,
    n_points: int,
    seed: int,
) -> Problem:
    """Tabulate the responses, the prior and the noise evidence; lay out the points.

    Args:
        response: Input function and frames, in Bq/mL.
        model: Compartment model.
        prior: Priors of its parameters.
        delay: Known delay [s], or None to infer it.
        noise: ``auto`` (level integrated over its prior), ``estimate`` (level from the best fit),
            the level itself, or standard deviations per frame, shape (T,) [Bq/mL].
        n_coarse: Points of the coarse set.
        n_points: Points of the largest fine set.
        seed: Scrambles the points.
    """
    names = [*model.rates, *(["delay"] if delay is None else [])]
    z = np.linspace(-Z_MAX, Z_MAX, _Z_POINTS)
    quantiles = np.stack([prior[name].at_probit(z) for name in names])
    limits = {name: (float(q[0]), float(q[-1])) for name, q in zip(names, quantiles, strict=True)}
    low, high = _rate_limits(limits)
    delays = limits["delay"] if delay is None else (delay, delay)
    table = response_table(response, (low, high), delays)
    floor, gain, noise_level = _noise_shape(response.frames, response.half_life, table, noise)
    s_low, evidence, precision = _evidence(len(response.frames), noise_level, prior, table.scale)
    target = Target(
        table=table,
        quantiles=quantiles,
        z_step=float(z[1] - z[0]),
        n_rates=len(model.rates),
        delay=0.0 if delay is None else float(delay),
        K1=Amplitude(*prior["K1"].amplitude()),
        VB=Amplitude(*prior["VB"].amplitude()),
        floor=floor,
        gain=gain,
        n_frames=len(response.frames),
        evidence=evidence,
        precision=precision,
        s_low=s_low,
        s_step=_S_STEP,
        estimate_noise=isinstance(noise, str) and noise == "estimate",
    )
    return Problem(target, _points(target, n_coarse, n_points, seed))


def _rate_limits(limits: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Smallest and largest exponential rate that the rate constants can make [1/min]."""
    k2, k3, k4 = (limits.get(name, (0.0, 0.0)) for name in ("k2", "k3", "k4"))
    return min(0.0, k4[0]), k2[1] + k3[1] + max(k4[1], 0.0)


def _noise_shape(
    frames: FrameTiming, half_life: float, table: ResponseTable, noise: float | np.ndarray | str
) -> tuple[np.ndarray, np.ndarray, float | str]:
    width = table.blood.shape[1]
    floor, gain = np.ones(width, np.float32), np.zeros(width, np.float32)
    n = len(frames)
    if isinstance(noise, np.ndarray):
        floor[:n] = (noise / table.scale) ** 2
        return floor, gain, table.scale**0.5  # the variance is given: level 1 in table units
    shape = noise_gain(frames, half_life)
    floor[:n], gain[:n] = shape * NOISE_FLOOR, shape
    return floor, gain, noise


def _evidence(n: int, noise: float | str, prior: Prior, scale: float) -> tuple[float, np.ndarray]:
    """Log of the integral over p(l) of l^-n exp(-S / 2 l^2), on a grid of log S.

    In table units the variance is (l^2 / scale) times its shape.
    """
    if isinstance(noise, str) and noise == "auto":
        low, high = prior["noise"].low, prior["noise"].high
        levels = np.geomspace(low, high, _LEVELS)
        log_p = prior["noise"].log_density(levels) + np.log(levels)  # even in log l
        log_p[[0, -1]] -= np.log(2)
    else:
        levels = np.array([scale**0.5 if noise == "estimate" else float(noise)])
        log_p = np.zeros(1)
    squared = levels**2 / scale
    s_low = np.log(1e-3 * n * squared[0])
    s_high = np.log(1e5 * n * squared[-1])
    s = np.arange(s_low, s_high + _S_STEP, _S_STEP)
    terms = log_p - 0.5 * n * np.log(squared) - 0.5 * np.exp(s)[:, None] / squared
    evidence = logsumexp(terms, axis=1)
    precision = np.exp(terms - evidence[:, None]) @ (1.0 / squared)
    return float(s_low), evidence, precision


def _points(target: Target, n_coarse: int, n_points: int, seed: int) -> Points:
    d = len(target.quantiles)
    width = target.table.blood.shape[1]
    coarse = _gauss(_sobol(d, n_coarse, seed))
    tissue = np.zeros((n_coarse, width), np.float32)
    blood = np.zeros((n_coarse, width), np.float32)
    theta = np.zeros(4)
    for i in range(n_coarse):
        fill_response(target, coarse[i], theta, tissue[i], blood[i])
    if d == target.n_rates:
        blood = blood[:1]
    sobol = _sobol(d + 2, n_points, seed + 1)
    uniform = np.clip(sobol[:, d:], 1e-9, 1 - 1e-9)
    return Points(coarse, tissue, blood, _gauss(sobol[:, :d]), uniform)


def _sobol(d: int, n: int, seed: int) -> np.ndarray:
    """The first n points of a scrambled Sobol' sequence."""
    return qmc.Sobol(d, seed=seed).random_base2(int(np.ceil(np.log2(n))))[:n]


def _gauss(uniform: np.ndarray) -> np.ndarray:
    return ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
