r"""SUVR: the ratio of a region's uptake to that of a reference region, late in the scan.

The ratio of the two means over a window, each frame weighted by its duration. The window reaches
from t* to the end; unless t* is given it is the last 20 min, the usual length of static late scans
(for example 50-70 min for PiB and for florbetapir, 80-100 min for flortaucipir), of frames that
start within it, and never less than the last frame.

The SD is that of the region's noise; the reference region, the mean of many voxels, counts as
known. The noise level, unless given, is that of the frames about the constant ratio, so it needs
two frames; with one the SD is NaN. It holds a trend of the ratio within the window as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.kinetics.graphical.fitter import (
    Answer,
    GraphicalFitter,
    check_number,
    input_response,
)
from betaplus.kinetics.graphical.linear import Line, regress
from betaplus.kinetics.graphical.t_star import given_start
from betaplus.kinetics.method import Task
from betaplus.kinetics.reference import reference_means
from betaplus.kinetics.weights import FrameVariance

__all__ = ["Suvr"]


class Suvr:
    """Ratio of mean uptakes."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """The window.

        Attributes:
            window: Its length before the end of the scan [s], where t* is not given.
        """

        window: float = 1200.0

        def __post_init__(self) -> None:
            check_number("window", self.window, 1.0, 86400.0)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> GraphicalFitter:
        """Find the window.

        Raises:
            UsageError: If t* leaves no frame, or there is no reference region.
            InputError: If the reference region is not above 0 in the window.
        """
        frames = task.frames
        if task.t_star is not None:
            first = given_start(task, 1)
        else:
            late = frames.start >= frames.end[-1] - self.settings.window - 0.01
            first = int(np.argmax(late)) if late.any() else len(frames) - 1
        return GraphicalFitter(task, _Equation(task, first), range(first, first + 1), None)


class _Equation:
    """See `betaplus.kinetics.graphical.fitter.Equation`: y = SUVR x reference."""

    parameters = ("SUVR",)
    least_frames = 1

    def __init__(self, task: Task, first: int) -> None:
        self._reference = reference_means(task)
        late = self._reference[first:]
        if not (late > 0).all():
            bad = first + int(torch.argmin(late))
            raise InputError(
                f"the reference region is {float(late.min()):g} Bq/mL in frame {bad + 1}",
                "expected activity in every frame of the window",
            )
        # least squares with weights D / reference is the ratio of sums
        safe = torch.where(self._reference > 0, self._reference, 1.0)
        self._weight = torch.tensor(task.frames.duration) / safe
        self.variance = FrameVariance(task, input_response(task))

    def line(self, y: Tensor, used: Tensor) -> Line:
        """Return the ratios."""
        return regress(self._reference[None], y, used, self._weight)

    def sensitivity(self, y: Tensor, line: Line) -> tuple[None, Tensor]:
        """Return that residuals are activity."""
        return None, torch.full_like(y, -1.0)

    def answer(self, values: Tensor, covariance: Tensor) -> Answer:
        """Return the ratio as it is."""
        return Answer(values, covariance, {})
