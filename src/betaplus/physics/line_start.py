"""t*: from which frame on the points of a graphical method lie on a line.

The rule that users of PMOD and kinfitr know: the earliest start of a frame from which no point is
off the regression line by more than 10 % of it, with a least number of frames on the line. It is
never before the input's peak.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError

__all__ = ["ROUNDING", "StraightLine", "allowed_starts", "earliest_line", "given_start"]

ROUNDING = 0.01
"""Of frame times in real sidecars [s]."""


class StraightLine(Protocol):
    """Lines through n curves, in some of their T frames."""

    @property
    def used(self) -> Tensor:
        """Frames used, shape (n, T)."""

    @property
    def fitted(self) -> Tensor:
        """The line, shape (n, T)."""

    @property
    def residual(self) -> Tensor:
        """Ordinate less line, shape (n, T)."""


def given_start(start: np.ndarray, t_star: float, least: int, model: str) -> int:
    """Return the first frame that starts at or after a given t*.

    Args:
        start: Frame starts, shape (T,) [s].
        t_star: The time given [s].
        least: Fewest frames on the line.
        model: Name of the model, for the message.

    Raises:
        UsageError: If fewer than `least` frames do.
    """
    left = int((start >= t_star - ROUNDING).sum())
    if left < least:
        raise UsageError(
            f"t_star {t_star:g} s leaves {left} of {len(start)} frames",
            f"expected at least {least} for {model}",
            "choose an earlier t_star",
        )
    return len(start) - left


def allowed_starts(start: np.ndarray, peak: float, least: int, model: str) -> range:
    """Return the frames that a line may begin with: after the input's peak, `least` to the end.

    Args:
        start: Frame starts, shape (T,) [s].
        peak: When the tissue sees the input's peak [s].
        least: Fewest frames on the line.
        model: Name of the model, for the message.

    Raises:
        InputError: If there is none.
    """
    after = int((start >= peak - ROUNDING).sum())
    if after < least:
        raise InputError(
            f"{after} frames start after the input's peak at {peak:.0f} s",
            f"expected at least {least} for {model}",
        )
    return range(len(start) - after, len(start) - least + 1)


def earliest_line(
    line: Callable[[Tensor, Tensor], StraightLine], y: Tensor, starts: range, max_error: float
) -> tuple[Tensor, Tensor]:
    """Return where the lines of curves begin, and whether they do begin there.

    Args:
        line: From curves and frames used, shapes (m, T), to lines.
        y: Curves, shape (n, T).
        starts: Frames that may be the first.
        max_error: Largest deviation of a point from the line, relative to the line.

    Returns:
        First frames, shape (n,): the last allowed where none will do; and False where the last
        allowed had to be taken though earlier ones were, or none will do, shape (n,).
    """
    n, frames = y.shape
    first = torch.full((n,), starts[-1])
    found = torch.zeros(n, dtype=torch.bool)
    index = torch.arange(frames)
    for start in starts:
        rows = torch.nonzero(~found)[:, 0]
        if not len(rows):
            break
        straight = line(y[rows], (index >= start).expand(len(rows), -1))
        error = torch.where(straight.used, (straight.residual / straight.fitted).abs(), 0.0)
        good = rows[(error <= max_error).all(-1)]
        first[good] = start
        found[good] = True
    return first, found & ((first < starts[-1]) | (len(starts) == 1))
