"""Settings looked for and kept as an item; trials are kept as they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from betaplus.pipeline.benchmark.search import Axis, Found, search
from betaplus.pipeline.benchmark.shelf import Shelf

__all__ = ["tune_item"]


def tune_item(
    shelf: Shelf,
    name: str,
    about: Mapping[str, Any],
    score: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    start: Mapping[str, Any],
    axes: Sequence[Axis],
    *,
    rounds: int = 1,
    choices: Sequence[Mapping[str, Any]] = ({},),
) -> None:
    """Look for the best settings and write them as an item: ``settings``, ``score``, ``bracketed``.

    Args:
        shelf: Where items go; ``trials/NAME`` holds what was tried, so that a search goes on.
        name: Of the item.
        about: What else is in it.
        score: Of settings: ``score``, of which small is good, and what else is kept of a trial.
        start: Where to begin.
        axes: What is varied.
        rounds: How often to go through the axes.
        choices: Settings that are not varied, tried one after the other; the best is taken.
    """
    kept = f"trials/{name}"
    trials = shelf.get(kept)["trials"] if shelf.has(kept) else []

    def ask(settings: Mapping[str, Any]) -> float:
        for trial in trials:
            if trial["settings"] == settings:
                return float(trial["score"])
        found = score(settings)
        trials.append({"settings": dict(settings), **found})
        shelf.put(kept, {"trials": trials})
        return float(found["score"])

    def searched(choice: Mapping[str, Any]) -> Found:
        return search(ask, {**start, **choice}, axes, rounds=rounds)

    best = min(map(searched, choices), key=lambda found: found.score)
    shelf.put(
        name,
        {
            **about, "settings": best.settings, "score": best.score, "bracketed": best.bracketed,
            "tried": len(trials),
        },
    )  # fmt: skip
