r"""A model of the arterial input function, fitted to samples of parent plasma.

Samples are plasma times parent fraction at the times of the plasma samples. Their variance is
taken as proportional to the curve C plus 1 % of its peak, as that of counts is, and every sample
counts for the time that it stands for (half the way to its neighbours). The sum of squares is then
the integral of :math:`(\Delta C)^2 / C`, relative errors weighted by area: hundreds of samples of
an autosampler cannot outvote the few late ones, and the area is kept. The weights follow the fit
in three passes, so that they do not follow the noise. The residuals give the factor of the
variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.kinetics.blood.aif_models import AIF_MODELS, AifModel, Samples
from betaplus.kinetics.blood.bounded_fit import BoundedFit, bounded_fit, curve_sd

__all__ = ["AifFit", "fit_aif", "with_aif_model"]

_FLOOR = 0.01  # of the peak, in the variance
_POLISHED = 4  # starts that are fitted to the end
_PASSES = 3
_SEARCHED = 250  # samples that the search for starts looks at
_STRAIGHT = 5e-4  # of the curve: how far straight lines between knots may be off
_FIRST_STEP = 0.05  # relative spacing of knots before they are refined
_LEAST_STEP = 1e-3  # s
_MISFIT = 0.1  # of the peak: a larger RMS is worth a remark
_OF_SAMPLES = ("plasma extrapolated", "zero prepended to plasma")


@dataclass(frozen=True, eq=False, kw_only=True)
class AifFit:
    """Parent plasma as a function of time.

    Attributes:
        model: ``feng`` or ``triexp``.
        parameters: Name to value: times in seconds from TimeZero, rates per minute, amplitudes in
            the unit of the blood (A1 of Feng's model per minute).
        covariance: Of the parameters in that order, shape (P, P).
        rms: Root mean square of the residuals [unit].
        area: Area of the model over that of the samples, up to the last of them.
        time: Times of the samples, shape (n,) [s from TimeZero].
        plasma: Parent plasma there, shape (n,) [unit].
        blood: What it was fitted to.
    """

    model: str
    parameters: Mapping[str, float]
    covariance: np.ndarray
    rms: float
    area: float
    time: np.ndarray
    plasma: np.ndarray
    blood: InputFunction

    def at(self, time: np.ndarray) -> np.ndarray:
        """Return parent plasma at times of any shape [s from TimeZero]."""
        return AIF_MODELS[self.model].model.curve(self._x, np.asarray(time, dtype=np.float64))

    def sd(self, time: np.ndarray) -> np.ndarray:
        """Return its standard deviation by linear propagation [unit]."""
        curve = AIF_MODELS[self.model].model.curve
        return curve_sd(curve, self._x, self.covariance, np.asarray(time, dtype=np.float64))

    def curve(self, scan_end: float) -> InputCurve:
        """Return the model on knots between which straight lines are off by less than .1 %.

        Whole blood stays as measured. Where there is none, total plasma stands in for it as in
        `InputFunction.curve`, and the model itself where plasma holds nothing but parent.

        Args:
            scan_end: End of the last frame [s].

        Raises:
            InputError: If the samples end more than 10 % of the scan before `scan_end`.
        """
        base = self.blood.curve(scan_end)
        knots = self._knots(max(scan_end, float(base.time[-1])))
        whole = None
        measured = _whole_blood(self.blood)
        if measured is not None:
            own = self.blood.time[np.isfinite(measured)]
            knots = np.union1d(knots, own[(own > knots[0]) & (own < knots[-1])])
            whole = np.interp(knots, base.time, base.whole_blood, left=0.0)
        plasma = self.at(knots)
        unit = self.blood.unit
        remark = (
            f"parent plasma by {AIF_MODELS[self.model].model.what}, RMS {self.rms:.3g} {unit}"
            f" at {self.time.size} samples, area {100 * (self.area - 1):+.1f} % from straight lines"
        )
        remarks = [text for text in base.remarks if not text.startswith(_OF_SAMPLES)]
        remarks.append(remark)
        off = self.rms / float(self.plasma.max())
        if off > _MISFIT:
            remarks.append(f"that model misses the samples by {100 * off:.0f} % of the peak")
        return InputCurve(knots, plasma, plasma if whole is None else whole, unit, tuple(remarks))

    @property
    def _x(self) -> np.ndarray:
        return np.array(list(self.parameters.values()))

    def _knots(self, end: float) -> np.ndarray:
        """Halve steps until the curve is straight between knots, measured in their middle."""
        start = self.blood.injection
        n = int(np.ceil(np.log1p((end - start) / 30.0) / _FIRST_STEP))
        knots = start + 30.0 * np.expm1(np.linspace(0.0, np.log1p((end - start) / 30.0), n + 1))
        bends = [self.parameters[name] for name in ("tau", "t0", "peak") if name in self.parameters]
        knots = np.unique(np.concatenate([knots[:-1], [end], np.clip(bends, start, end)]))
        values = self.at(knots)
        top = int(np.argmax(values))
        peak_time, peak = knots[top], values[top]
        while True:
            middle = 0.5 * (knots[1:] + knots[:-1])
            found = self.at(middle)
            values = self.at(knots)
            size = np.where(middle > peak_time, found, peak)
            bent = np.abs(found - 0.5 * (values[1:] + values[:-1])) > _STRAIGHT * size
            bent &= np.diff(knots) > _LEAST_STEP
            if not bent.any():
                return knots
            knots = np.sort(np.concatenate([knots, middle[bent]]))


def fit_aif(blood: InputFunction, model: str, scan_end: float) -> AifFit:
    """Fit a model to parent plasma; whole blood stands in for plasma where there is none.

    Args:
        blood: Samples of blood.
        model: ``feng`` or ``triexp``.
        scan_end: End of the last frame [s].

    Raises:
        UsageError: If the model is unknown.
        InputError: If the samples are fewer than the parameters and one, end more than 10 % of the
            scan before `scan_end`, or no fit converges.
    """
    if model not in AIF_MODELS:
        raise UsageError(f"AIF model {model!r}", f"expected one of {', '.join(AIF_MODELS)}")
    spec = AIF_MODELS[model]
    samples = _samples(blood, scan_end)
    n, count = samples.time.size, len(spec.model.names)
    where = blood.source.name if blood.source else "the input function"
    if n < count + 1:
        raise InputError(
            f"{n} samples of plasma after the injection in {where}",
            f"expected at least {count + 1} for {spec.model.what}",
            "use the samples themselves or give more",
        )
    fit = _fit(spec, samples)
    found = spec.model.curve(fit.parameters, samples.time)
    knots = np.concatenate([[samples.injection], samples.time])
    fine = np.union1d(np.linspace(knots[0], knots[-1], 20_001), knots)
    measured = np.trapezoid(np.concatenate([[0.0], samples.values]), knots)
    return AifFit(
        model=model,
        parameters=dict(zip(spec.model.names, map(float, fit.parameters), strict=True)),
        covariance=fit.covariance,
        rms=float(np.sqrt(np.mean((found - samples.values) ** 2))),
        area=float(np.trapezoid(spec.model.curve(fit.parameters, fine), fine) / measured),
        time=samples.time,
        plasma=samples.values,
        blood=blood,
    )


def with_aif_model(blood: InputFunction, model: str, scan_end: float) -> InputCurve:
    """Return the input curve with parent plasma by a model.

    Raises:
        UsageError: If the model is unknown.
        InputError: As `fit_aif` raises.
    """
    return fit_aif(blood, model, scan_end).curve(scan_end)


def _fit(spec: AifModel, samples: Samples) -> BoundedFit:
    few, share = _thinned(samples), _share(samples)
    starts = spec.starts(few, _sd(few.values) / np.sqrt(_share(few)), _POLISHED)
    sd = _sd(samples.values)
    for _ in range(_PASSES):
        fit = bounded_fit(
            spec.model, samples.time, samples.values, sd, spec.limits(samples), starts, share
        )
        starts, sd = fit.x[None], _sd(spec.model.curve(fit.parameters, samples.time))
    return fit


def _sd(curve: np.ndarray) -> np.ndarray:
    """Standard deviations up to a factor: the square root of the curve and a floor."""
    return np.sqrt(curve + _FLOOR * curve.max())


def _share(samples: Samples) -> np.ndarray:
    """Time that each sample stands for: half the way to its neighbours [s]."""
    edges = 0.5 * (samples.time[1:] + samples.time[:-1])
    return np.diff(edges, prepend=samples.injection, append=samples.time[-1])


def _thinned(samples: Samples) -> Samples:
    """Keep about 250 samples, dense after the injection, and the highest."""
    n = samples.time.size
    if n <= _SEARCHED:
        return samples
    length = samples.time[-1] - samples.injection
    grid = samples.injection + 30.0 * np.expm1(np.linspace(0, np.log1p(length / 30.0), _SEARCHED))
    keep = np.minimum(np.searchsorted(samples.time, grid), n - 1)
    keep = np.union1d(keep, samples.peak)
    return Samples(samples.time[keep], samples.values[keep], samples.injection)


def _samples(blood: InputFunction, scan_end: float) -> Samples:
    curve = blood.curve(scan_end)
    series = blood.whole_blood if blood.plasma is None else blood.plasma
    assert series is not None
    time = blood.time[np.isfinite(series) & (blood.time > blood.injection)]
    return Samples(time, np.interp(time, curve.time, curve.plasma), blood.injection)


def _whole_blood(blood: InputFunction) -> np.ndarray | None:
    """Return what whole blood is taken from; None where parent plasma stands in for it."""
    if blood.whole_blood is not None:
        return blood.whole_blood
    fraction = blood.parent_fraction
    known = fraction is not None and bool(np.isfinite(fraction).any())
    return blood.plasma if known and blood.plasma_kind == "total" else None
