"""Checks that the settings of several methods share."""

from __future__ import annotations

import math

from betaplus.core.errors import UsageError

__all__ = ["check_count", "check_range"]


def check_count(name: str, value: int, low: int = 1, high: int = 10_000) -> None:
    """Refuse a number out of range.

    Raises:
        UsageError: If it is.
    """
    if not low <= value <= high:
        raise UsageError(f"setting {name}={value}", f"expected {low} to {high}")


def check_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse a number out of range, or none.

    Raises:
        UsageError: If it is.
    """
    if not (low <= value <= high and math.isfinite(value)):
        above = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
        raise UsageError(f"setting {name}={value:g}", f"expected {above}")
