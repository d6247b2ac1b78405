"""Settings that the methods with a network share, checked in one place."""

from __future__ import annotations

from betaplus.core.errors import UsageError

__all__ = ["check_draws", "check_share"]


def check_draws(name: str, value: int, low: int = 32, high: int = 100_000) -> None:
    """Refuse a number of draws or passes out of range.

    Raises:
        UsageError: If it is.
    """
    if not low <= value <= high:
        raise UsageError(f"setting {name}={value}", f"expected {low} to {high}")


def check_share(name: str, value: float) -> None:
    """Refuse a share that is not between 0 and 1.

    Raises:
        UsageError: If it is not.
    """
    if not 0.0 <= value <= 1.0:
        raise UsageError(f"setting {name}={value:g}", "expected 0 to 1")
