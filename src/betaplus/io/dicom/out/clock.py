"""When the slices of an image were, and what decay was corrected to, in the words of DICOM."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.dicom.header import Slice
from betaplus.io.dicom.series import Series
from betaplus.io.dicom.timing import acquisition_start, mean_rate_time

__all__ = ["SliceTime", "decay_word", "slice_time"]

_SAME = 0.5  # s


@dataclass(frozen=True, kw_only=True)
class SliceTime:
    """When a slice was.

    Attributes:
        begun: Start of the acquisition.
        duration: Of it [s], None where it is not known.
        reference: When the count rate was the mean one [s from the start of the scan].
        factor: What undoes decay, None where decay is not corrected or cannot be known.
    """

    begun: datetime
    duration: float | None
    reference: float
    factor: float | None


def decay_word(image: PetImage, name: str) -> str:
    """Return START, ADMIN or NONE: what values are decay-corrected to.

    Raises:
        InputError: If they are decay-corrected to another time, which a PET series cannot say.
    """
    corrected = image.decay_corrected_to
    if corrected is None:
        return "NONE"
    if abs(corrected) <= _SAME:
        return "START"
    if abs(corrected - image.injection) <= _SAME:
        return "ADMIN"
    raise InputError(
        f"{name} is decay-corrected to {corrected:g} s after the scan began",
        "expected the start of the scan or the injection, which is all that a DICOM series can say",
        "leave --dicom out",
    )


def slice_time(image: PetImage, series: Series, z: int, t: int) -> SliceTime:
    """Return when slice z of frame t of an image was.

    Args:
        image: On the grid of the series, with as many frames.
        series: Whose TimeZero is that of the image.
        z: Slice, from 0.
        t: Frame, from 0.
    """
    source = series.frames[min(t, len(series.frames) - 1)][z]
    start, duration = _times(image, source, series, z, t)
    half_life = image.tracer.half_life if image.tracer else None
    inside = 0.0
    if duration is not None:
        inside = mean_rate_time(duration, half_life) if half_life else 0.5 * duration
    return SliceTime(
        begun=series.times.zero + timedelta(seconds=start),
        duration=duration,
        reference=start + inside,
        factor=_factor(image, source, start, duration, half_life),
    )


def _times(
    image: PetImage, source: Slice, series: Series, z: int, t: int
) -> tuple[float, float | None]:
    if "SliceTimesStart" in image.metadata and "SliceDuration" in image.metadata:
        starts = np.atleast_2d(np.asarray(image.metadata["SliceTimesStart"], dtype=np.float64))
        lengths = np.atleast_2d(np.asarray(image.metadata["SliceDuration"], dtype=np.float64))
        return float(starts[t, z]), float(lengths[t, z])
    if image.frames is not None:
        return float(image.frames.start[t]), float(image.frames.duration[t])
    return series.times.seconds(acquisition_start(source)), source.duration


def _factor(
    image: PetImage, source: Slice, start: float, duration: float | None, half_life: float | None
) -> float | None:
    corrected = image.decay_corrected_to
    if corrected is None:
        return None
    if duration is None or not half_life:
        return source.decay_factor
    rate = math.log(2.0) / half_life
    x = rate * duration
    return math.exp(rate * (start - corrected)) * (x / -math.expm1(-x) if x > 1e-9 else 1.0)
