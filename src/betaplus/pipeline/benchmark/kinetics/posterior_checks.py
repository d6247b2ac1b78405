"""Coverage, ranks, z-scores and TARP of posteriors whose truths are draws of their prior."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from betaplus.core.seeds import generator
from betaplus.evaluation.coverage import (
    INTERVALS,
    interval_coverage,
    interval_levels,
    z_scores,
)
from betaplus.evaluation.ranks import (
    ecdf_band,
    ecdf_deviation,
    probability_transform,
    sbc_ranks,
    uniformity,
)
from betaplus.evaluation.tarp import Tarp, tarp_coverage
from betaplus.kinetics.prior import Prior

__all__ = ["BINS", "LEVELS", "THIRDS", "coverage_checks", "rank_checks", "tarp_check", "z_checks"]

BINS = 16
"""Bins of the histogram of ranks; draws are one less than a multiple of it."""

_NOMINAL = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_CELLS = 20  # of the probability transform; their edges are among the levels

LEVELS = tuple(sorted({0.5, *interval_levels(_NOMINAL)}))
"""Quantile levels that the checks need."""

THIRDS = ("low noise", "middle noise", "high noise")
"""Groups of curves by estimated noise."""

_TIES, _POINTS = 30, 31  # streams of tie-breaks and of TARP's reference points
_LEAST_SD = 1e-6  # of a posterior, as a fraction of the prior's


def coverage_checks(
    names: tuple[str, ...], quantiles: np.ndarray, truth: np.ndarray, noise: np.ndarray
) -> dict[str, Any]:
    """Return the coverage of central intervals, of all curves and of thirds of noise.

    Args:
        names: Names of the P parameters.
        quantiles: At `LEVELS`, shape (n, P, Q).
        truth: Shape (n, P).
        noise: What thirds are made by, shape (n,): a function of the data, never of the truth.
            No thirds if it is not finite everywhere.
    """
    held = interval_coverage(LEVELS, quantiles, truth, _NOMINAL)
    groups = {"all": np.ones(len(noise), dtype=bool)}
    if np.isfinite(noise).all():
        order = np.argsort(np.argsort(noise, kind="stable"))
        third = order * len(THIRDS) // len(noise)
        groups |= {name: third == i for i, name in enumerate(THIRDS)}
    columns = [_NOMINAL.index(interval) for interval in INTERVALS]
    nominal = np.array(INTERVALS)
    found = {name: held.held[rows][..., columns].mean(axis=0) for name, rows in groups.items()}
    return {
        "intervals": list(INTERVALS),
        "coverage": {
            group: {name: share[p].tolist() for p, name in enumerate(names)}
            for group, share in found.items()
        },
        "standard_error": {
            group: np.sqrt(nominal * (1 - nominal) / rows.sum()).tolist()
            for group, rows in groups.items()
        },
        "worst": {group: _worst(names, share - nominal) for group, share in found.items()},
        "curve": {
            "nominal": list(_NOMINAL),
            "coverage": {name: held.share[p].tolist() for p, name in enumerate(names)},
        },
    }


def _worst(names: tuple[str, ...], deviation: np.ndarray) -> dict[str, Any]:
    p, level = np.unravel_index(np.argmax(np.abs(deviation)), deviation.shape)
    return {
        "deviation": float(deviation[p, level]),
        "parameter": names[p],
        "interval": INTERVALS[level],
    }


def rank_checks(
    names: tuple[str, ...],
    quantiles: np.ndarray,
    samples: np.ndarray | None,
    truth: np.ndarray,
    seed: int,
) -> dict[str, Any]:
    """Return p values of the uniformity of ranks, and their ECDF with its band.

    Args:
        names: Names of the P parameters.
        quantiles: At `LEVELS`, shape (n, P, Q); they stand in for draws where there are none.
        samples: Independent draws, shape (n, P, S), or None.
        truth: Shape (n, P).
        seed: Seed of tie-breaks and of the band.

    Returns:
        ``draws`` (S or 0), ``unranked`` (curves left out for lack of finite numbers), ``ranks``
        and ``ecdf``.
    """
    values = quantiles if samples is None else samples
    draws = 0 if samples is None else samples.shape[-1]
    good = np.isfinite(values).all(axis=(1, 2))
    count = int(good.sum())
    out: dict[str, Any] = {"draws": draws, "unranked": len(good) - count}
    if not count:
        return out | {"ranks": {}, "ecdf": None}
    rng = generator(seed, draw=_TIES)
    if draws:
        found = sbc_ranks(values[good], truth[good], rng)
        bins, points, of = BINS, draws + 1, draws
    else:
        found = probability_transform(np.array(LEVELS), values[good], truth[good], rng)
        bins, points, of = _CELLS, _CELLS, None
    statistic, p_value = uniformity(found, bins, draws=of)
    deviation = ecdf_deviation(found, points, draws=of)
    band = ecdf_band(count, points, seed=seed)
    band_p = band.p_value(deviation)
    out["ranks"] = {
        name: {
            "chi2": float(statistic[p]),
            "p_value": float(p_value[p]),
            "ecdf_p_value": float(band_p[p]),
        }
        for p, name in enumerate(names)
    }
    out["ecdf"] = {
        "points": band.points.tolist(),
        "lower": band.lower.tolist(),
        "upper": band.upper.tolist(),
        "deviation": {name: deviation[p].tolist() for p, name in enumerate(names)},
    }
    return out


def z_checks(
    names: tuple[str, ...], mean: np.ndarray, std: np.ndarray, truth: np.ndarray
) -> dict[str, dict[str, float]]:
    """Return `betaplus.evaluation.coverage.z_scores` by parameter."""
    columns = asdict(z_scores(mean, std, truth))
    return {
        name: {key: float(values[p]) for key, values in columns.items()}
        for p, name in enumerate(names)
    }


def tarp_check(
    names: tuple[str, ...], samples: np.ndarray, truth: np.ndarray, prior: Prior, seed: int
) -> dict[str, Any] | None:
    """Return TARP with two kinds of reference point, or None without finite draws.

    Coordinates are logarithms where the prior is log-uniform or log-normal. ``prior``: references
    are draws of the prior and distances in its SDs. ``posterior``: a quarter of the draws of each
    posterior gives a reference and the SDs, and the truth is ranked among the rest; this sees
    shapes and correlations that cancel from afar.

    Args:
        names: Names of the P parameters, which are independent under the prior.
        samples: Independent draws, shape (n, P, S).
        truth: Shape (n, P).
        prior: Their prior.
        seed: Seed of reference points, tie-breaks and bootstrap.
    """
    good = np.isfinite(samples).all(axis=(1, 2))
    apart = max(2, samples.shape[-1] // 4)
    if good.sum() < 2 or apart >= samples.shape[-1]:
        return None
    logarithmic = np.array([prior[name].dist.startswith("log") for name in names])

    def scaled(x: np.ndarray) -> np.ndarray:
        return np.where(logarithmic, np.log(np.where(logarithmic, x, 1.0)), x)

    z = generator(seed, draw=_POINTS).standard_normal(truth.shape)
    points = [prior[name].at_probit(z[:, p]) for p, name in enumerate(names)]
    references = scaled(np.stack(points, axis=1))
    width = references.std(axis=0)
    draws = scaled(np.swapaxes(samples[good], 1, 2).astype(np.float64))
    values = scaled(truth[good])
    local = np.maximum(draws[:, :apart].std(axis=1), _LEAST_SD * width)
    kinds = {
        "prior": tarp_coverage(draws, values, references[good], scale=width, seed=seed),
        "posterior": tarp_coverage(draws[:, apart:], values, draws[:, 0], scale=local, seed=seed),
    }
    return {"parameters": list(names)} | {kind: _listed(found) for kind, found in kinds.items()}


def _listed(found: Tarp) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in vars(found).items()}
