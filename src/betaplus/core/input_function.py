"""The input function: what reached the tissue, from blood samples or from an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.units import convert_activity

__all__ = ["InputCurve", "InputFunction"]

_Series: TypeAlias = tuple[np.ndarray, np.ndarray]

_TAIL_LIMIT = 0.10  # of the scan: a blood curve that ends earlier than this is refused
_NEGATIVE_LIMIT = 0.05  # of the peak: larger negative samples are refused
_FINE_STEP = 0.02  # relative to time since injection: spacing where two curves are multiplied


@dataclass(frozen=True, eq=False)
class InputCurve:
    """Piecewise-linear parent plasma and whole blood on shared knots.

    Attributes:
        time: Knots, shape (K,) [s from TimeZero]; the curves are 0 before the first.
        plasma: Parent (metabolite-corrected) plasma at the knots, shape (K,) [unit].
        whole_blood: Whole blood at the knots, shape (K,) [unit].
        unit: Activity concentration unit of both.
        remarks: What was done to get here.
    """

    time: np.ndarray
    plasma: np.ndarray
    whole_blood: np.ndarray
    unit: str
    remarks: tuple[str, ...] = ()

    def converted(self, unit: str) -> InputCurve:
        """Return the same curve in another activity unit."""
        return InputCurve(
            self.time,
            convert_activity(self.plasma, self.unit, unit),
            convert_activity(self.whole_blood, self.unit, unit),
            unit,
            self.remarks,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class InputFunction:
    """Blood samples and what they are samples of.

    Attributes:
        time: Sample times, shape (n,) [s from TimeZero], increasing.
        plasma: Plasma, shape (n,) [unit], NaN where there is no sample; or None.
        whole_blood: Whole blood, likewise; or None.
        parent_fraction: Fraction of plasma activity in unchanged tracer, likewise; or None.
        unit: Unit of plasma and whole blood.
        plasma_kind: ``total`` if the plasma still holds metabolites, ``parent`` if it was
            corrected already or the tracer has none (a correction is never applied twice),
            ``whole-blood`` if whole blood is to stand in for it, as with an image-derived input.
        injection: Injection start [s from TimeZero].
        dispersion_corrected: Whether the dispersion of a sampling line was taken out; None where
            nothing says so.
        source: The file it came from.
        remarks: What was found untidy and what was done about it.

    Raises:
        InputError: If the samples cannot be a blood curve.
    """

    time: np.ndarray
    plasma: np.ndarray | None = None
    whole_blood: np.ndarray | None = None
    parent_fraction: np.ndarray | None = None
    unit: str = "Bq/mL"
    plasma_kind: Literal["total", "parent", "whole-blood"] = "total"
    injection: float = 0.0
    dispersion_corrected: bool | None = None
    source: Path | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = self.source.name if self.source else "the input function"
        time = np.asarray(self.time, dtype=np.float64)
        if time.ndim != 1 or time.size < 2 or not np.isfinite(time).all():
            raise InputError(f"{time.size} usable sample times in {where}", "expected at least 2")
        if (np.diff(time) <= 0).any():
            bad = int(np.argmax(np.diff(time) <= 0))
            raise InputError(
                f"blood times go from {time[bad]:g} to {time[bad + 1]:g} s in {where}",
                "expected increasing times",
            )
        object.__setattr__(self, "time", time)
        for name in ("plasma", "whole_blood", "parent_fraction"):
            series = getattr(self, name)
            if series is None:
                continue
            series = np.asarray(series, dtype=np.float64)
            if series.shape != time.shape:
                raise InputError(
                    f"{series.size} values of {name} for {time.size} times in {where}",
                    "expected one per time, NaN where there is no sample",
                )
            if np.isinf(series).any():
                raise InputError(f"{name} holds infinity in {where}", "expected numbers or n/a")
            object.__setattr__(self, name, series)
        if self.plasma is None and self.whole_blood is None:
            raise InputError(
                f"neither plasma nor whole blood in {where}", "expected at least one of them"
            )
        fraction = self.parent_fraction
        if fraction is not None:
            known = fraction[np.isfinite(fraction)]
            if known.size and (known.min() < 0 or known.max() > 1 + 1e-6):
                worst = known.max() if known.max() > 1 else known.min()
                raise InputError(
                    f"parent fraction {worst:g} in {where}",
                    "expected values from 0 to 1",
                    "divide percentages by 100",
                )
        for name in ("plasma", "whole_blood"):
            series = getattr(self, name)
            if series is not None:
                _check_curve(time, series, name, where, self.injection)

    def curve(self, scan_end: float) -> InputCurve:
        """Return parent plasma and whole blood as piecewise-linear curves up to `scan_end` [s].

        Zero is prepended at the injection when no sample is that early; a tail of at most 10 % of
        the scan is extrapolated along the last samples (log-linear); whatever is done is in the
        curve's remarks.

        Raises:
            InputError: If the samples end more than 10 % of the scan before `scan_end`.
        """
        remarks = list(self.remarks)
        instead = self.plasma_kind == "whole-blood"
        plasma = None if instead else self._series("plasma", scan_end, remarks)
        blood = self._series("whole_blood", scan_end, remarks)
        if blood is None:
            blood = plasma
            remarks.append("no whole blood: total plasma stands in for it in the vascular term")
        if plasma is None:
            plasma = blood
            remarks.append("no plasma: whole blood stands in for it")
        assert plasma is not None and blood is not None
        fraction = self._fraction(remarks)
        knots = [plasma[0], blood[0], np.array([self.injection])]
        if fraction is not None:
            end = max(plasma[0][-1], blood[0][-1])
            knots += [fraction[0], _fine_grid(self.injection, end)]
        time = np.unique(np.concatenate(knots))
        time = time[(time >= self.injection) & (time <= max(scan_end, plasma[0][-1]))]
        if time[-1] < scan_end:
            time = np.append(time, scan_end)
        cp = np.interp(time, *plasma)
        if fraction is not None:
            cp = cp * np.interp(time, *fraction)
        return InputCurve(time, cp, np.interp(time, *blood), self.unit, tuple(remarks))

    def _series(self, name: str, scan_end: float, remarks: list[str]) -> _Series | None:
        values = getattr(self, name)
        if values is None or not np.isfinite(values).any():
            return None
        known = np.isfinite(values)
        time, values = self.time[known], values[known]
        if (values < 0).any():
            remarks.append(f"{int((values < 0).sum())} negative samples of {name} set to 0")
            values = np.maximum(values, 0.0)
        early = time <= self.injection
        if early.sum() > 1:  # keep the last sample at or before the injection
            time, values = time[early.sum() - 1 :], values[early.sum() - 1 :]
        if time[0] > self.injection:
            time = np.concatenate([[self.injection], time])
            values = np.concatenate([[0.0], values])
            remarks.append(f"zero prepended to {name} at injection ({self.injection:g} s)")
        missing = scan_end - time[-1]
        if missing > _TAIL_LIMIT * (scan_end - self.injection):
            raise InputError(
                f"{name} ends at {time[-1]:g} s, the scan at {scan_end:g} s",
                "expected blood for at least 90 % of the scan",
                "check that times are in seconds, or give the missing samples",
            )
        if missing > 1e-6:
            rate = _terminal_rate(time, values)
            time = np.append(time, scan_end)
            values = np.append(values, values[-1] * np.exp(-rate * missing))
            remarks.append(
                f"{name} extrapolated by {missing:g} s to the end of the scan"
                f" (log-linear, {rate * 60:.4g} per min)"
            )
        return time, values

    def _fraction(self, remarks: list[str]) -> _Series | None:
        fraction = self.parent_fraction
        if self.plasma_kind == "parent" or fraction is None or not np.isfinite(fraction).any():
            if self.plasma_kind == "total":
                remarks.append("no parent fraction: plasma taken as unmetabolised tracer")
            return None
        known = np.isfinite(fraction)
        time, value = self.time[known], np.minimum(fraction[known], 1.0)
        if time[0] > self.injection:
            time = np.concatenate([[self.injection], time])
            value = np.concatenate([[1.0], value])
            remarks.append("parent fraction 1 at injection")
        return time, value


def _fine_grid(start: float, end: float) -> np.ndarray:
    """Times dense enough that a product of two straight lines is straight between them."""
    n = int(np.ceil(np.log1p((end - start) / 30.0) / _FINE_STEP))
    return start + 30.0 * np.expm1(_FINE_STEP * np.arange(n + 1))


def _terminal_rate(time: np.ndarray, values: np.ndarray) -> float:
    """Log-linear slope of the last three positive samples, never growing [1/s]."""
    positive = np.flatnonzero(values > 0)[-3:]
    if positive.size < 2:
        return 0.0
    slope = np.polyfit(time[positive], np.log(values[positive]), 1)[0]
    return max(0.0, -float(slope))


def _check_curve(
    time: np.ndarray, series: np.ndarray, name: str, where: str, injection: float
) -> None:
    known = np.isfinite(series)
    t, v = time[known], series[known]
    if v.size < 2:
        raise InputError(f"{v.size} samples of {name} in {where}", "expected at least 2")
    peak = v.max()
    if peak <= 0:
        raise InputError(f"{name} is nowhere above 0 in {where}", "expected activity")
    if v.min() < -_NEGATIVE_LIMIT * peak:
        raise InputError(
            f"{name} falls to {v.min():g} in {where}", "expected concentrations, not below 0"
        )
    if int(np.argmax(v)) == 0 and t[0] > injection:
        raise InputError(
            f"{name} is highest in its first sample, at {t[0]:g} s, in {where}",
            "expected samples that cover the rise and the peak",
            "add early samples, give an image-derived or a population's curve (--blood idif:MASK or"
            " population:FILE), or make the relative Patlak plot (betaplus patlak --relative)",
        )
