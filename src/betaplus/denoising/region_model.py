r"""Means of regions with an interval: what is estimated, its SD, and the factor that holds.

What is estimated is the mean over a region of the image that the same reconstruction would give
without noise. The noisy mean \bar y has no bias and the noise of the region; that of the denoised
image, \bar x, has less noise and some bias. The estimate is between them,

.. math:: e = \bar x + w\,(\bar y - \bar x), \quad w = \theta^T \phi \in [0, 1],

with \phi features of the region (`betaplus.denoising.region_features`) and \theta from weighted
least squares over calibration phantoms. The logarithm of the SD s of the error of e is linear in
those features and their squares (multiplicative heteroscedasticity: Harvey, Econometrica 44, 461,
1976); its coefficients maximise the likelihood of a Laplace distribution, \sum -\log s - c |e| / s,
which errors of long tails do not rule, with a ridge penalty, by Fisher scoring. Both are fitted on
some people; the factor on the SD that makes an interval hold is conformal, from phantoms of others
(`betaplus.denoising.intervals`).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.denoising.intervals import ConformalFactor, conformal_factor, region_scores
from betaplus.denoising.region_features import FEATURES, RegionTable

__all__ = [
    "CALIBRATION",
    "RegionEstimates",
    "RegionModel",
    "fit_region_model",
    "read_region_model",
]

CALIBRATION = "regions.json"
"""File in the folder of a bundle."""

_RIDGE = 20.0  # pseudo-observations that hold the coefficient of a standardised feature at 0
_MOST = 6.0  # |error| over its mean that counts at most
_STEPS, _STEP = 40, 0.7  # of Fisher scoring
_OF_NORMAL = -0.63518  # mean of the logarithm of the absolute value of a standard normal
_MEAN_OF_NORMAL = 0.79788  # mean of that value
_LEAST = 1e-4  # of an error: less is rounding [SUV]
_RANGE = (0.001, 0.999)  # quantiles of a feature within which a region is like those calibrated
_SLACK = 0.1  # that, further, of a logarithm
_BOUND = 3.5  # SD of a feature beyond which it says no more
_ROUNDS = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionEstimates:
    """Estimates of means of regions, arrays of shape (N,).

    Attributes:
        estimate: Of the mean [SUV].
        sd: Of its error [SUV].
        low: Lower end of the interval [SUV].
        high: Upper end [SUV].
        calibrated: Whether the region is like those that the interval was calibrated on.
    """

    estimate: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    calibrated: np.ndarray


@dataclass(frozen=True, kw_only=True)
class RegionModel:
    """A fitted model of the errors of means of regions.

    Attributes:
        names: Of the features.
        centre: Mean of each.
        scale: SD of each.
        weight: Coefficients of w: constant, features.
        error: Of the logarithm of the SD: constant, features, their squares.
        ranges: Lowest and highest of each feature in calibration.
        conformal: The factor.
        about: What it was calibrated on.
    """

    names: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    error: tuple[float, ...]
    ranges: tuple[tuple[float, float], ...]
    conformal: ConformalFactor
    about: Mapping[str, Any]

    def estimate(self, table: RegionTable) -> RegionEstimates:
        """Return estimates and intervals of regions."""
        raw = table.design(self.names)
        phi = _standard(raw, np.array(self.centre), np.array(self.scale))
        estimate = _combined(table, phi, np.array(self.weight))
        sd = np.exp(_squares(phi) @ np.array(self.error))
        low, high = self.conformal.interval(estimate, sd)
        ends = np.array(self.ranges)
        inside = ((raw >= ends[:, 0] - _SLACK) & (raw <= ends[:, 1] + _SLACK)).all(1)
        return RegionEstimates(
            estimate=estimate, sd=sd, low=np.maximum(low, 0.0), high=high, calibrated=inside
        )

    def write(self, path: Path) -> None:
        """Write the model as JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def fit_region_model(
    fitting: Sequence[tuple[RegionTable, np.ndarray]],
    holding: Sequence[tuple[Hashable, RegionTable, np.ndarray]],
    *,
    level: float = 0.9,
    combine: bool = True,
    names: Sequence[str] = FEATURES,
    about: Mapping[str, Any] | None = None,
) -> RegionModel:
    """Fit a model.

    Args:
        fitting: Regions of phantoms and their true means [SUV], that the errors are learned from.
        holding: Phantoms of other people that the factor is from: name, regions, true means.
        level: Of the intervals.
        combine: Whether the noisy mean has a part in the estimate, or the denoised alone is it.
        names: Features.
        about: Kept with the model.

    Raises:
        InputError: If there are too few phantoms.
    """
    tables = [table for table, _ in fitting]
    raw = np.concatenate([table.design(names) for table in tables])
    truth = np.concatenate([known for _, known in fitting])
    noisy, denoised = (
        np.concatenate([getattr(table, name) for table in tables]) for name in ("noisy", "denoised")
    )
    if len(raw) < 10 * len(names):
        raise InputError(f"{len(raw)} regions to fit", f"expected {10 * len(names)} or more")
    centre, scale = raw.mean(0), np.maximum(raw.std(0), 1e-6)
    phi = _standard(raw, centre, scale)
    linear = _linear(phi)
    weight = np.zeros(linear.shape[1])
    moved = noisy - denoised
    error = _fit_error(phi, truth - denoised)
    for _ in range(_ROUNDS if combine and moved.any() else 0):
        sd = np.exp(_squares(phi) @ error)
        weight = _ridge(linear * (moved / sd)[:, None], (truth - denoised) / sd)
        found = denoised + np.clip(linear @ weight, 0.0, 1.0) * moved
        error = _fit_error(phi, truth - found)
    unscaled = RegionModel(
        names=tuple(names),
        centre=tuple(map(float, centre)),
        scale=tuple(map(float, scale)),
        weight=tuple(map(float, weight)),
        error=tuple(map(float, error)),
        ranges=tuple((float(a), float(b)) for a, b in np.quantile(raw, _RANGE, axis=0).T),
        conformal=ConformalFactor(factor=1.0, level=level, subjects=0, regions=0, joint=False),
        about=dict(about or {}),
    )
    scores, owners = [], []
    for name, table, known in holding:
        estimates = unscaled.estimate(table)
        scores.append(region_scores(known, estimates.estimate, estimates.sd))
        owners += [name] * len(known)
    conformal = conformal_factor(np.concatenate(scores), owners, level)
    return RegionModel(**{**_fields(unscaled), "conformal": conformal})


