"""What all graphical methods share: t*, the line, its uncertainty, the results."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.kinetics.gaussian import gaussian_results, status
from betaplus.kinetics.graphical.linear import Line, Spread, spread, times
from betaplus.kinetics.graphical.t_star import allowed_starts, earliest_line, given_start
from betaplus.kinetics.method import Task
from betaplus.kinetics.weights import FrameVariance
from betaplus.physics.least_squares import ordered_sum
from betaplus.physics.response import InputResponse

__all__ = ["Answer", "Equation", "GraphicalFitter", "check_line", "check_number", "input_response"]

_BATCH = 512  # curves at a time; a curve has the same bits in any batch


class Answer(NamedTuple):
    """What coefficients of lines mean.

    Attributes:
        mean: In the order of the equation's parameters, shape (n, Q).
        covariance: Shape (n, Q, Q).
        extra: Diagnostics, name to shape (n,).
    """

    mean: Tensor
    covariance: Tensor
    extra: dict[str, Tensor]


class Equation(Protocol):
    """A model as a straight line in known things, and perhaps in the measured curve itself."""

    parameters: tuple[str, ...]
    """Names of the answer."""
    least_frames: int
    """Fewest frames that it is fitted to: one more than a line has coefficients."""
    variance: FrameVariance
    """The noise model."""

    def line(self, y: Tensor, used: Tensor) -> Line:
        """Return the lines of curves, shape (n, T), through some of their frames, (n, T)."""

    def sensitivity(self, y: Tensor, line: Line) -> tuple[Tensor | None, Tensor]:
        """Return how noise moves the residuals, and how residuals are told in activity.

        Returns:
            Derivatives of residuals by frame means, shape (n, T, T), or None where that is the
            identity; and c, shape (n, T), so that the fitted activity is y + c x residual.
        """

    def answer(self, values: Tensor, covariance: Tensor) -> Answer:
        """Return the parameters from coefficients, shape (n, P), and their covariance."""


class GraphicalFitter:
    """An equation ready for the curves of one task.

    Args:
        task: The task.
        equation: Its model.
        starts: Frames that may be the first one used; one alone is not subject to the rule.
        max_error: Largest relative deviation from the line that t* allows, or None for no rule.
    """

    def __init__(
        self, task: Task, equation: Equation, starts: range, max_error: float | None
    ) -> None:
        self.parameters = equation.parameters
        self._task, self._equation = task, equation
        self._starts, self._max_error = starts, max_error

    @classmethod
    def of(
        cls, task: Task, equation: Equation, least_frames: int, max_error: float
    ) -> GraphicalFitter:
        """Return the fitter with t* as given by the task, or else by the rule.

        Raises:
            UsageError: If the given t* leaves no more frames than the line has coefficients.
            InputError: If there are too few frames after the input's peak.
        """
        if task.t_star is not None:
            first = given_start(task, equation.least_frames)
            return cls(task, equation, range(first, first + 1), None)
        least = max(least_frames, equation.least_frames)
        return cls(task, equation, allowed_starts(task, least), max_error)

    def fit(self, curves: np.ndarray, items: np.ndarray) -> dict[str, np.ndarray]:
        """Fit curves, shape (n, T) [Bq/mL]; see `betaplus.kinetics.method.Fitter.fit`.

        ``t_star`` is the start of the first frame used [s], ``frames_used`` their number.
        Predictions are NaN in the frames before.
        """
        curves = np.ascontiguousarray(curves, dtype=np.float64)
        parts = [
            self._fit(torch.from_numpy(curves[i : i + _BATCH]), items[i : i + _BATCH])
            for i in range(0, max(len(curves), 1), _BATCH)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _fit(self, y: Tensor, items: np.ndarray) -> dict[str, np.ndarray]:
        equation, task = self._equation, self._task
        n, frames = y.shape
        first = torch.full((n,), self._starts[0])
        straight = torch.ones(n, dtype=torch.bool)
        if self._max_error is not None:
            first, straight = earliest_line(equation.line, y, self._starts, self._max_error)
        line = equation.line(y, torch.arange(frames) >= first[:, None])
        moves, scale = equation.sensitivity(y, line)
        curve = y + scale * line.residual
        shape = equation.variance.shape(torch.where(line.used, curve, y))
        noise = spread(line, shape, equation.variance.level, moves)
        answer = equation.answer(line.values, noise.covariance)
        out = gaussian_results(task, items, answer.mean, answer.covariance)
        begin = torch.tensor(task.frames.start)[first]
        out |= {
            "ess": torch.full_like(noise.chi2, torch.nan),
            "chi2": noise.chi2,
            "noise": noise.level2.sqrt(),
            "t_star": begin,
            "frames_used": line.frames,
            **answer.extra,
        }
        if task.predict:
            out["fit"] = curve
            out["fit_std"] = self._curve_sd(line, noise, shape, scale)
            out["sigma"] = (noise.level2[:, None] * shape).sqrt()
            for name in ("fit", "fit_std", "sigma"):
                out[name] = torch.where(line.used, out[name], torch.nan)
        result = {name: value.numpy().astype(np.float32) for name, value in out.items()}
        fine = straight & (line.frames >= equation.least_frames)
        fine &= torch.isfinite(answer.mean).all(-1)
        result["status"] = status(line.residual * line.weight.sqrt(), line.frames, noise.chi2, fine)
        return result

    def _curve_sd(self, line: Line, noise: Spread, shape: Tensor, scale: Tensor) -> Tensor:
        """SD of the fitted activity: of y + c e, e moving with y."""
        if noise.residuals is None:
            across = line.design.transpose(1, 2)
            moved = ordered_sum(noise.covariance[:, None] * across[:, :, None, :])
            return ordered_sum(moved * across).clamp(min=0.0).sqrt() * scale.abs()
        moves = scale[:, :, None] * noise.residuals
        moves.diagonal(dim1=-2, dim2=-1).add_(1.0)
        return (times(moves * moves, shape) * noise.level2[:, None]).sqrt()


def input_response(task: Task) -> InputResponse:
    """Return the frame means that a task's input can give, its dispersion undone."""
    return InputResponse(task.curve, task.frames, task.half_life, dispersion=task.dispersion)


def check_number(name: str, value: float, low: float, high: float) -> None:
    """Check a setting.

    Raises:
        UsageError: If it is not from `low` to `high`.
    """
    if not low <= value <= high:
        raise UsageError(f"setting {name}={value:g}", f"expected {low:g} to {high:g}")


def check_line(max_error: float, least_frames: int, reweightings: int) -> None:
    """Check the settings that lines share.

    Raises:
        UsageError: If one is out of its range.
    """
    check_number("max_error", max_error, 1e-6, 10.0)
    check_number("least_frames", least_frames, 3, 1000)
    check_number("reweightings", reweightings, 0, 100)
