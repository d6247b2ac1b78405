"""Everything the exact kernel needs that does not depend on the curve."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtri
from scipy.stats import chi2, multivariate_t, qmc

from betaplus.core.errors import UsageError
from betaplus.kinetics.exact.kernel import fill_response
from betaplus.kinetics.exact.mixture import T_EXPONENT
from betaplus.kinetics.exact.tables import ResponseTable, response_table
from betaplus.kinetics.method import Task
from betaplus.kinetics.prior import Distribution, Prior
from betaplus.physics.compartments import find_model
from betaplus.physics.noise import NOISE_FLOOR, noise_gain
from betaplus.physics.perfusion import flow_from_uptake
from betaplus.physics.response import InputResponse

__all__ = ["Amplitude", "Points", "Problem", "Target", "make_problem"]

Z_MAX = 6.0
_Z_POINTS = 4097
_S_STEP = 0.005
_LEVELS = 512
_FLOW_POINTS = 2048


class Amplitude(NamedTuple):
    """Prior of a linear parameter.

    Kinds are 0 uniform, 1 log-uniform, 2 normal, 3 log-normal, 4 fixed.
    """

    kind: int
    centre: float
    width: float
    low: float
    high: float
    unit: float  # normalises the density


class Target(NamedTuple):
    """The posterior up to the data: response, prior and noise.

    For SRTM the curve is k2 U + R1 W with W = C_R - k2a U: k2 stands in the place of K1, R1 in that
    of VB, k2a in that of k2.
    """

    table: ResponseTable
    quantiles: np.ndarray  # (d, Z): rate constants and delay at even probit coordinates
    z_step: float
    slots: np.ndarray  # (d,) places of those in (k2, k3, k4, delay)
    known: np.ndarray  # (4,) the values there of what is known
    fit_delay: bool
    mix: int  # 1 where a = K1 (1 - VB); 0 for SRTM
    K1: Amplitude
    VB: Amplitude
    BPND: Amplitude  # of SRTM
    k2a_span: float  # log of the range of k2a
    floor: np.ndarray  # (frame,) variance shape = floor + gain * curve
    gain: np.ndarray
    n_frames: int
    evidence: np.ndarray  # log p(S) over a grid of log S, noise level integrated out
    precision: np.ndarray  # posterior mean of 1 / l^2 on that grid [table units]
    s_low: float
    s_step: float
    estimate_noise: bool
    log_unit: float  # what makes the evidence a density of the data
    flow: np.ndarray  # log(F / K1) over even steps of log K1; a single 0 without extraction
    flow_low: float
    flow_step: float


class Points(NamedTuple):
    """Low-discrepancy points shared by all curves."""

    coarse: np.ndarray  # (n, d) probit coordinates from the prior
    coarse_tissue: np.ndarray  # (n, frame)
    coarse_blood: np.ndarray  # (n or 1, frame)
    spread: np.ndarray  # (N, d) standard multivariate t
    uniform: np.ndarray  # (N, 2) for VB and K1


class Problem(NamedTuple):
    """A target and the points to integrate it with."""

    target: Target
    points: Points


def make_problem(
    response: InputResponse,
    task: Task,
    *,
    n_coarse: int,
    n_points: int,
) -> Problem:
    """Tabulate the responses, the prior and the noise evidence; lay out the points.

    Args:
        response: Input function, or curve of the reference region, and frames, in Bq/mL.
        task: Model, priors, delay and noise.
        n_coarse: Points of the coarse set.
        n_points: Points of the largest fine set.

    Raises:
        UsageError: If BPND of SRTM is fixed.
    """
    prior, delay = task.prior, task.delay
    srtm = task.model == "SRTM"
    searched = {"k2a": _k2a(prior)} if srtm else {n: prior[n] for n in _rates(task.model)}
    if delay is None:
        searched["delay"] = prior["delay"]
    limits = {name: (d.low, d.high) for name, d in searched.items()}
    places = {"k2a": 0, "k2": 0, "k3": 1, "k4": 2, "delay": 3}
    known = np.zeros(4)
    known[3] = 0.0 if delay is None else float(delay)
    for name, distribution in searched.items():
        if distribution.fixed:
            known[places[name]] = distribution.low
    first = next(iter(searched))  # at least one is searched, if only to no effect
    names = [n for n, d in searched.items() if not d.fixed] or [first]
    z = np.linspace(-Z_MAX, Z_MAX, _Z_POINTS)
    quantiles = np.stack([searched[name].at_probit(z) for name in names])
    delays = limits["delay"] if delay is None else (float(delay), float(delay))
    table = response_table(response, _rate_limits(limits), delays, blood=task.reference)
    noise = task.noise
    floor, gain, noise_level = _noise_shape(response, table, task)
    n = len(response.frames)
    s_low, evidence, precision = _evidence(n, noise_level, prior["noise"], table.scale)
    flow, flow_low, flow_step = _flow(task)
    target = Target(
        table=table,
        quantiles=quantiles,
        z_step=float(z[1] - z[0]),
        slots=np.array([places[name] for name in names]),
        known=known,
        fit_delay=delay is None,
        mix=0 if srtm else 1,
        K1=Amplitude(*prior["k2" if srtm else "K1"].amplitude()),
        VB=Amplitude(*prior["R1" if srtm else "VB"].amplitude()),
        BPND=Amplitude(*prior["BPND"].amplitude()),
        k2a_span=float(np.log(limits["k2a"][1] / limits["k2a"][0])) if srtm else 0.0,
        floor=floor,
        gain=gain,
        n_frames=n,
        evidence=evidence,
        precision=precision,
        s_low=s_low,
        s_step=_S_STEP,
        estimate_noise=isinstance(noise, str) and noise == "estimate",
        log_unit=-n * float(np.log(table.scale) + 0.5 * np.log(2.0 * np.pi))
        - _log_unit(len(names)),
        flow=flow,
        flow_low=flow_low,
        flow_step=flow_step,
    )
    return Problem(target, _points(target, n_coarse, n_points, task.seed))


def _rates(model: str) -> tuple[str, ...]:
    return find_model(model).rates


def _k2a(prior: Prior) -> Distribution:
    """Even over the logarithm, as wide as the priors of k2 and BPND allow; weights do the rest."""
    if prior["BPND"].fixed:
        raise UsageError("BPND of SRTM is fixed", "expected a range", "fix R1 or k2 instead")
    low = prior["k2"].low / (1.0 + prior["BPND"].high)
    high = prior["k2"].high / (1.0 + prior["BPND"].low)
    return Distribution(dist="loguniform", low=low, high=high)


def _flow(task: Task) -> tuple[np.ndarray, float, float]:
    """Log of F / K1 over even steps of log K1."""
    K1 = task.prior["K1"]
    if task.extraction is None:
        return np.zeros(1), 0.0, 1.0
    low = max(K1.low, 1e-6)
    grid = np.linspace(np.log(low), np.log(max(K1.high, 1.001 * low)), _FLOW_POINTS)
    flow = flow_from_uptake(np.exp(grid), *task.extraction)
    return np.log(flow) - grid, float(grid[0]), float(grid[1] - grid[0])


def _rate_limits(limits: dict[str, tuple[float, float]]) -> tuple[float, float]:
    """Smallest and largest exponential rate that the rate constants can make [1/min]."""
    k2, k3, k4 = (limits.get(name, (0.0, 0.0)) for name in ("k2", "k3", "k4"))
    return min(0.0, k4[0]), limits.get("k2a", (0.0, 0.0))[1] + k2[1] + k3[1] + max(k4[1], 0.0)


def _noise_shape(
    response: InputResponse, table: ResponseTable, task: Task
) -> tuple[np.ndarray, np.ndarray, float | str]:
    """Variance shape as floor + gain x curve, frames padded; and the level that goes with it."""
    width, n = table.blood.shape[1], len(task.frames)
    floor, gain = np.ones(width, np.float32), np.zeros(width, np.float32)
    if isinstance(task.noise, np.ndarray):
        floor[:n] = (task.noise / table.scale) ** 2
        return floor, gain, table.scale**0.5  # the variance is given: level 1 in table units
    if task.weights is not None:
        floor[:n] = 1.0 / (task.weights * table.scale)  # l is in Bq/mL then
    else:
        shape = noise_gain(response.frames, response.half_life)
        floor[:n], gain[:n] = shape * NOISE_FLOOR, shape
    return floor, gain, task.noise


@functools.lru_cache(maxsize=8)
def _evidence(
    n: int, noise: float | str, prior: Distribution, scale: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log of the integral over p(l) of l^-n exp(-S / 2 l^2), on a grid of log S.

    In table units the variance is (l^2 / scale) times its shape.
    """
    if isinstance(noise, str) and noise == "auto":
        levels = np.geomspace(prior.low, prior.high, _LEVELS)
        log_p = prior.log_density(levels) + np.log(levels)  # even in log l
        log_p[[0, -1]] -= np.log(2)
        log_p -= logsumexp(log_p)
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


