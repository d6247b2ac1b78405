"""Options of Patlak fits, and what of them goes together."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.settings import make_settings
from betaplus.engine import Choice, check_engine
from betaplus.io.bed_times import load_bed_times
from betaplus.patlak.method import LEARNED, find_method
from betaplus.patlak.prior_choice import check_anatomy

__all__ = ["bed_times_option", "check_options", "method_settings", "t_star_option"]

_DRAWING = ("gibbs",)


def t_star_option(t_star: float | str) -> float | None:
    """Return t* [s]; None for ``auto``.

    Raises:
        UsageError: If it is neither that nor a number from 0 on.
    """
    if t_star == "auto":
        return None
    try:
        seconds = float(t_star)
    except ValueError as error:
        raise UsageError(f"t* is {t_star!r}", "expected auto or seconds") from error
    if not 0.0 <= seconds < math.inf:
        raise UsageError(f"t* is {seconds:g} s", "expected a time after injection")
    return seconds


def bed_times_option(value: BedTimes | str | Path | None, image: PetImage) -> BedTimes | None:
    """Return when slices were seen: as given, from a file, or ``once``; None asks the sidecar.

    Raises:
        InputError: If a file does not fit the image.
    """
    if value is None or isinstance(value, BedTimes):
        return value
    if str(value) == "once":
        return None if image.frames is None else BedTimes.at_once(image.frames, image.shape[2])
    return load_bed_times(value, image)


def method_settings(method: str, values: Mapping[str, Any] | Any, samples: int | None) -> Any:
    """Return the settings of a method.

    Args:
        method: Its name.
        values: Its settings, or what was typed, by name.
        samples: From ``--samples``, or None.

    Raises:
        UsageError: If method or field is unknown, a value is of the wrong type, or there are no
            draws.
    """
    kind = find_method(method).Settings
    if isinstance(values, kind):
        return values if samples is None else dataclasses.replace(values, samples=samples)
    values = dict(values or {})
    if samples is not None:
        if method not in _DRAWING:
            raise UsageError(
                f"--samples with --method {method}, which draws none",
                f"expected {' or '.join(_DRAWING)}",
            )
        if "samples" in values:
            raise UsageError("--samples and a setting samples", "expected one of the two")
        values["samples"] = samples
    # `make_settings` reads the type of a field from its default, which None has not.
    free = {
        field.name: _number(field.name, values.pop(field.name))
        for field in dataclasses.fields(kind)
        if field.default is None and values.get(field.name) is not None
    }
    return dataclasses.replace(make_settings(kind, values), **free)


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"setting {name}={value!r}", "expected a number") from error


def check_options(
    method: str, bundle: Path | None, anatomy: str, engine: str, workers: int | None
) -> Choice:
    """Check options against the method; return what blocks run in.

    Raises:
        UsageError: If one is unknown, out of range, or of no use to the method.
        InputError: If the file of a cluster cannot be read.
    """
    check_anatomy(anatomy)
    if method not in LEARNED:
        for name, given in (("--bundle", bundle is not None), ("--anatomy", anatomy != "auto")):
            if given:
                raise UsageError(
                    f"{name} with --method {method}, which has no prior",
                    f"expected one of {', '.join(LEARNED)}",
                )
    return check_engine(engine, workers)
