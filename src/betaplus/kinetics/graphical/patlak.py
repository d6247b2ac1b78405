r"""Patlak's plot as weighted least squares: Ki and V0 of tracer that is trapped.

y_f = Ki a_f + V0 b_f for frames from t* on (see `betaplus.physics.patlak`), fitted in activity, so
that the noise of a frame is the frame's own; nothing is divided by the input. Variances follow the
fitted curve. Tracer that leaves again (k4 > 0) bends the plot: Ki is then low, for FDG by 16-20 %
in grey matter, by more than half in liver.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.kinetics.graphical.fitter import (
    Answer,
    GraphicalFitter,
    check_line,
    check_number,
    input_response,
)
from betaplus.kinetics.graphical.linear import Line, flat, regress
from betaplus.kinetics.method import Task
from betaplus.kinetics.weights import FrameVariance
from betaplus.physics.patlak import PatlakOperator

__all__ = ["Patlak"]


class Patlak:
    """Ki and V0 by linear regression (Patlak, Blasberg and Fenstermacher 1983)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """Where the line begins, and what is not tissue.

        Attributes:
            VB: Fraction of the volume that is whole blood, taken out before the fit. V0 holds the
                plasma of small vessels anyway; 0 leaves it there.
            max_error: Largest deviation of a point from the line, relative to it, from t* on.
            least_frames: Fewest frames on the line when t* is chosen: 3 leave one degree of
                freedom and almost always lie on a line, 5 are what is commonly asked for.
            reweightings: Fits after the first, each with the variances of the one before.
        """

        VB: float = 0.0
        max_error: float = 0.1
        least_frames: int = 5
        reweightings: int = 3

        def __post_init__(self) -> None:
            check_number("VB", self.VB, 0.0, 0.99)
            check_line(self.max_error, self.least_frames, self.reweightings)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> GraphicalFitter:
        """Integrate the input; an unknown delay counts as 0.

        Raises:
            UsageError: If t* leaves too few frames.
            InputError: If there are too few frames after the input's peak.
        """
        equation = _Equation(self.settings, task)
        return GraphicalFitter.of(
            task, equation, self.settings.least_frames, self.settings.max_error
        )


class _Equation:
    """See `betaplus.kinetics.graphical.fitter.Equation`."""

    parameters = ("Ki", "V0")
    least_frames = 3

    def __init__(self, settings: Patlak.Settings, task: Task) -> None:
        response = input_response(task)
        delay = task.delay or 0.0
        self.variance = FrameVariance(task, response)
        self._times = settings.reweightings
        matrix = PatlakOperator(response, delay).matrix
        self._design = (1.0 - settings.VB) * matrix.T.contiguous()
        self._blood = settings.VB * response.blood(delay)

    def line(self, y: Tensor, used: Tensor) -> Line:
        """Return the lines; the first weights are those of a flat curve."""
        return regress(
            self._design,
            y - self._blood,
            used,
            1.0 / self.variance.shape(flat(y, used)),
            lambda line: 1.0 / self.variance.shape(line.fitted + self._blood),
            self._times,
        )

    def sensitivity(self, y: Tensor, line: Line) -> tuple[None, Tensor]:
        """Return that residuals are activity."""
        return None, torch.full_like(y, -1.0)

    def answer(self, values: Tensor, covariance: Tensor) -> Answer:
        """Return the coefficients as they are."""
        return Answer(values, covariance, {})
