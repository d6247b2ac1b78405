"""Parameters, curves and noise of one task, in coordinates whose prior is N(0, I)."""

from __future__ import annotations

import dataclasses

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.kinetics.exact.compile import compile_kernels
from betaplus.kinetics.exact.density import PLACES, make_coordinates
from betaplus.kinetics.exact.problem import make_problem
from betaplus.kinetics.exact.simulate import curves_at
from betaplus.kinetics.method import Task, check_frames, free_parameters
from betaplus.kinetics.prior import Distribution
from betaplus.physics.response import InputResponse

__all__ = ["Simulator"]

_WIDE = 50.0  # ratio of levels above which a prior says too little to simulate all of it
_BELOW, _ABOVE = (
    8.0,
    2.0,
)  # what is simulated instead, around the level of the nearest curves
_NEAREST = 16
_LEAST_SHARE = 0.03  # of the peak, in weights made from data


class Simulator:
    """The forward model of a task.

    The coordinates are those of the free parameters, and the noise level's last where it is not
    known.

    Args:
        task: A 1TCM, 2TCM3k or 2TCM.

    Attributes:
        free: Number of free parameters, the level apart.
        dimension: Number of coordinates.
        frames: Number of frames T.
        scale: Bq/mL per table unit; every curve here is in table units.
    """

    def __init__(self, task: Task) -> None:
        compile_kernels()
        response = InputResponse(
            task.curve, task.frames, task.half_life, dispersion=task.dispersion
        )
        check_frames(task)
        names = free_parameters(task)
        if not names:
            raise UsageError("every parameter is fixed", "expected one that is free")
        self._target = make_problem(response, task, n_coarse=64, n_points=64).target
        self._coordinates = make_coordinates(self._target, task.prior, names)
        self.scale = self._target.table.scale
        self.frames = len(task.frames)
        self._floor = self._target.floor[: self.frames]
        self._gain = self._target.gain[: self.frames]
        prior = task.prior["noise"]
        if isinstance(task.noise, np.ndarray):
            prior = Distribution.at(self.scale**0.5)  # the variance is its shape, in table units
        elif not isinstance(task.noise, str):
            prior = Distribution.at(float(task.noise))
        self._level = prior
        self.level_known = prior.fixed
        self.free = len(names)
        self.dimension = self.free + (0 if prior.fixed else 1)

    def curves(self, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return parameters (n, 6) and noise-free curves (n, T) at coordinates (n, >= free)."""
        rows = np.zeros((len(v), len(PLACES)))
        curves = np.zeros((len(v), self._target.floor.size), dtype=np.float32)
        places = np.ascontiguousarray(v[:, : self.free], dtype=np.float64)
        curves_at(self._target, self._coordinates, places, rows, curves)
        return rows, curves[:, : self.frames]

    def variance(self, clean: np.ndarray) -> np.ndarray:
        """Return the variance of curves (..., T) over the squared level [table units]."""
        return (self._floor + self._gain * np.maximum(clean, 0.0)) / np.float32(self.scale)

    def noisy(self, clean: np.ndarray, level: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Return curves (n, T) with noise of levels (n,) made of standard normal numbers (n, T)."""
        return clean + (level.astype(np.float32)[:, None] * normal) * np.sqrt(self.variance(clean))

    def weights(self, y: np.ndarray) -> np.ndarray:
        """Return reciprocal variances at level 1 of smoothed curves (n, T).

        Running means of three frames, not below 3 % of the peak, stand for the clean curve. The
        weights shape distances only: noise that is simulated follows the simulated curve.
        """
        padded = np.pad(y, ((0, 0), (1, 1)))
        count = np.full(y.shape[1], 3.0)
        count[[0, -1]] = 2.0
        smooth = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / count
        top = np.maximum(smooth.max(axis=1, keepdims=True), 0.0)
        return 1.0 / self.variance(np.maximum(smooth, _LEAST_SHARE * top))

    def levels(self, y: np.ndarray, nearest: np.ndarray) -> Distribution:
        """Return the prior of the level that is simulated for a curve.

        A prior that spans more than a factor of 50 is cut to levels from an eighth to twice that of
        the residual of the nearest noise-free curves, which fit worse than the true one.

        Args:
            y: The curve, shape (T,).
            nearest: Noise-free curves, nearest first, shape (m, T).
        """
        prior = self._level
        if prior.fixed or prior.high <= _WIDE * prior.low:
            return prior
        near = nearest[:_NEAREST].astype(np.float64)
        squares = ((y - near) ** 2 / self.variance(near)).mean(axis=1)
        level = float(np.sqrt(np.median(squares)))
        level = min(max(level, prior.low * _BELOW), prior.high / _ABOVE)
        return dataclasses.replace(prior, low=level / _BELOW, high=level * _ABOVE)

    def level(self, prior: Distribution, v: np.ndarray) -> np.ndarray:
        """Return noise levels at coordinates v, shape (n,), given what `levels` returned."""
        if self.level_known:
            return np.full(len(v), float(prior.low))
        return prior.at_probit(v[:, -1])
