"""t*: from which frame on a graphical method's points lie on a line.

The rule that users of PMOD and kinfitr know: the earliest start of a frame from which no point is
off the regression line by more than 10 % of it, with a least number of frames on the line. It is
never before the input's peak. A voxel's noise makes the rule absurd: choose t* on the mean curve,
and give it as a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.kinetics.graphical.linear import Line
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.models import KINETIC_MODELS

__all__ = ["allowed_starts", "choose_t_star", "earliest_line", "given_start"]

_ROUNDING = 0.01  # s: of frame times in real sidecars


def given_start(task: Task, least: int) -> int:
    """Return the first frame that starts at or after `task.t_star`.

    Raises:
        UsageError: If fewer than `least` frames do.
    """
    assert task.t_star is not None
    left = int((task.frames.start >= task.t_star - _ROUNDING).sum())
    if left < least:
        raise UsageError(
            f"t_star {task.t_star:g} s leaves {left} of {len(task.frames)} frames",
            f"expected at least {least} for {task.model}",
            "choose an earlier t_star",
        )
    return len(task.frames) - left


def allowed_starts(task: Task, least: int) -> range:
    """Return the frames that a line may begin with: after the input's peak, `least` to the end.

    Raises:
        InputError: If there is none.
    """
    peak = float(task.curve.time[int(np.argmax(task.curve.plasma))]) + (task.delay or 0.0)
    after = int((task.frames.start >= peak - _ROUNDING).sum())
    if after < least:
        raise InputError(
            f"{after} frames start after the input's peak at {peak:.0f} s",
            f"expected at least {least} for {task.model}",
        )
    return range(len(task.frames) - after, len(task.frames) - least + 1)


def earliest_line(
    line: Callable[[Tensor, Tensor], Line], y: Tensor, starts: range, max_error: float
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


def choose_t_star(task: Task, settings: Any, curve: np.ndarray) -> float:
    """Return the t* [s] that a task's graphical method chooses for a curve.

    Args:
        task: The task; its own t_star is ignored.
        settings: Settings of the method, or None.
        curve: For example the mean curve of an image, shape (T,) [Bq/mL].

    Raises:
        UsageError: If the model has no t*.
    """
    model = KINETIC_MODELS.get(task.model)
    method = model.methods[0] if model else ""
    if method not in ("patlak", "logan", "mrtm2", "suvr"):
        raise UsageError(
            f"t_star for model {task.model}", "expected Patlak, Logan, RefLogan, MRTM2 or SUVR"
        )
    alone = dataclasses.replace(task, t_star=None, samples=0, predict=False)
    fitter = find_method(method)(settings).prepare(alone)
    values = np.asarray(curve, dtype=np.float64)[None]
    return float(fitter.fit(values, np.zeros(1, dtype=np.int64))["t_star"][0])
