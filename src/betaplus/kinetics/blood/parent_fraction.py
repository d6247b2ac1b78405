r"""Models of the parent fraction: the share of plasma activity in unchanged tracer.

With t in minutes since the injection:

- ``hill``: :math:`f = 1 - (1 - a) t^b / (t_{50}^b + t^b)` falls from 1 to a and is half-way at
  t50 (Guo et al., J Nucl Med 2013, 54:1915-1923, where c stands for t50^b);
- ``exponential``: :math:`f = a e^{-k_1 t} + (1 - a) e^{-k_2 t}`, k1 the faster;
- ``power``: :math:`f = (1 + (a t)^b)^{-c}` (Watabe et al., J Cereb Blood Flow Metab 2000,
  20:899-909, where b = 2);
- ``samples``: straight lines between the samples, from 1 at the injection.

Samples weigh equally: a chromatogram is about as far off at every fraction, and the file gives no
counts. Samples at the injection or before it are left out: every model is 1 there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from betaplus.core.errors import BetaplusError, InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.seeds import generator
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.kinetics.blood.bounded_fit import FittedModel, bounded_fit, curve_sd

__all__ = [
    "PARENT_MODELS",
    "ParentFit",
    "best_parent_model",
    "fit_parent_fraction",
    "with_parent_model",
]

_POLISHED = 4  # starts that are fitted to the end
_TRIES = 200  # at a draw within the bounds
_TAIL = 1.0 / 0.9  # a blood curve may end that much before the scan
_KNOT_STEP = 0.02  # relative to time since injection


def _hill(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    a, b, t50 = x
    rise = (t / t50) ** b
    return 1.0 - (1.0 - a) * rise / (1.0 + rise)


def _exponential(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    a, k1, k2 = x
    return a * np.exp(-k1 * t) + (1.0 - a) * np.exp(-k2 * t)


def _power(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    a, b, c = x
    return (1.0 + (a * t) ** b) ** -c


def _ordered(x: np.ndarray) -> np.ndarray:
    a, k1, ratio = x
    return np.stack([a, k1, k1 * ratio])


_Grid = tuple[tuple[float, ...], ...]
_MODELS: dict[str, tuple[FittedModel, _Grid, _Grid]] = {
    # the model, bounds of what is fitted, starts of each parameter
    "hill": (
        FittedModel("Hill's function", ("a", "b", "t50"), _hill),
        ((0.0, 1.0), (1.0, 10.0), (0.01, 1e4)),
        ((0.02, 0.3), (1.2, 2.0, 4.0), (2.0, 5.0, 12.0, 30.0, 90.0)),
    ),
    "exponential": (
        FittedModel("two exponentials", ("a", "k1", "k2"), _exponential, _ordered),
        ((0.0, 1.0), (1e-6, 20.0), (0.0, 1.0)),
        ((0.2, 0.5, 0.8), (0.02, 0.06, 0.2, 0.6), (0.02, 0.2)),
    ),
    "power": (
        FittedModel("a power function", ("a", "b", "c"), _power),
        ((1e-5, 10.0), (1.0, 10.0), (1e-3, 50.0)),
        ((0.005, 0.02, 0.07, 0.2, 0.5), (1.2, 2.0, 4.0), (0.2, 0.5, 1.0, 2.0)),
    ),
}
PARENT_MODELS = (*_MODELS, "samples")
"""Names of the models."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ParentFit:
    """A parent fraction as a function of time.

    Attributes:
        model: One of `PARENT_MODELS`.
        parameters: Name to value; rates per minute, t50 in minutes. Empty for ``samples``.
        covariance: Of the parameters in that order, shape (P, P).
        rms: Root mean square of the residuals.
        aicc: Akaike's criterion with the correction for small samples (Hurvich and Tsai,
            Biometrika 1989, 76:297-307), the variance counted as a parameter; infinite where the
            samples are too few for it, and for ``samples``.
        time: Times of the samples, shape (n,) [s from TimeZero].
        fraction: Their values, shape (n,).
        injection: Injection start [s from TimeZero].
    """

    model: str
    parameters: Mapping[str, float]
    covariance: np.ndarray
    rms: float
    aicc: float
    time: np.ndarray
    fraction: np.ndarray
    injection: float = 0.0

    def at(self, time: np.ndarray) -> np.ndarray:
        """Return the fraction at times of any shape [s from TimeZero]; 1 before the injection."""
        return self._at(np.array(list(self.parameters.values())), np.asarray(time, np.float64))

    def sd(self, time: np.ndarray) -> np.ndarray:
        """Return its standard deviation by linear propagation; NaN for ``samples``."""
        time = np.asarray(time, dtype=np.float64)
        if self.model == "samples":
            return np.full(time.shape, np.nan)
        out = np.zeros(time.shape)
        after = time > self.injection
        x = np.array(list(self.parameters.values()))
        curve = _MODELS[self.model][0].curve
        out[after] = curve_sd(curve, x, self.covariance, self._minutes(time[after]))
        return out

    def draws(self, time: np.ndarray, n: int, seed: int) -> np.ndarray:
        """Return curves of parameters drawn from their normal distribution within the bounds.

        Args:
            time: Shape (T,) [s from TimeZero].
            n: Number of draws.
            seed: Draw i is the same whatever n is.

        Returns:
            Shape (n, T), within 0 to 1.

        Raises:
            InputError: For ``samples``, which have no covariance.
        """
        if self.model == "samples":
            raise InputError("draws of interpolated samples", "expected a fitted model")
        x = np.array(list(self.parameters.values()))
        size, axes = np.linalg.eigh(self.covariance)
        root = axes * np.sqrt(np.maximum(size, 0.0))
        time = np.asarray(time, dtype=np.float64)
        return np.stack([self._at(self._draw(x, root, seed, i), time) for i in range(n)])

    def _draw(self, x: np.ndarray, root: np.ndarray, seed: int, i: int) -> np.ndarray:
        low, high = np.array(_MODELS[self.model][1]).T
        if self.model == "exponential":
            high = np.array([1.0, high[1], high[1]])
        rng = generator(seed, 0, i)
        for _ in range(_TRIES):
            value = x + root @ rng.standard_normal(len(x))
            if ((value >= low) & (value <= high)).all():
                return value
        return np.clip(value, low, high)

    def _at(self, x: np.ndarray, time: np.ndarray) -> np.ndarray:
        out = np.ones(time.shape)
        after = time > self.injection
        if self.model == "samples":
            knots = np.concatenate([[self.injection], self.time])
            out[after] = np.interp(time[after], knots, np.concatenate([[1.0], self.fraction]))
        else:
            out[after] = _MODELS[self.model][0].curve(x, self._minutes(time[after]))
        return np.clip(out, 0.0, 1.0)

    def _minutes(self, time: np.ndarray) -> np.ndarray:
        return (time - self.injection) / SECONDS_PER_MINUTE


