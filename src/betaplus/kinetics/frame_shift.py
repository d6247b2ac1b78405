r"""Whether the values of curves stand one frame too late or too early against the frame times.

A frame list that lost its first entry, or gained one, puts every value into its neighbour's frame.
The delay and the rate constants absorb most of that, and what residuals are left look like noise:
no statistic of the residuals finds it. The likelihood of the right frames does. Both explanations
are given the same values. Those after the first belong to frames 2 to T as they stand, and to
frames 1 to T - 1 if they stand one too late; for the other direction it is those before the last.
The ratio of the two evidences is the Bayes factor (Kass and Raftery, J Am Stat Assoc 1995). Curves
of one scan share their frames, so that their log factors add up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.progress import Progress
from betaplus.core.tacs import TacTable
from betaplus.kinetics.fit import fit
from betaplus.kinetics.prior import Prior

__all__ = ["LIMIT", "FrameShift", "frame_shift"]

LIMIT = 2.0
"""Log Bayes factor from which values are called shifted: odds of 7 to 1."""

_SETTINGS = {"coarse": 2048, "pilot": 512, "fine": 1024, "least_ess": 200.0}


@dataclass(frozen=True, eq=False, kw_only=True)
class FrameShift:
    """Evidence for a shift by one frame.

    Attributes:
        late: Log Bayes factor of values one frame too late against right ones, shape (N,).
        early: Likewise of values one frame too early.
    """

    late: np.ndarray
    early: np.ndarray

    @property
    def shifted(self) -> np.ndarray:
        """Whether a curve alone says that it is shifted, shape (N,)."""
        return np.maximum(self.late, self.early) > LIMIT

    @property
    def verdict(self) -> str:
        """What the curves say together: ``late``, ``early`` or ``right``."""
        together = {"late": float(self.late.sum()), "early": float(self.early.sum())}
        best = max(together, key=lambda name: together[name])
        return best if together[best] > LIMIT else "right"


def frame_shift(
    data: TacTable,
    blood: InputFunction | InputCurve,
    *,
    model: str = "2TCM",
    prior: str | Prior = "default",
    delay: float | str = "fit",
    dispersion: float = 0.0,
    noise: float | str = "auto",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FrameShift:
    """Compare frame times as they are with those of the frame before and after.

    A known delay makes the answer sharper by far: a fitted one moves with the values.

    Args:
        data: Curves.
        blood: As for `betaplus.kinetics.fit`, and so are the arguments that follow.
        model: A model with blood as its input.
        prior: See there.
        delay: See there.
        dispersion: See there [s].
        noise: ``auto`` or a level.
        seed: Seed.
        settings: Settings of the method ``exact``.
        workers: See there.
        progress: What to report to.

    Raises:
        InputError: If the data or the blood cannot be used.
        UsageError: If an option is unknown, or there are too few frames for one less.
    """
    if not isinstance(noise, float | int) and noise != "auto":
        raise UsageError("a check of frames with that noise", "expected auto or a level")
    if len(data.frames) < 3:
        raise UsageError(f"{len(data.frames)} frames", "expected at least 3 to shift them by one")
    frames, values = data.frames, data.values

    def evidence(values: np.ndarray, part: slice) -> np.ndarray:
        moved = replace(
            data,
            values=values,
            frames=FrameTiming(frames.start[part], frames.duration[part]),
        )
        return fit(
            moved,
            blood,
            model=model,
            method="exact",
            prior=prior,
            delay=delay,
            dispersion=dispersion,
            noise=noise,
            seed=seed,
            settings={**_SETTINGS, **(settings or {})},
            predict=False,
            workers=workers,
            progress=progress,
        ).diagnostics["evidence"]

    first, last = slice(None, -1), slice(1, None)
    after, before = values[:, 1:], values[:, :-1]
    return FrameShift(
        late=evidence(after, first) - evidence(after, last),
        early=evidence(before, last) - evidence(before, first),
    )
