"""Options of separation, and what of them goes together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.settings import make_settings
from betaplus.engine import Choice, check_engine
from betaplus.separation.method import LEARNED, find_method

__all__ = ["check_blood", "check_options", "method_settings"]

_NEEDED = {"compartment": (True, True), "extrapolation": (True, False)}


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
    draws = any(field.name == "samples" for field in dataclasses.fields(kind))
    if samples is not None and not draws:
        raise UsageError(
            f"--samples with --method {method}, which draws none", "expected a method with draws"
        )
    if isinstance(values, kind):
        return values if samples is None else dataclasses.replace(values, samples=samples)
    values = dict(values or {})
    if samples is not None:
        if "samples" in values:
            raise UsageError("--samples and a setting samples", "expected one of the two")
        values["samples"] = samples
    return make_settings(kind, values)


def check_options(method: str, bundle: Path | None, engine: str, workers: int | None) -> Choice:
    """Check options against the method; return what blocks run in.

    Raises:
        UsageError: If one is unknown, out of range, or of no use to the method.
    """
    find_method(method)
    if bundle is not None and method not in LEARNED:
        raise UsageError(
            f"--bundle with --method {method}, which has no network",
            f"expected one of {', '.join(LEARNED)}",
        )
    return check_engine(engine, workers)


def check_blood(method: str, given: tuple[bool, bool]) -> None:
    """Refuse a method without the blood that it needs.

    Args:
        method: Its name.
        given: Whether there is blood of the first and the second tracer.

    Raises:
        UsageError: If it is missing.
    """
    needed = _NEEDED.get(method, (False, False))
    names = ("--blood-a", "--blood-b")
    missing = [n for n, need, has in zip(names, needed, given, strict=True) if need and not has]
    if missing:
        raise UsageError(
            f"method {method} without {' and '.join(missing)}",
            "expected the blood of that tracer",
            "give it, or choose a method that needs none, such as linear",
        )