def read_region_model(path: Path) -> RegionModel:
    """Read a model from JSON.

    Raises:
        InputError: If it is none.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        conformal = ConformalFactor(**read.pop("conformal"))
        ranges = tuple((float(a), float(b)) for a, b in read.pop("ranges"))
        about = dict(read.pop("about"))
        lists = {name: tuple(values) for name, values in read.items()}
        return RegionModel(conformal=conformal, ranges=ranges, about=about, **lists)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is no calibration of region means: {error}",
            todo="get the bundle again, or make it with betaplus benchmark denoise --part coverage",
        ) from error


def _fields(model: RegionModel) -> dict[str, Any]:
    return {name: getattr(model, name) for name in model.__dataclass_fields__}


def _standard(raw: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.clip((raw - centre) / scale, -_BOUND, _BOUND)


def _linear(phi: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(phi), 1)), phi], 1)


def _squares(phi: np.ndarray) -> np.ndarray:
    return np.concatenate([_linear(phi), phi**2], 1)


def _combined(table: RegionTable, phi: np.ndarray, weight: np.ndarray) -> np.ndarray:
    share = np.clip(_linear(phi) @ weight, 0.0, 1.0)
    return table.denoised + share * (table.noisy - table.denoised)


def _fit_error(phi: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return coefficients of the logarithm of the SD."""
    size = np.maximum(np.abs(errors), _LEAST)
    design = _squares(phi)
    found = _ridge(design, np.log(size) - _OF_NORMAL)
    for _ in range(_STEPS):
        ratio = size / (_MEAN_OF_NORMAL * np.exp(design @ found))
        gradient = design.T @ (np.minimum(ratio, _MOST) - 1.0) - _penalty(design) @ found
        found = found + _STEP * np.linalg.solve(design.T @ design + _penalty(design), gradient)
    return found


def _ridge(design: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.linalg.solve(design.T @ design + _penalty(design), design.T @ wanted)


def _penalty(design: np.ndarray) -> np.ndarray:
    """Return what holds all coefficients but the first, a constant, at 0."""
    penalty = _RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    return penalty
