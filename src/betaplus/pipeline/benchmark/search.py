"""The best settings of a method, looked for along one setting at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Axis", "Found", "search"]

_DIGITS = 4  # significant, of a setting


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A setting and its steps.

    Attributes:
        name: Of the setting.
        ratio: Of a value to the one before, above 1.
        low: Smallest value allowed.
        high: Largest.
    """

    name: str
    ratio: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    Attributes:
        settings: The best.
        score: Theirs; small is good.
        bracketed: Setting to whether worse values were found on both sides of the best.
    """

    settings: dict[str, Any]
    score: float
    bracketed: dict[str, bool]


def search(
    score: Callable[[Mapping[str, Any]], float],
    start: Mapping[str, Any],
    axes: Sequence[Axis],
    *,
    rounds: int = 1,
) -> Found:
    """Return the settings with the smallest score.

    Along each axis in turn, values go by steps of its ratio from the best so far, down and up, as
    long as the score falls: the best lies between two that are worse, unless an axis ends.

    Args:
        score: Of settings; asked once for each.
        start: Where to begin.
        axes: What is varied.
        rounds: How often to go through the axes.
    """
    known: dict[tuple[int, ...], float] = {}

    def settings(steps: Sequence[int]) -> dict[str, Any]:
        return dict(start) | {
            axis.name: _rounded(start[axis.name] * axis.ratio**step)
            for axis, step in zip(axes, steps, strict=True)
        }

    def ask(steps: tuple[int, ...]) -> float:
        if steps not in known:
            known[steps] = score(settings(steps))
        return known[steps]

    best = (0,) * len(axes)
    least, bracketed = ask(best), dict[str, bool]()
    for _ in range(rounds):
        before = best
        for i, axis in enumerate(axes):
            ends = []
            for step in (1, -1):
                while True:
                    after = (*best[:i], best[i] + step, *best[i + 1 :])
                    allowed = axis.low <= settings(after)[axis.name] <= axis.high
                    if not allowed or ask(after) >= least:
                        ends.append(allowed)
                        break
                    best, least = after, ask(after)
            bracketed[axis.name] = all(ends)
        if best == before:
            break
    return Found(settings=settings(best), score=least, bracketed=bracketed)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
