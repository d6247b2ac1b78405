"""What a Patlak study needs of an image and its blood, refused by name where it is missing."""

from __future__ import annotations

import numpy as np

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import InputError, UsageError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.units import activity_factor
from betaplus.io.bed_times import check_one_bed, image_bed_times

__all__ = ["LEAST_FRAMES", "check_image", "input_of", "slice_times", "time_zero_unit"]

LEAST_FRAMES = 3
"""Fewest frames on a line: one more than it has coefficients."""

_MOST_DELAY = 600.0  # s
_MISSING_TAIL = 1.0  # s that a ready curve may end before the last frame


def check_image(image: PetImage) -> None:
    """Refuse an image without what Patlak's model needs.

    Raises:
        InputError: If it is not dynamic, not decay-corrected, or lacks frame times or radionuclide.
    """
    where = image.source.name if image.source else "the image"
    if len(image.shape) != 4:
        raise InputError(
            f"{where} is a 3-D image", "expected a dynamic (4-D) image", "give the dynamic series"
        )
    if image.frames is None:
        raise InputError(
            f"{where} has no frame times",
            "expected FrameTimesStart and FrameDuration",
            "add them to the sidecar",
        )
    if image.tracer is None:
        raise InputError(
            f"{where} does not say which radionuclide it shows",
            "expected TracerRadionuclide",
            "add it to the sidecar or give --radionuclide",
        )
    if image.decay_corrected_to is None:
        raise InputError(
            f"{where} is not decay-corrected",
            "expected values corrected to one time for all frames",
            "correct them, or give --decay-corrected-to if they are and the sidecar does not say",
        )
    if len(image.frames) < LEAST_FRAMES:
        raise InputError(
            f"{where} has {len(image.frames)} frames", f"expected {LEAST_FRAMES} or more"
        )


def slice_times(image: PetImage, given: BedTimes | None) -> tuple[BedTimes, list[str]]:
    """Return when each slice was seen, and remarks.

    Args:
        image: The image.
        given: What the caller knows; it overrules the sidecar.

    Raises:
        InputError: If they do not fit the image, or the scan looks like one of several beds and
            nothing says when they were seen.
    """
    assert image.frames is not None
    times, remarks = given or image_bed_times(image), []
    if times is None:
        remarks += check_one_bed(image)
        times = BedTimes.at_once(image.frames, image.shape[2])
    if (len(times), times.slices) != (image.n_frames, image.shape[2]):
        raise InputError(
            f"times of {len(times)} passes and {times.slices} slices",
            f"expected {image.n_frames} frames and {image.shape[2]} slices",
        )
    beds = len(times.beds())
    if beds > 1:
        remarks.append(f"slices are seen at {beds} sets of times: a and b are those of each slice")
    return times, remarks


def input_of(
    blood: InputFunction | InputCurve, unit: str, end: float, delay: float, relative: bool
) -> tuple[InputCurve, tuple[str, ...]]:
    """Return the input curve, and what was done to get it.

    Args:
        blood: Samples, or a curve that is taken as it is.
        unit: What to convert it to.
        end: End of the last frame [s].
        delay: Of the tissue after the sampler [s].
        relative: Whether its early part may be missing.

    Raises:
        InputError: If it is zero everywhere, ends early or begins late.
        UsageError: If the delay is out of range.
    """
    if not abs(delay) <= _MOST_DELAY:
        raise UsageError(f"delay {delay:g} s", f"expected {-_MOST_DELAY:g} to {_MOST_DELAY:g} s")
    last = end - delay
    curve = blood.curve(last) if isinstance(blood, InputFunction) else blood
    plasma = curve.plasma
    if not (np.isfinite(plasma).all() and plasma.max() > 0.0):
        raise InputError("the input function is nowhere above 0", "expected activity in plasma")
    if curve.time[-1] < last - _MISSING_TAIL:
        raise InputError(
            f"the input function ends at {curve.time[-1]:g} s, the scan at {last:g} s",
            "expected blood up to the end of the scan",
            "check that times are in seconds, or give the missing samples",
        )
    if not relative and int(np.argmax(plasma)) == 0:
        raise InputError(
            f"the input function is highest where it begins, at {curve.time[0]:g} s",
            "expected samples that cover the rise and the peak",
            "give them, or ask for the relative Patlak plot",
        )
    return curve.converted(unit), curve.remarks


def time_zero_unit(image: PetImage) -> tuple[str, float]:
    """Return the unit of a study, and what turns the image into it, decay-corrected to TimeZero.

    SUV stays SUV (blood must then be SUV too); all else becomes Bq/mL.
    """
    assert image.tracer is not None and image.decay_corrected_to is not None
    unit = "SUV" if image.unit == "SUV" else "Bq/mL"
    to_zero = float(np.exp(image.tracer.decay_constant * image.decay_corrected_to))
    return unit, activity_factor(image.unit, unit) * to_zero
