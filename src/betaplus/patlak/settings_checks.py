"""Checks that the settings of several methods share."""

from __future__ import annotations

import math

from betaplus.core.errors import UsageError

__all__ = ["check_count", "check_falling", "check_range"]


def check_count(name: str, value: int, low: int = 1, high: int = 100_000) -> None:
    """Refuse a setting that is no whole number in range.

    Raises:
        UsageError: If it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UsageError(f"setting {name} is {value}", f"expected a whole number, {low} to {high}")


def check_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    """Refuse a setting out of range, or none.

    Raises:
        UsageError: If it is.
    """
    if not (math.isfinite(value) and low <= value <= high):
        above = f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
        raise UsageError(f"setting {name} is {value:g}", f"expected {above}")


def check_falling(first: float, last: float) -> None:
    """Refuse levels of noise that do not fall, or are out of range.

    Raises:
        UsageError: If they are.
    """
    check_range("first", first, 1e-3, 1e3)
    check_range("last", last, 1e-3, 1e3)
    if first < last:
        raise UsageError(f"setting first is {first:g}, last {last:g}", "expected levels that fall")
