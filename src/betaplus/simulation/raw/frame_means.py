"""Mean counts of the frames of a scan, one at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.simulation.raw.acquisition import Acquisition
from betaplus.simulation.raw.activity import Subject
from betaplus.simulation.raw.counts import RawCounts
from betaplus.simulation.raw.head import Head
from betaplus.simulation.raw.plan import Plan

__all__ = ["ScanMeans"]


class ScanMeans:
    """Sensitivity and mean counts that give a scan the sums it was planned with.

    One sensitivity holds for all frames, so that their trues follow activity, decay and duration;
    scatter keeps its ratio to the trues of its frame; randoms go with the square of a frame's rate
    of trues. The sums of all frames at full dose and time are those of the plan.

    Args:
        plan: The scan.
        head: The head on the fine grid.
        subject: Its activity.
        acquisition: The scanner with the head in it.

    Attributes:
        sensitivity: Trues per second and Bq/mL on 1 mm of a line with an efficiency of 1, at the
            full dose.

    Raises:
        UsageError: If the scanner sees no activity.
    """

    def __init__(self, plan: Plan, head: Head, subject: Subject, acquisition: Acquisition) -> None:
        self.plan, self.head, self.subject, self._scan = plan, head, subject, acquisition
        half_life = plan.profile.tracer.half_life
        self._decay = plan.frames.decay_factors(half_life)
        weights = acquisition.weights()
        self._seen = np.array(
            [
                np.sum(weights * subject.image(head, n), dtype=np.float64)
                for n in range(len(plan.frames))
            ]
        )
        rates = self._seen / plan.planned.decay_factors(half_life)
        duration = plan.planned.duration
        total = float(rates @ duration)
        if not total > 0.0:
            raise UsageError("no activity that the scanner sees", "expected some in its view")
        self.sensitivity = plan.budget.trues / total
        self._randoms = plan.budget.randoms / float(rates**2 @ duration)

    @property
    def dose_sensitivity(self) -> float:
        """The same for the activity of the full dose in a scan of the fraction of the dose."""
        return self.sensitivity * self.plan.dose

    def frame(self, n: int) -> RawCounts:
        """Return the mean counts of a frame as it is counted, at the dose of the plan."""
        plan, decay = self.plan, float(self._decay[n])
        seconds = float(plan.frames.duration[n])
        rate = plan.dose * float(self._seen[n]) / decay
        return self._scan.means(
            self.subject.image(self.head, n),
            sensitivity=self.dose_sensitivity * seconds / decay,
            scatter_over_trues=plan.budget.scatter_over_trues,
            randoms=self._randoms * rate**2 * seconds,
        )

    def frames(self, progress: Progress) -> Iterator[RawCounts]:
        """Yield the mean counts of all frames."""
        progress.start("frames", len(self.plan.frames))
        for n in range(len(self.plan.frames)):
            yield self.frame(n)
            progress.advance()
        progress.finish()
