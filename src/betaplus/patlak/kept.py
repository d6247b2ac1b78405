"""Maps between two steps of a method, as a run that was stopped finds them again."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.crew import Crew
from betaplus.core.errors import InputError

__all__ = ["keep_draw", "keep_maps", "kept_draws", "kept_maps"]

_STEP = "step"


def kept_maps(crew: Crew, first: Tensor) -> tuple[Tensor, int]:
    """Return what was kept last and the steps that made it; `first` and 0 where there is nothing.

    Args:
        crew: Who keeps.
        first: Where a method begins, of any shape.
    """
    found = crew.load(_STEP)
    if found is None:
        return first, 0
    return torch.from_numpy(found["maps"]), int(found["done"])


def keep_maps(crew: Crew, maps: Tensor, done: int) -> None:
    """Keep what the next step depends on.

    Args:
        crew: Who keeps.
        maps: It.
        done: Steps that made it.
    """
    crew.save(_STEP, {"maps": maps.numpy(), "done": np.array(done)})


def keep_draw(crew: Crew, draw: Tensor, number: int) -> None:
    """Keep a draw, counted from 1."""
    crew.save(f"draw-{number}", {"draw": draw.numpy()})


def kept_draws(crew: Crew, count: int) -> list[Tensor]:
    """Return the first draws, which were kept before the step that made the last of them.

    Raises:
        InputError: If one is gone or damaged.
    """
    found = [crew.load(f"draw-{n + 1}") for n in range(count)]
    missing = [n + 1 for n, one in enumerate(found) if one is None]
    if missing:
        raise InputError(
            f"draw {missing[0]} of the run that was stopped is gone or damaged",
            todo="give --overwrite to start again",
        )
    return [torch.from_numpy(one["draw"]) for one in found if one is not None]
