"""Settings of a method from what was typed: a dataclass, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from betaplus.core.errors import UsageError

__all__ = ["make_settings"]


def make_settings(kind: type, values: Mapping[str, Any]) -> Any:
    """Make a method's settings from options, which may be text.

    Raises:
        UsageError: If a field is unknown or a value has the wrong type.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    out = {}
    for name, value in values.items():
        if name not in fields:
            raise UsageError(
                f"setting {name!r} is unknown", f"expected one of {', '.join(fields) or '(none)'}"
            )
        wanted: Any = type(fields[name].default)
        try:
            converted = _truth(value) if wanted is bool else wanted(value)
        except (TypeError, ValueError):
            converted = None
        if converted is None or (wanted is int and float(value) != converted):
            expected = "true or false" if wanted is bool else wanted.__name__
            raise UsageError(f"setting {name}={value!r}", f"expected {expected}")
        out[name] = converted
    return kind(**out)


def _truth(value: Any) -> bool | None:
    """Read true and false as they are written; None for anything else."""
    return {"true": True, "false": False}.get(str(value).lower())
