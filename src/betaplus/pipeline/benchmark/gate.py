"""A figure with a target, and several of them as a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from betaplus.pipeline.benchmark.wording import passed

__all__ = ["Gate", "gate_lines", "verdict"]


def verdict(found: float, target: float, *, least: bool = False) -> str:
    """Return ``pass``, ``short`` or ``not measured``.

    Args:
        found: The figure; of one that is to be small the absolute value counts; NaN where it was
            not measured.
        target: What it is held against.
        least: Whether it is to be large.
    """
    if math.isnan(found):
        return "not measured"
    return passed(found >= target if least else abs(found) <= target)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A figure and its target.

    Attributes:
        name: What it is.
        found: The figure; NaN where it was not measured.
        target: What it is held against.
        least: Whether it is to be large.
    """

    name: str
    found: float
    target: float
    least: bool = False

    @property
    def verdict(self) -> str:
        """``pass``, ``short`` or ``not measured``."""
        return verdict(self.found, self.target, least=self.least)

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON knows."""
        known = {**asdict(self), "verdict": self.verdict}
        return known | ({"found": None} if math.isnan(self.found) else {})


def gate_lines(gates: Iterable[Gate]) -> list[str]:
    """Return gates as a Markdown table."""
    lines = ["| what has a target | found | target | |", "|---" * 4 + "|"]
    for gate in gates:
        sign = "at least" if gate.least else "at most"
        lines.append(
            f"| {gate.name} | {gate.found:.3f} | {sign} {gate.target:g} | {gate.verdict} |"
        )
    return lines
