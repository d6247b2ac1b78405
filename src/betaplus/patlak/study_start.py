"""The t* of a study: given, or where the mean curve of its mask begins to be a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from betaplus.core.bed_times import BedTimes
from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputCurve
from betaplus.patlak.study_frames import Survey
from betaplus.patlak.study_input import LEAST_FRAMES
from betaplus.physics.line_start import ROUNDING, allowed_starts, earliest_line, given_start
from betaplus.physics.patlak.operator import PatlakOperator
from betaplus.physics.patlak.relative import integral_until
from betaplus.physics.patlak.weights import frame_weights
from betaplus.physics.response import InputResponse

__all__ = ["Scan", "StartRule", "check_starts", "chosen_first", "given_first"]


class Scan:
    """Times and input of a study: a, b and weights of its frames.

    Args:
        times: When each slice was seen, all frames.
        curve: Input.
        half_life: Half-life [s].
        delay: Of the tissue after the sampler [s].
        weighted: Whether frames weigh by their counts, or all alike.
        relative: Whether the integral of the input begins with the first frame used.
    """

    def __init__(
        self,
        times: BedTimes,
        curve: InputCurve,
        half_life: float,
        *,
        delay: float,
        weighted: bool,
        relative: bool,
    ) -> None:
        self.times, self.curve, self.delay, self.relative = times, curve, delay, relative
        self._decay = times.decay_factors(half_life) if weighted else None
        self._matrix = np.empty((len(times), 2, times.slices))
        for bed in times.beds():
            response = InputResponse(curve, bed.frames, half_life)
            matrix = PatlakOperator(response, delay).matrix.numpy()
            self._matrix[:, :, bed.slices] = matrix[:, :, None]

    def design(self, first: int) -> np.ndarray:
        """Return a and b of the frames from `first` on, shape (F, 2, Z) [unit x min, unit]."""
        matrix = self._matrix[first:].copy()
        if self.relative:  # the mean over a frame of a constant is the constant
            begin = float(self.times.start[first].min()) - self.delay
            matrix[:, 0] -= integral_until(self.curve, begin)
        return matrix

    def weights(self, first: int, mean: np.ndarray) -> np.ndarray:
        """Return the weights of the frames from `first` on, shape (F, Z), of mean 1.

        Args:
            first: First frame.
            mean: Mean of every frame, shape (T,).
        """
        duration = self.times.duration[first:]
        if self._decay is None:
            return np.ones_like(duration)
        return frame_weights(duration, self._decay[first:], mean[first:])


@dataclass(frozen=True, kw_only=True)
class StartRule:
    """How t* is chosen.

    Attributes:
        max_error: Largest deviation of the mean curve from its line, relative to the line.
        least_frames: Fewest frames on the line (fewer where the scan has fewer, but 3).
    """

    max_error: float = 0.03
    least_frames: int = 5

    def __post_init__(self) -> None:
        if not 0.0 < self.max_error <= 10.0:
            raise UsageError(f"max_error {self.max_error:g}", "expected above 0, at most 10")
        if self.least_frames < LEAST_FRAMES:
            raise UsageError(
                f"least_frames {self.least_frames}", f"expected at least {LEAST_FRAMES}"
            )


class _Line(NamedTuple):
    used: Tensor
    fitted: Tensor
    residual: Tensor


def given_first(scan: Scan, t_star: float) -> tuple[int, str]:
    """Return the first frame used where t* is given [s], and that in words.

    A frame counts as starting when the first of its slices is seen.

    Raises:
        UsageError: If it leaves fewer than 3 frames, or the input begins after it.
    """
    start = scan.times.start.min(1)
    first = given_start(start, t_star, LEAST_FRAMES, "Patlak")
    begun = float(scan.curve.time[0]) + scan.delay
    if scan.relative and start[first] < begun - ROUNDING:
        raise UsageError(
            f"t_star {t_star:g} s but the input begins at {begun:g} s",
            "expected a t_star from there on",
        )
    return first, (
        f"t* = {start[first]:g} s: the first frame that starts at or after the {t_star:g} s"
        f" given ({len(start) - first} frames)"
    )


def check_starts(scan: Scan, rule: StartRule) -> tuple[range, float]:
    """Return the frames that the rule may choose, and when the tissue sees the input's peak [s].

    Where fewer frames than the rule's least follow the peak, all of them are the only choice. A
    late input is highest where it begins, so that no frame before that is allowed.

    Raises:
        InputError: If fewer than 3 frames start after the peak.
    """
    start = scan.times.start.min(1)
    peak = float(scan.curve.time[int(np.argmax(scan.curve.plasma))]) + scan.delay
    after = len(allowed_starts(start, peak, LEAST_FRAMES, "Patlak")) + LEAST_FRAMES - 1
    return allowed_starts(start, peak, min(rule.least_frames, after), "Patlak"), peak


def chosen_first(scan: Scan, survey: Survey, rule: StartRule) -> tuple[int, str, list[str]]:
    """Return the first frame used by the rule, the rule in words, and remarks.

    Where slices have times of their own, the mean curve of each set of slices is fitted with its
    own a and b, and the sum over sets of what is left is compared with the sum of the lines.

    Raises:
        InputError: If fewer than 3 frames start after the input's peak.
    """
    starts, peak = check_starts(scan, rule)
    lines = _MeanLines(scan, survey)
    mean = torch.from_numpy(survey.mean)[None]
    first, found = earliest_line(lines, mean, starts, rule.max_error)
    begin, straight = int(first[0]), bool(found[0]) and len(starts) > 1
    error = lines.error(begin)
    start, count = float(scan.times.start[begin].min()), len(scan.times) - begin
    what = "the mean curve of the mask"
    if straight:
        words = (
            f"t* = {start:g} s: the earliest frame start after the input's peak ({peak:.0f} s) from"
            f" which no frame of {what} is off Patlak's line by more than"
            f" {100 * rule.max_error:g} % (largest {100 * error:.2g} %, {count} frames)"
        )
        return begin, words, []
    words = (
        f"t* = {start:g} s: the last {count} frames, the fewest that the rule allows; {what} is"
        f" off Patlak's line by up to {100 * error:.2g} % there"
    )
    remarks = []
    if error > rule.max_error:
        remarks.append(
            f"no frame start makes {what} a line within {100 * rule.max_error:g} %: Patlak's model"
            " may not hold"
        )
    return begin, words, remarks


class _MeanLines:
    """Lines through the mean curves of sets of slices, told as one curve."""

    def __init__(self, scan: Scan, survey: Survey) -> None:
        self._scan, self._mean = scan, survey.mean
        self._slices = [bed.slices for bed in scan.times.beds()]
        self._sums = np.stack([survey.sums[:, s].sum(1) for s in self._slices])  # (G, T)

    def __call__(self, y: Tensor, used: Tensor) -> _Line:
        """Return the line of the one curve that there is; see `StraightLine`."""
        first = int(used[0].int().argmax())
        design, weight = self._scan.design(first), self._scan.weights(first, self._mean)
        fitted, residual = np.ones((2, y.shape[-1]))
        fitted[first:] = residual[first:] = 0.0
        for slices, sums in zip(self._slices, self._sums, strict=True):
            b, w = design[:, :, slices[0]], np.sqrt(weight[:, slices[0]])
            values = np.linalg.lstsq(b * w[:, None], sums[first:] * w, rcond=None)[0]
            fitted[first:] += b @ values
            residual[first:] += sums[first:] - b @ values
        return _Line(used, torch.from_numpy(fitted)[None], torch.from_numpy(residual)[None])

    def error(self, first: int) -> float:
        """Return the largest relative deviation from frame `first` on."""
        used = torch.arange(len(self._mean))[None] >= first
        line = self(torch.from_numpy(self._mean)[None], used)
        return float((line.residual / line.fitted).abs()[used].max())
