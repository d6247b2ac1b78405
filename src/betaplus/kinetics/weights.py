"""Variances of frames that follow a model's own curve, for least squares."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.kinetics.method import Task
from betaplus.physics.least_squares import ordered_sum
from betaplus.physics.noise import noise_floor, noise_gain
from betaplus.physics.response import InputResponse

__all__ = ["FrameVariance"]


class FrameVariance:
    """The noise model of a task: variance = level^2 x shape(C).

    Args:
        task: The task, of which the noise, frames and half-life count.
        response: Its input function and frames.
    """

    def __init__(self, task: Task, response: InputResponse) -> None:
        self.level: float | None
        """The level where it is known; 1 where standard deviations are given."""
        self._given = None
        if isinstance(task.noise, np.ndarray):
            self.level = 1.0
            self._given = torch.from_numpy(task.noise.astype(np.float64) ** 2)
        else:
            self.level = None if isinstance(task.noise, str) else float(task.noise)
            if task.weights is not None:
                self._given = torch.from_numpy(1.0 / np.asarray(task.weights, dtype=np.float64))
        self._gain = torch.from_numpy(noise_gain(task.frames, task.half_life))
        self._floor = noise_floor(response)

    def shape(self, curve: Tensor) -> Tensor:
        """Return (C + c0) g, the given variances or reciprocal weights, shape (..., T)."""
        if self._given is not None:
            return self._given.expand_as(curve)
        return (curve.clamp(min=0.0) + self._floor) * self._gain

    def deviance(self, residual: Tensor, curve: Tensor) -> Tensor:
        """Return -2 log p up to a constant, shape (...): smaller is likelier.

        Weighted sums of squares do not compare between fits with different weights; this does. An
        unknown level is at its own best.
        """
        shape = self.shape(curve).contiguous()
        squares = ordered_sum(residual * residual / shape)
        size = ordered_sum(_log(shape))
        if self.level is not None:
            return size + squares / self.level**2
        return size + curve.shape[-1] * _log(squares)


def _log(x: Tensor) -> Tensor:
    """Numpy's logarithm: unlike torch's, the same bits wherever a number stands in an array."""
    with np.errstate(all="ignore"):
        return torch.from_numpy(np.log(x.numpy()))
