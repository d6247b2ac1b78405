"""The reference region of a task, checked."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError, UsageError
from betaplus.kinetics.method import Task

__all__ = ["reference_means"]


def reference_means(task: Task) -> Tensor:
    """Return the frame means of the reference region, shape (T,) [Bq/mL].

    Raises:
        UsageError: If there is no reference region, or a delay or dispersion of blood is given.
        InputError: If its means are not numbers, one per frame.
    """
    if task.reference is None:
        raise UsageError(
            f"model {task.model} without a reference region", "expected a reference region"
        )
    if task.delay or task.dispersion:
        what = f"delay {task.delay:g} s" if task.delay else f"dispersion {task.dispersion:g} s"
        raise UsageError(
            f"{what} with model {task.model}", "expected none: a reference region has no sampler"
        )
    means = np.asarray(task.reference, dtype=np.float64)
    if means.shape != (len(task.frames),) or not np.isfinite(means).all():
        raise InputError(
            f"reference region with {means.size} values for {len(task.frames)} frames,"
            f" {int((~np.isfinite(means)).sum())} of them NaN or infinity",
            "expected one number per frame",
        )
    return torch.from_numpy(means)