def _log_unit(d: int) -> float:
    """Log of the standard t's density at 0 over the Gaussian prior's: weights leave both out."""
    origin = multivariate_t.logpdf(np.zeros(d), shape=np.eye(d), df=T_EXPONENT - d)
    return float(np.squeeze(origin)) + float(0.5 * d * np.log(2.0 * np.pi))


def _points(target: Target, n_coarse: int, n_points: int, seed: int) -> Points:
    d = len(target.quantiles)
    width = target.table.blood.shape[1]
    coarse = _gauss(_sobol(d, n_coarse, seed))
    tissue = np.zeros((n_coarse, width), np.float32)
    blood = np.zeros((n_coarse, width), np.float32)
    theta = np.zeros(4)
    for i in range(n_coarse):
        fill_response(target, coarse[i], theta, tissue[i], blood[i])
    if target.mix == 1 and not target.fit_delay:
        blood = blood[:1]
    sobol = np.clip(_sobol(d + 3, n_points, seed + 1), 1e-9, 1 - 1e-9)
    nu = T_EXPONENT - d
    stretch = np.sqrt(nu / chi2.ppf(sobol[:, d + 2], nu))
    spread = ndtri(sobol[:, :d]) * stretch[:, None]
    return Points(coarse, tissue, blood, spread, np.ascontiguousarray(sobol[:, d : d + 2]))


def _sobol(d: int, n: int, seed: int) -> np.ndarray:
    """The first n points of a scrambled Sobol' sequence."""
    return qmc.Sobol(d, seed=seed).random_base2(int(np.ceil(np.log2(n))))[:n]


def _gauss(uniform: np.ndarray) -> np.ndarray:
    return ndtri(np.clip(uniform, 1e-9, 1 - 1e-9))
