r"""Logan's plot: the distribution volume of tracer that comes and goes, or its ratio.

.. math:: \frac{\int_0^t C}{C(t)} = V_T \frac{\int_0^t C_p}{C(t)} + b

(Logan et al., J Cereb Blood Flow Metab 1990, 10:740-747), exact for one tissue, reached in time by
more. With a reference region the integral of its curve, with C_R / k2' added where k2' is given,
stands in for that of plasma, and the slope is DVR (Logan et al., J Cereb Blood Flow Metab 1996,
16:834-840). Both sides are means over frames, exact on the piecewise-linear input, see
`betaplus.kinetics.graphical.frame_integral`.

The measured curve divides both sides, so noise biases the slope down: VT is low by several per cent
in noisy voxels (Slifstein and Laruelle, J Nucl Med 2000, 41:2083-2088). The SD given is that of the
estimate about its own mean, the bias is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.kinetics.graphical.fitter import (
    Answer,
    GraphicalFitter,
    check_line,
    check_number,
    input_response,
)
from betaplus.kinetics.graphical.frame_integral import arrival, check_complete, frame_integral
from betaplus.kinetics.graphical.linear import Line, propagate, regress, times
from betaplus.kinetics.method import Task
from betaplus.kinetics.reference import reference_means
from betaplus.kinetics.weights import FrameVariance

__all__ = ["Logan"]


class Logan:
    """VT from plasma, or DVR and BPND from a reference region."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """How the line is drawn.

        Attributes:
            VB: Fraction of the volume that is whole blood, taken out before the fit; with plasma
                only.
            k2_ref: k2' of the reference region [1/min]; 0 leaves its term out. With a reference
                region only.
            weights: ``none``, the classical plot, or ``noise``: each point by the precision of its
                frame.
            max_error: Largest deviation of a point from the line, relative to it, from t* on.
            least_frames: Fewest frames on the line when t* is chosen.
            reweightings: Fits after the first where weights are ``noise``.
        """

        VB: float = 0.0
        k2_ref: float = 0.0
        weights: str = "none"
        max_error: float = 0.1
        least_frames: int = 5
        reweightings: int = 3

        def __post_init__(self) -> None:
            check_number("VB", self.VB, 0.0, 0.99)
            check_number("k2_ref", self.k2_ref, 0.0, 100.0)
            if self.weights not in ("none", "noise"):
                raise UsageError(f"setting weights={self.weights!r}", "expected none or noise")
            check_line(self.max_error, self.least_frames, self.reweightings)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> GraphicalFitter:
        """Integrate the input; an unknown delay counts as 0.

        Raises:
            UsageError: If t* leaves too few frames, or a setting is for the other kind of input.
            InputError: If frames are missing that the integrals need.
        """
        equation = _Equation(self.settings, task)
        return GraphicalFitter.of(
            task, equation, self.settings.least_frames, self.settings.max_error
        )


class _Equation:
    """See `betaplus.kinetics.graphical.fitter.Equation`."""

    least_frames = 3

    def __init__(self, settings: Logan.Settings, task: Task) -> None:
        response = input_response(task)
        delay = task.delay or 0.0
        begin = arrival(task.curve, delay)
        check_complete(task.frames, begin, task.model)
        self._integral = torch.from_numpy(frame_integral(task.frames, task.half_life, begin))
        self._own = self._integral.diagonal()
        self._tissue = 1.0 - settings.VB
        self._blood = settings.VB * response.blood(delay)
        self._ratio = task.reference is not None
        if self._ratio:
            if settings.VB:
                raise UsageError(
                    f"setting VB={settings.VB:g} with a reference region", "expected none"
                )
            means = reference_means(task)
            self._input = times(self._integral, means[None])[0]
            if settings.k2_ref:
                self._input = self._input + means / settings.k2_ref
        else:
            if settings.k2_ref:
                raise UsageError(
                    f"setting k2_ref={settings.k2_ref:g} without a reference region",
                    "expected none",
                )
            self._input = response.tissue(torch.zeros((), dtype=torch.float64), delay)
        self.parameters = ("DVR", "intercept", "BPND") if self._ratio else ("VT", "intercept")
        self.variance = FrameVariance(task, response)
        self._times = settings.reweightings if settings.weights == "noise" else 0

    def line(self, y: Tensor, used: Tensor) -> Line:
        """Return the lines; frames that are not above 0 have no point."""
        tissue = (y - self._blood) / self._tissue
        used = used & (tissue > 0)
        tissue = torch.where(tissue > 0, tissue, 1.0)
        integral = times(self._integral, (y - self._blood) / self._tissue)
        design = torch.stack([self._input / tissue, torch.ones_like(y)], 1)

        def precision(line: Line) -> Tensor:
            curve = y + self._scale(tissue, line.values) * line.residual
            return curve * curve / self.variance.shape(curve)

        return regress(design, integral / tissue, used, torch.ones_like(y), precision, self._times)

    def _scale(self, tissue: Tensor, values: Tensor) -> Tensor:
        """Fitted activity less y, per residual: the equation solved for the frame's own mean."""
        return self._tissue * tissue / (values[:, 1:2] - self._own)

    def sensitivity(self, y: Tensor, line: Line) -> tuple[Tensor, Tensor]:
        """Return (W - b) / C, by rows, and what turns residuals into activity."""
        tissue = (y - self._blood) / self._tissue
        tissue = torch.where(line.used, tissue, 1.0)
        intercept = line.values[:, 1, None, None] * torch.eye(y.shape[1], dtype=y.dtype)
        moves = (self._integral - intercept) / (self._tissue * tissue[:, :, None])
        return moves, self._scale(tissue, line.values)

    def answer(self, values: Tensor, covariance: Tensor) -> Answer:
        """Return the coefficients, and BPND = DVR - 1."""
        if not self._ratio:
            return Answer(values, covariance, {})
        slope = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=values.dtype)
        mean = torch.cat([values, values[:, :1] - 1.0], 1)
        return Answer(mean, propagate(slope, covariance), {})
