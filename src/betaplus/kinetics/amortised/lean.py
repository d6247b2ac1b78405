"""The lean exact pass of one task, and the posterior density in its whitened coordinates."""

from __future__ import annotations

import threading

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.kinetics.exact.compile import compile_kernels
from betaplus.kinetics.exact.density import PLACES, evaluate, make_coordinates
from betaplus.kinetics.exact.pilot import Pilot, pilot_curves
from betaplus.kinetics.exact.predictive import predict_curves
from betaplus.kinetics.exact.problem import Problem, make_problem
from betaplus.kinetics.exact.reweight import reweight_curves, spread_points, unit_density
from betaplus.kinetics.exact.sampler import Effort
from betaplus.kinetics.exact.space import make_space
from betaplus.kinetics.method import Task, check_frames, free_parameters
from betaplus.physics.response import InputResponse

__all__ = ["LeanPass"]

_COMPONENTS, _MIXTURES = 4, 2
_COARSE, _PILOT, _FINE = 512, 128, 256


class LeanPass:
    """Where each curve's posterior is, and what its density is there.

    Args:
        task: A 1TCM, 2TCM3k or 2TCM.
        problem: The tabulated problem if there is one already.

    Attributes:
        free: Places of the free parameters in `betaplus.kinetics.exact.density.PLACES`, shape (D,).
    """

    def __init__(self, task: Task, problem: Problem | None = None) -> None:
        if isinstance(task.noise, str) and task.noise == "estimate":
            raise UsageError("noise 'estimate'", "expected auto, a level or standard deviations")
        compile_kernels()
        check_frames(task)
        if problem is None:
            response = InputResponse(
                task.curve, task.frames, task.half_life, dispersion=task.dispersion
            )
            problem = make_problem(response, task, n_coarse=_COARSE, n_points=3 * _PILOT + _FINE)
        self.problem = problem
        self.coordinates = make_coordinates(problem.target, task.prior, free_parameters(task))
        self.free = self.coordinates.free
        self._effort = Effort(_PILOT, _FINE, 0.0, _FINE, 4)
        self._spaces = threading.local()
        self._spreads: dict[int, np.ndarray] = {}

    def padded(self, curves: np.ndarray) -> np.ndarray:
        """Return curves (n, T) [Bq/mL] in table units, frames padded."""
        target = self.problem.target
        out = np.zeros((len(curves), target.floor.size), dtype=np.float32)
        out[:, : curves.shape[1]] = curves / target.table.scale
        return out

    def pilots(self, padded: np.ndarray, probes: np.ndarray) -> Pilot:
        """Return what a lean pass finds for each curve.

        Args:
            padded: Curves from `padded`, shape (n, frame).
            probes: Whitened points for all six places, shape (P, 6).
        """
        space = getattr(self._spaces, "space", None)  # one a thread
        if space is None:
            space = self._spaces.space = make_space(self.problem, self._effort)
        n, width = padded.shape
        D = self.free.size
        out = Pilot(
            mean=np.zeros((n, D)),
            factor=np.zeros((n, D, D)),
            probes=np.zeros((n, len(probes))),
            top=np.zeros(n),
            weight=np.zeros((n, width), dtype=np.float32),
            residual=np.zeros((n, width), dtype=np.float32),
            level=np.zeros(n),
            ess=np.zeros(n),
            status=np.zeros(n, dtype=np.uint8),
        )
        pilot_curves(
            self.problem.target,
            self.problem.points,
            self._effort,
            space,
            self.coordinates,
            padded,
            np.ascontiguousarray(probes[:, self.free]),
            out,
        )
        return out

    def evaluate(
        self, padded: np.ndarray, pilot: Pilot, x: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return parameters (n, S, 6), log posterior (n, S) and misfit (n, S) at whitened points.

        Args:
            padded: Curves from `padded`, shape (n, frame).
            pilot: What the lean pass found for them.
            x: Whitened points, shape (n, S, D).
        """
        n, draws = x.shape[:2]
        rows, log_p = np.zeros((n, draws, len(PLACES))), np.zeros((n, draws))
        misfits = np.zeros((n, draws))
        evaluate(
            self.problem.target,
            self.coordinates,
            padded,
            pilot.weight,
            pilot.mean,
            pilot.factor,
            np.ascontiguousarray(x, dtype=np.float64),
            rows,
            log_p,
            misfits,
        )
        return rows, log_p, misfits

    def reweight(
        self, padded: np.ndarray, pilot: Pilot, draws: np.ndarray, points: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return weighted points of the posterior from whitened draws near it.

        Args:
            padded: Curves from `padded`, shape (n, frame).
            pilot: What the lean pass found for them.
            draws: Shape (n, S, D).
            points: How many points, M.
            seed: Of the points.

        Returns:
            Whitened points (n, M, D), parameters (n, M, 6), log weights (n, M), misfits (n, M).
        """
        n, _, D = draws.shape
        if seed not in self._spreads:
            self._spreads[seed] = spread_points(points, D, seed)
        spread = self._spreads[seed]
        x, rows = np.zeros((n, len(spread), D)), np.zeros((n, len(spread), len(PLACES)))
        log_w, misfits = np.zeros((n, len(spread))), np.zeros((n, len(spread)))
        reweight_curves(
            self.problem.target,
            self.coordinates,
            padded,
            pilot.weight,
            pilot.mean,
            pilot.factor,
            np.ascontiguousarray(draws, dtype=np.float64),
            _COMPONENTS,
            spread,
            _MIXTURES,
            x,
            rows,
            log_w,
            misfits,
        )
        return x, rows, log_w - unit_density(D), misfits

    def predict(
        self, pilot: Pilot, x: np.ndarray, w: np.ndarray, level2: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return mean and SD of the noise-free curve and the noise's SD, each (n, T) [Bq/mL].

        Args:
            pilot: What the lean pass found.
            x: Whitened points, shape (n, S, D).
            w: Their normalised weights, shape (n, S).
            level2: Squared noise level in table units, shape (n,).
        """
        target = self.problem.target
        shape = (len(x), target.n_frames)
        fit, fit_std, sigma = np.empty(shape), np.empty(shape), np.empty(shape)
        predict_curves(
            target,
            self.coordinates,
            pilot.mean,
            pilot.factor,
            np.ascontiguousarray(x, dtype=np.float64),
            np.ascontiguousarray(w, dtype=np.float64),
            level2,
            fit,
            fit_std,
            sigma,
        )
        scale = target.table.scale
        return scale * fit, scale * fit_std, scale * sigma
