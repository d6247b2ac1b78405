r"""The coupled least-squares fit: a profile likelihood of the shared parameter.

At each value g of it every region is fitted by itself, and the deviance D(g) = -2 log p, summed
over regions, is minimised. Its curvature gives the SD of g; where noise levels are estimated, each
region's share is scaled by its degrees of freedom over T. What a region has of its own follows
dm/dg, so that its variance is that at the minimum plus :math:`(dm/dg)^2 \operatorname{Var} g`,
which is the inverse of the full normal equations written out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri

from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.seeds import generator
from betaplus.kinetics.method import QUANTILES
from betaplus.kinetics.shared.held import Held
from betaplus.kinetics.shared.nodes import place_nodes

__all__ = ["profile"]

_LEAST = 4.0  # effective number of nodes that finds the minimum
_STEP = 0.3  # of the differences, in standard deviations
_MOVES, _NEAR, _FAR = 12, 0.02, 8.0  # at most; least and largest move, in steps
_EDGE, _PRESSED = 1e-9, 0.1  # a minimum nearer to the edge than so many steps lies at the bound
_STREAM = 23  # number of the stream of draws of the shared parameter


class _Minimum(NamedTuple):
    """The minimum at u, what lies `step` to both sides of it, and the variance of u."""

    u: float
    step: float
    below: Posterior
    here: Posterior
    above: Posterior
    variance: float  # NaN at a bound


def profile(held: Held, samples: int, seed: int) -> Posterior:
    """Return the coupled least-squares estimate with its uncertainty.

    AIC and BIC of a region count 1 / N of the shared parameter: summed over the N regions they are
    those of the coupled fit, with n = all frames of all regions in BIC.

    Args:
        held: Fits at values of the parameter.
        samples: Draws per region; one draw has the same value in every region.
        seed: Seed of the run.
    """
    at = _minimum(held)
    here, n = at.here, len(held.data)
    bounded = np.isnan(at.variance)
    variance = 0.0 if bounded else at.variance
    offsets = generator(seed, 0, _STREAM).standard_normal(samples) * np.sqrt(variance)
    drawn = held.draw([at.u], [samples])[0] if samples else here
    parameters = {}
    for name in dict.fromkeys([*here.parameters, held.name]):
        if name == held.name:
            low, middle, high = held.values([at.u - at.step, at.u, at.u + at.step])
            mean, still = np.full(n, middle), np.zeros(n)
            slope = np.full(n, (high - low) / (2.0 * at.step))
            start = np.full((n, samples), middle)
        else:
            mean, still = (v.astype(np.float64) for v in (here[name].mean, here[name].std))
            slope = (at.above[name].mean.astype(np.float64) - at.below[name].mean) / (2 * at.step)
            start = drawn[name].samples
        slope = np.zeros(n) if bounded else slope
        std = np.sqrt(still**2 + slope**2 * variance)
        limits = _limits(held, name)
        moved = np.nan_to_num(std)[:, None] * ndtri(np.array(QUANTILES))
        quantiles = np.clip(mean[:, None] + moved, *limits).astype(np.float32)
        if name == held.name and bounded:
            std = np.full(n, np.nan)
        draws = None
        if samples:
            draws = np.clip(start + slope[:, None] * offsets, *limits).astype(np.float32)
        parameters[name] = Marginal(
            mean=mean.astype(np.float32),
            std=std.astype(np.float32),
            quantiles={q: quantiles[:, i] for i, q in enumerate(QUANTILES)},
            samples=draws,
        )
    prediction = dict(here.prediction)
    slope = (at.above.prediction["mean"] - at.below.prediction["mean"]) / (2.0 * at.step)
    prediction["std"] = np.sqrt(prediction["std"] ** 2 + slope**2 * variance)
    diagnostics = {**here.diagnostics, **_criteria(here, n, len(held.data.frames))}
    about: dict[str, Any] = {
        "parameter": held.name,
        "mean": float(parameters[held.name].mean[0]),
        "sd": float(parameters[held.name].std[0]),
        **{name: float(np.sum(diagnostics[name])) for name in ("aic", "bic")},
    }
    return Posterior(
        model=here.model,
        method=here.method,
        parameters=parameters,
        diagnostics=diagnostics,
        prediction=prediction,
        settings={**here.settings, "shared": about},
        remarks=here.remarks,
    )


def _minimum(held: Held) -> _Minimum:
    """Newton's steps with differences, from the best of the nodes."""

    def log_likelihood(u: np.ndarray) -> np.ndarray:
        found = [-0.5 * np.sum(_deviance(p)) for p in held.at(u)]
        return np.nan_to_num(np.array(found), nan=-np.inf)

    nodes = place_nodes(log_likelihood, _LEAST)
    u = float(nodes.u[np.argmax(nodes.log_likelihood)])
    mean = nodes.weight @ nodes.u
    width = _STEP * float(np.sqrt(nodes.weight @ (nodes.u - mean) ** 2))
    low, high = _EDGE, 1.0 - _EDGE
    for _ in range(_MOVES):
        step = min(width, u - low, high - u)
        if step < _PRESSED * width:
            break
        slope, curve, _ = _differences(held, u, step)
        move = -slope / curve if curve > 0 else -np.sign(slope) * _FAR * step
        move = float(np.clip(move, -_FAR * step, _FAR * step))
        if abs(move) < _NEAR * step:
            break
        u = float(np.clip(u + move, low, high))
    step = min(width, u - low, high - u)
    if step < _PRESSED * width:
        (here,) = held.at([u])
        return _Minimum(u, 1.0, here, here, here, np.nan)
    variance = _differences(held, u, step)[2]
    return _Minimum(u, step, *held.at([u - step, u, u + step]), variance)


