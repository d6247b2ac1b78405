"""Blood after a bolus: Feng's plasma curve, whole blood and parent fraction, as samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.input_function import InputFunction
from betaplus.core.units import SECONDS_PER_MINUTE

__all__ = ["BloodProfile", "draw_blood", "feng", "sample_times"]

_AMPLITUDE_SPREAD, _RATE_SPREAD = 0.12, 0.10  # standard deviations of the logarithms
_PARENT_TIMES = (0, 60, 120, 180, 300, 450, 600, 900, 1200, 1800, 2400, 3000, 3600, 4500, 5400)


@dataclass(frozen=True, kw_only=True)
class BloodProfile:
    """Population values of the blood curves of a tracer.

    Attributes:
        amplitudes: A1 [SUV/min], A2, A3 [SUV] of Feng's model for total plasma.
        rates: lambda1, lambda2, lambda3 of Feng's model [1/min], fastest first.
        arrival: Range of the arrival at the sampler after injection [s].
        blood_ratio: Whole blood over plasma at injection and late.
        blood_ratio_time: Time constant of the change between the two [min].
        parent: Hill parameters a, b and t50 [min] of the parent fraction
            1 - a t^b / (t50^b + t^b), or None where plasma holds no metabolites.
    """

    amplitudes: tuple[float, float, float]
    rates: tuple[float, float, float]
    arrival: tuple[float, float]
    blood_ratio: tuple[float, float]
    blood_ratio_time: float = 10.0
    parent: tuple[float, float, float] | None = None


def feng(
    time: np.ndarray, amplitudes: Sequence[float] | np.ndarray, rates: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Return Feng's plasma curve, 0 before arrival.

    C(t) = (A1 t - A2 - A3) exp(-l1 t) + A2 exp(-l2 t) + A3 exp(-l3 t), model 2 of Feng, Huang and
    Wang, Int J Biomed Comput 1993, 32:95-110.

    Args:
        time: Minutes since arrival, any shape.
        amplitudes: A1 [unit/min], A2, A3 [unit].
        rates: l1, l2, l3 [1/min].
    """
    t = np.maximum(np.asarray(time, dtype=np.float64), 0.0)
    a1, a2, a3 = amplitudes
    l1, l2, l3 = rates
    value = (a1 * t - a2 - a3) * np.exp(-l1 * t) + a2 * np.exp(-l2 * t) + a3 * np.exp(-l3 * t)
    return np.where(t > 0, value, 0.0)


def sample_times(scan_end: float) -> np.ndarray:
    """Return sampling times from injection to the end of the scan [s], dense at first."""
    blocks = [
        np.arange(0.0, 90.0, 3.0),
        np.arange(90.0, 180.0, 10.0),
        np.arange(180.0, 600.0, 60.0),
        np.arange(600.0, scan_end, 300.0),
    ]
    time = np.concatenate(blocks)
    return np.append(time[time < scan_end - 1.0], scan_end)


def draw_blood(
    profile: BloodProfile, activity_per_gram: float, scan_end: float, rng: np.random.Generator
) -> InputFunction:
    """Draw one subject's blood samples, decay-corrected to TimeZero = injection.

    Amplitudes and rates are log-normal about the population's. Samples carry no measurement noise,
    and the straight lines between them are what the tissue is given: the blood as written is the
    true input.

    Args:
        profile: Population values.
        activity_per_gram: Injected activity over body weight, 1 SUV [Bq/mL].
        scan_end: End of the last frame [s].
        rng: Source of the subject.

    Returns:
        Total plasma, whole blood and parent fraction (where there are metabolites) [Bq/mL].
    """
    common, *own = rng.standard_normal(4)
    size = np.exp(_AMPLITUDE_SPREAD * (0.8 * common + 0.6 * np.array(own)))
    amplitudes = activity_per_gram * np.array(profile.amplitudes) * size
    rates = np.array(profile.rates) * np.exp(_RATE_SPREAD * rng.standard_normal(3))
    arrival = rng.uniform(*profile.arrival)
    time = sample_times(scan_end)
    minutes = (time - arrival) / SECONDS_PER_MINUTE
    plasma = np.maximum(feng(minutes, amplitudes, rates), 0.0)
    first, late = profile.blood_ratio
    ratio = late + (first - late) * np.exp(-np.maximum(minutes, 0.0) / profile.blood_ratio_time)
    ratio = ratio * np.exp(0.02 * rng.standard_normal())
    return InputFunction(
        time=time,
        plasma=plasma,
        whole_blood=plasma * ratio,
        parent_fraction=_parent(profile, time, scan_end, rng),
        unit="Bq/mL",
        plasma_kind="total",
        injection=0.0,
        dispersion_corrected=False,
    )


def _parent(
    profile: BloodProfile, time: np.ndarray, scan_end: float, rng: np.random.Generator
) -> np.ndarray | None:
    if profile.parent is None:
        return None
    a, b, half = profile.parent
    half = half * np.exp(0.15 * rng.standard_normal())
    t = (time / SECONDS_PER_MINUTE) ** b
    fraction = 1.0 - a * t / (half**b + t)
    nearest = [int(np.argmin(np.abs(time - s))) for s in (*_PARENT_TIMES, scan_end)]
    measured = np.zeros(time.size, dtype=bool)
    measured[nearest] = True
    return np.where(measured, fraction, np.nan)
