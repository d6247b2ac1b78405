"""What the tables of all benchmarks say alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["dose_key", "dose_name", "grid_name", "number", "opening", "passed"]


def opening(title: str, result: Mapping[str, Any]) -> list[str]:
    """Return the heading of a table, with a warning where a run was a quick one."""
    warning = ["Quick run: too little to judge by.", ""] if result["quick"] else []
    return [f"# {title}", "", *warning]


def dose_name(dose: float) -> str:
    """Return ``1/20`` for 0.05."""
    return f"1/{1 / dose:.0f}"


def dose_key(dose: float) -> str:
    """Return ``1of20`` for 0.05: part of names of items."""
    return f"1of{1 / dose:.0f}"


def grid_name(shape: Sequence[int]) -> str:
    """Return ``192 x 288 x 520``."""
    return " x ".join(map(str, shape))


def number(value: float | None, form: str = "{:.3f}") -> str:
    """Return a number as text; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else form.format(value)


def passed(reached: bool) -> str:
    """Return what is said of a target."""
    return "pass" if reached else "short"