def fit_parent_fraction(blood: InputFunction, model: str) -> ParentFit:
    """Fit a model to the samples of the parent fraction.

    Args:
        blood: Blood with a parent fraction.
        model: One of `PARENT_MODELS`.

    Raises:
        UsageError: If the model is unknown.
        InputError: If there is no parent fraction, or plasma was corrected for metabolites
            already, or the samples are fewer than the parameters and one, or no fit converges.
    """
    if model not in PARENT_MODELS:
        raise UsageError(
            f"parent fraction model {model!r}", f"expected one of {', '.join(PARENT_MODELS)}"
        )
    time, fraction = _samples(blood)
    n = time.size
    common = {"model": model, "time": time, "fraction": fraction, "injection": blood.injection}
    if model == "samples":
        return ParentFit(parameters={}, covariance=np.zeros((0, 0)), rms=0.0, aicc=np.inf, **common)
    spec, limits, grid = _MODELS[model]
    count = len(spec.names)
    if n < count + 1:
        raise InputError(
            f"{n} samples of the parent fraction after the injection in {_where(blood)}",
            f"expected at least {count + 1} for {spec.what}",
            "interpolate the samples or give more",
        )
    minutes = (time - blood.injection) / SECONDS_PER_MINUTE
    starts = np.array(list(product(*grid)))
    misfit = [float(np.sum((spec.fitted(x, minutes) - fraction) ** 2)) for x in starts]
    starts = starts[np.argsort(misfit, kind="stable")[:_POLISHED]]
    low, high = np.array(limits).T
    fit = bounded_fit(spec, minutes, fraction, np.ones(n), (low, high), starts)
    free = n - count - 2
    k = count + 1
    aicc = np.inf
    if free > 0:
        aicc = n * np.log(max(fit.squares, 1e-300) / n) + 2 * k + 2 * k * (k + 1) / free
    return ParentFit(
        parameters=dict(zip(spec.names, map(float, fit.parameters), strict=True)),
        covariance=fit.covariance,
        rms=float(np.sqrt(fit.squares / n)),
        aicc=float(aicc),
        **common,
    )


