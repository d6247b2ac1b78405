"""What simulating a tracer needs: dose, frames, blood, and the kinetics of every region."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from betaplus.core.frames import FrameTiming
from betaplus.core.tracer import Tracer
from betaplus.simulation.input_functions import BloodProfile

__all__ = ["Quantiles", "RegionKinetics", "TracerProfile", "head_regions", "tissue"]

Quantiles = tuple[float, float, float]
"""The 5, 50 and 95 % quantiles of a parameter over people."""


@dataclass(frozen=True)
class RegionKinetics:
    """A region's tissue, and factors on that tissue's parameters."""

    tissue: str
    factors: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class TracerProfile:
    """Everything that simulating a tracer needs.

    Attributes:
        tracer: Radionuclide, half-life and name.
        durations: Frame durations from injection [s].
        activity: Injected activity [Bq].
        weight: Body weight [kg].
        delay: Range of the arrival at the brain after the blood sampler [s].
        blood: Population values of the blood curves.
        tissues: Tissue to parameter to quantiles; K1 [mL/cm3/min], k2, k3, k4 [1/min], VB.
        regions: Region name to kinetics.
    """

    tracer: Tracer
    durations: tuple[float, ...]
    activity: float
    weight: float
    delay: tuple[float, float]
    blood: BloodProfile
    tissues: Mapping[str, Mapping[str, Quantiles]]
    regions: Mapping[str, RegionKinetics]

    @property
    def frames(self) -> FrameTiming:
        """Frame timing from TimeZero = injection."""
        return FrameTiming.from_durations(self.durations)

    @property
    def activity_per_gram(self) -> float:
        """1 SUV [Bq/mL]."""
        return self.activity / (1000.0 * self.weight)


def tissue(
    K1: Quantiles, k2: Quantiles, k3: Quantiles, k4: Quantiles, VB: Quantiles
) -> dict[str, Quantiles]:
    """Return the quantiles of a tissue by name."""
    return {"K1": K1, "k2": k2, "k3": k3, "k4": k4, "VB": VB}


def head_regions(factors: Mapping[str, Mapping[str, float]]) -> dict[str, RegionKinetics]:
    """Return the tissue of every region of a head, and its factors where there are any."""
    kind = {
        "SoftTissue": "muscle",
        "Skull": "bone",
        "CSF": "csf",
        "Ventricles": "csf",
        "WhiteMatter": "white matter",
        "CerebellarWhite": "white matter",
        "VenousSinus": "vessel",
        "CarotidArtery": "vessel",
    }
    grey = (
        "FrontalCortex",
        "ParietalCortex",
        "TemporalCortex",
        "OccipitalCortex",
        "Caudate",
        "Putamen",
        "Thalamus",
        "CerebellarCortex",
        "Brainstem",
    )
    kind |= dict.fromkeys(grey, "grey matter")
    return {name: RegionKinetics(is_, factors.get(name, {})) for name, is_ in kind.items()}
