r"""MRTM2: the simplified reference tissue model as a linear regression.

.. math:: C_T(t) = k_2 \Big( \int_0^t C_R + \frac{C_R(t)}{k_2'} \Big) - k_{2a} \int_0^t C_T,
          \quad R_1 = k_2 / k_2', \quad BP_{ND} = k_2 / k_{2a} - 1

with k2' of the reference region known (Ichise et al., J Cereb Blood Flow Metab 2003, 23:1096-1112).
Both sides are means over frames, see `betaplus.kinetics.graphical.frame_integral`. Without a k2' a
curve is given its own, from MRTM, the same equation with R1 a third coefficient; its estimates then
are those of MRTM, and their SDs hold the uncertainty of k2'. The method gains from a k2' shared by
regions or voxels: `choose_k2_ref` finds it, and the setting takes it.

The integral of the measured curve is a regressor, so noise biases BPND in noisy voxels, here too;
the SD holds the noise of both sides.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import InputError
from betaplus.kinetics.graphical.fitter import (
    Answer,
    GraphicalFitter,
    check_line,
    check_number,
    input_response,
)
from betaplus.kinetics.graphical.frame_integral import arrival, check_complete, frame_integral
from betaplus.kinetics.graphical.linear import Line, flat, propagate, regress, times
from betaplus.kinetics.method import Task
from betaplus.kinetics.reference import reference_means
from betaplus.kinetics.weights import FrameVariance

__all__ = ["Mrtm2", "choose_k2_ref"]


class Mrtm2:
    """R1, k2 and BPND by linear regression (Ichise et al. 2003)."""

    @dataclass(frozen=True, kw_only=True)
    class Settings:
        """Where the line begins, and k2'.

        Attributes:
            k2_ref: k2' of the reference region [1/min]; 0 takes each curve's own, from MRTM.
            max_error: Largest deviation of a point from the line, relative to it, from t* on.
            least_frames: Fewest frames on the line when t* is chosen.
            reweightings: Fits after the first, each with the variances of the one before.
        """

        k2_ref: float = 0.0
        max_error: float = 0.1
        least_frames: int = 5
        reweightings: int = 3

        def __post_init__(self) -> None:
            check_number("k2_ref", self.k2_ref, 0.0, 100.0)
            check_line(self.max_error, self.least_frames, self.reweightings)

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or self.Settings()

    def prepare(self, task: Task) -> GraphicalFitter:
        """Integrate the reference region's curve.

        Raises:
            UsageError: If t* leaves too few frames, or there is no reference region.
            InputError: If frames are missing that the integrals need.
        """
        equation = _Equation(self.settings, task)
        return GraphicalFitter.of(
            task, equation, self.settings.least_frames, self.settings.max_error
        )


def choose_k2_ref(task: Task, settings: Mrtm2.Settings | None, curves: np.ndarray) -> float:
    """Return one k2' [1/min] for several curves, to be used as `Mrtm2.Settings.k2_ref`.

    The mean of ln k2' over the curves' own MRTM fits, each by its precision: curves that bind
    little, or hardly differ from the reference region, say little about it.

    Args:
        task: The task.
        settings: Settings of MRTM2, whose k2' is ignored, or None.
        curves: Regions, or the mean of many voxels, shape (n, T) [Bq/mL].

    Raises:
        InputError: If no curve has a k2' above 0.
    """
    settings = dataclasses.replace(settings or Mrtm2.Settings(), k2_ref=0.0)
    fitter = Mrtm2(settings).prepare(dataclasses.replace(task, samples=0, predict=False))
    found = fitter.fit(np.asarray(curves, dtype=np.float64), np.arange(len(curves)))
    k2_ref, sd = (found[name].astype(np.float64) for name in ("k2_ref", "k2_ref_sd"))
    with np.errstate(invalid="ignore", divide="ignore"):
        good = (k2_ref > 0) & np.isfinite(k2_ref) & (sd > 0) & np.isfinite(sd)
    if not good.any():
        raise InputError(
            f"none of {len(curves)} curves has a k2' above 0",
            "expected regions that bind and differ from the reference region",
            "give the setting k2_ref",
        )
    precision = (k2_ref[good] / sd[good]) ** 2
    return float(np.exp(np.sum(precision * np.log(k2_ref[good])) / precision.sum()))


class _Equation:
    """See `betaplus.kinetics.graphical.fitter.Equation`: k2, -k2a and, for MRTM, R1."""

    parameters = ("R1", "k2", "BPND")

    def __init__(self, settings: Mrtm2.Settings, task: Task) -> None:
        means = reference_means(task)
        begin = arrival(task.curve, 0.0)
        check_complete(task.frames, begin, task.model)
        self._integral = torch.from_numpy(frame_integral(task.frames, task.half_life, begin))
        self._own = self._integral.diagonal()
        self._k2_ref = settings.k2_ref
        integral = times(self._integral, means[None])[0]
        if self._k2_ref:
            self._known = [integral + means / self._k2_ref]
        else:
            self._known = [integral, means]
        self.least_frames = 2 + len(self._known)
        self.variance = FrameVariance(task, input_response(task))
        self._times = settings.reweightings

    def line(self, y: Tensor, used: Tensor) -> Line:
        """Return the lines; the first weights are those of a flat curve."""
        first, *rest = (known.expand_as(y) for known in self._known)
        design = torch.stack([first, times(self._integral, y), *rest], 1)
        return regress(
            design,
            y,
            used,
            1.0 / self.variance.shape(flat(y, used)),
            lambda line: 1.0 / self.variance.shape(line.fitted),
            self._times,
        )

    def sensitivity(self, y: Tensor, line: Line) -> tuple[Tensor, Tensor]:
        """Return 1 + k2a W, and the equation solved for the frame's own mean."""
        minus_k2a = line.values[:, 1, None]
        moves = torch.eye(y.shape[1], dtype=y.dtype) - minus_k2a[:, :, None] * self._integral
        return moves, -1.0 / (1.0 - minus_k2a * self._own)

    def answer(self, values: Tensor, covariance: Tensor) -> Answer:
        """Return R1, k2 and BPND; for MRTM, also k2' and its SD."""
        k2, k2a = values[:, 0], -values[:, 1]
        zero, one = torch.zeros_like(k2), torch.ones_like(k2)
        by_k2, by_k2a = 1.0 / k2a, k2 / (k2a * k2a)
        if self._k2_ref:
            R1 = k2 / self._k2_ref
            slope = [[one / self._k2_ref, zero], [one, zero], [by_k2, by_k2a]]
        else:
            R1 = values[:, 2]
            k2_ref = k2 / R1
            slope = [
                [zero, zero, one],
                [one, zero, zero],
                [by_k2, by_k2a, zero],
                [1.0 / R1, zero, -k2_ref / R1],
            ]
        turned = propagate(torch.stack([torch.stack(row, 1) for row in slope], 1), covariance)
        mean = torch.stack([R1, k2, k2 / k2a - 1.0], 1)
        if self._k2_ref:
            return Answer(mean, turned, {})
        extra = {"k2_ref": k2_ref, "k2_ref_sd": turned[:, 3, 3].sqrt()}
        return Answer(mean, turned[:, :3, :3], extra)
