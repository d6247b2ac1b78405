"""t* of a task: from which frame on a graphical method's points lie on a line.

The rule is that of `betaplus.physics.line_start`. A voxel's noise makes the rule absurd: choose t*
on the mean curve, and give it as a number.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.kinetics.method import Task, find_method
from betaplus.kinetics.models import KINETIC_MODELS
from betaplus.physics import line_start
from betaplus.physics.line_start import earliest_line

__all__ = ["allowed_starts", "choose_t_star", "earliest_line", "given_start"]


def given_start(task: Task, least: int) -> int:
    """Return the first frame that starts at or after `task.t_star`.

    Raises:
        UsageError: If fewer than `least` frames do.
    """
    assert task.t_star is not None
    return line_start.given_start(task.frames.start, task.t_star, least, task.model)


def allowed_starts(task: Task, least: int) -> range:
    """Return the frames that a line may begin with: after the input's peak, `least` to the end.

    Raises:
        InputError: If there is none.
    """
    peak = float(task.curve.time[int(np.argmax(task.curve.plasma))]) + (task.delay or 0.0)
    return line_start.allowed_starts(task.frames.start, peak, least, task.model)


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