def best_parent_model(blood: InputFunction) -> ParentFit:
    """Return the fit with the lowest AICc of all models that can be fitted.

    Raises:
        InputError: If there is none: of too few samples, or as `fit_parent_fraction` raises.
    """
    fits, errors = [], []
    for model in _MODELS:
        try:
            fits.append(fit_parent_fraction(blood, model))
        except BetaplusError as error:
            errors.append(error)
    if not fits:
        raise errors[0]
    best = min(fits, key=lambda fit: fit.aicc)
    if not np.isfinite(best.aicc):
        raise InputError(
            f"{best.time.size} samples of the parent fraction in {_where(blood)}",
            f"expected at least {len(best.parameters) + 3} to compare models",
            "name a model",
        )
    return best


def with_parent_model(blood: InputFunction, model: str) -> InputFunction:
    """Return the blood with its parent fraction replaced by a model's, on dense knots.

    Args:
        blood: Blood with a parent fraction.
        model: One of `PARENT_MODELS`, or ``best`` for that of the lowest AICc.

    Raises:
        UsageError: If the model is unknown.
        InputError: As `fit_parent_fraction` and `best_parent_model` raise.
    """
    fit = best_parent_model(blood) if model == "best" else fit_parent_fraction(blood, model)
    if fit.model == "samples":
        return blood
    end = blood.injection + _TAIL * (float(blood.time[-1]) - blood.injection)
    time = np.union1d(blood.time, _knots(blood.injection, end))

    def spread(series: np.ndarray | None) -> np.ndarray | None:
        if series is None:
            return None
        out = np.full(time.size, np.nan)
        out[np.searchsorted(time, blood.time)] = series
        return out

    remark = (
        f"parent fraction by {_MODELS[fit.model][0].what}, RMS {fit.rms:.2g}"
        f" at {fit.time.size} samples"
    )
    return dataclasses.replace(
        blood,
        time=time,
        plasma=spread(blood.plasma),
        whole_blood=spread(blood.whole_blood),
        parent_fraction=fit.at(time),
        remarks=(*blood.remarks, remark),
    )


def _samples(blood: InputFunction) -> tuple[np.ndarray, np.ndarray]:
    """Return times and values of the samples after the injection."""
    if blood.plasma_kind == "parent":
        raise InputError(
            f"plasma in {_where(blood)} was corrected for metabolites already",
            "a correction is never applied twice",
            "leave out the parent fraction model",
        )
    fraction = blood.parent_fraction
    if fraction is None or not np.isfinite(fraction).any():
        raise InputError(
            f"no parent fraction in {_where(blood)}",
            "expected samples of metabolite_parent_fraction",
        )
    known = np.isfinite(fraction) & (blood.time > blood.injection)
    return blood.time[known], np.minimum(fraction[known], 1.0)


def _knots(start: float, end: float) -> np.ndarray:
    n = int(np.ceil(np.log1p((end - start) / 30.0) / _KNOT_STEP))
    return start + 30.0 * np.expm1(_KNOT_STEP * np.arange(n + 1))


def _where(blood: InputFunction) -> str:
    return blood.source.name if blood.source else "the input function"