def _differences(held: Held, u: float, step: float) -> tuple[float, float, float]:
    """Slope and curvature of the deviance by u, and the variance of u that follows."""
    fits = held.at([u - step, u, u + step])
    low, middle, high = (_deviance(p) for p in fits)
    curve = (high - 2.0 * middle + low) / step**2
    frames, share = len(held.data.frames), np.ones(len(held.data))
    if _estimated(fits[1]):
        share -= (_count(fits[1], frames) - 1 + 1 / len(held.data)) / frames
    sharpness = float(share @ curve)
    variance = 2.0 / sharpness if sharpness > 0 else np.nan
    return float(np.sum(high - low)) / (2.0 * step), float(np.sum(curve)), variance


def _estimated(fitted: Posterior) -> bool:
    return fitted.settings["noise"] in ("auto", "estimate")


def _count(fitted: Posterior, frames: int) -> np.ndarray:
    """Parameters that the criteria count, the noise level among them where it is estimated."""
    gap = fitted.diagnostics["bic"].astype(np.float64) - fitted.diagnostics["aic"]
    return np.rint(gap / (np.log(frames) - 2.0))


def _deviance(fitted: Posterior) -> np.ndarray:
    """-2 log p of each region, shape (N,)."""
    frames = fitted.prediction["mean"].shape[1]
    return fitted.diagnostics["aic"].astype(np.float64) - 2.0 * _count(fitted, frames)


def _criteria(here: Posterior, regions: int, frames: int) -> dict[str, np.ndarray]:
    count, deviance = _count(here, frames) + 1.0 / regions, _deviance(here)
    size = np.log(regions * frames)
    return {
        "aic": (deviance + 2.0 * count).astype(np.float32),
        "bic": (deviance + size * count).astype(np.float32),
    }


def _limits(held: Held, name: str) -> tuple[float, float]:
    """Bounds of a parameter; what follows from rate constants is above 0 where they are."""
    if name in held.prior:
        return held.prior[name].low, held.prior[name].high
    signed = any(held.prior[rate].low < 0 for rate in ("k2", "k3", "k4"))
    return (-np.inf if signed else 0.0), np.inf
