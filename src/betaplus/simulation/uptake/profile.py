"""What is known of a tracer's uptake: SUV of every region over people, dose and scan time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.simulation.tracers import Quantiles

__all__ = ["NOTHING", "Group", "UptakeProfile", "scaled"]

NOTHING: Quantiles = (0.0, 0.0, 0.0)
"""Of a region without activity: gas and air."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """People who take up a tracer in another way.

    Attributes:
        share: Their share of those who are scanned.
        regions: Region to quantiles of SUV, where they differ from the profile's.
    """

    share: float
    regions: Mapping[str, Quantiles] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UptakeProfile:
    """Everything that painting a static image of a tracer needs.

    Attributes:
        tracer: Radionuclide, half-life and name.
        start: Usual time from injection to the scan [s].
        duration: Usual duration of the scan, or of a bed position [s].
        activity: 5, 50 and 95 % quantiles of the injected activity [Bq].
        regions: Region to the 5, 50 and 95 % quantiles of its SUV over people.
        groups: Groups of people by name; the shares sum to 1.
        lesions: Range of a lesion's contrast to its surroundings, (low, high).
        ceiling: Highest SUV of a lesion.
    """

    tracer: Tracer
    start: float
    duration: float
    activity: Quantiles
    regions: Mapping[str, Quantiles]
    groups: Mapping[str, Group] = field(default_factory=lambda: {"all": Group(share=1.0)})
    lesions: tuple[float, float] = (2.0, 20.0)
    ceiling: float = 40.0

    @property
    def frames(self) -> FrameTiming:
        """Timing of the one frame, from TimeZero = injection."""
        return FrameTiming(start=np.array([self.start]), duration=np.array([self.duration]))


def scaled(quantiles: Quantiles, factor: float) -> Quantiles:
    """Return quantiles of a value times a factor."""
    low, middle, high = quantiles
    return low * factor, middle * factor, high * factor
