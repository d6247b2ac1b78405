"""Settings of a training run from a TOML file, checked against their dataclass."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from betaplus.core.errors import InputError
from betaplus.core.limits import read_toml

__all__ = ["read_settings"]

Plan = TypeVar("Plan")


def read_settings(base: Plan, path: Path | None) -> Plan:
    """Return settings with those in a TOML file put in their place.

    Args:
        base: A dataclass, from which the file departs.
        path: TOML with fields of it; None for none.

    Raises:
        UsageError: If a value is out of range.
        InputError: If the file cannot be read, or a field is unknown or of the wrong type.
    """
    if path is None:
        return base
    try:
        values = read_toml(path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"training configuration {path.name} cannot be read: {error}") from error
    known = {f.name: getattr(base, f.name) for f in dataclasses.fields(base)}  # type: ignore[arg-type]
    for field, value in values.items():
        if field not in known:
            raise InputError(f"{field!r} in {path.name}", f"expected one of {', '.join(known)}")
        if not _fits(value, known[field]):
            expected = type(known[field]).__name__.replace("tuple", "a list")
            raise InputError(f"{field} = {value!r} in {path.name}", f"expected {expected}")
    chosen = {name: type(known[name])(value) for name, value in values.items()}
    return dataclasses.replace(base, **chosen)  # type: ignore[type-var]


def _fits(value: Any, like: Any) -> bool:
    if isinstance(like, tuple):
        return isinstance(value, list) and all(type(item) is type(like[0]) for item in value)
    if isinstance(like, float):
        return type(value) in (int, float)
    return type(value) is type(like)
