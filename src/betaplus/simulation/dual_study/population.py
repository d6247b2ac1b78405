"""Who is scanned: heads, their kinetics and their blood, and how another population differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.input_function import InputFunction
from betaplus.simulation.head_spread import POPULATION, HeadSpread
from betaplus.simulation.input_functions import BloodProfile
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.tracers import RegionKinetics, TracerProfile

__all__ = ["STANDARD", "BloodChange", "Population", "infused", "regions_of"]

_LIKE = {
    "GreyMatter": "grey matter",
    "SpinalCord": "white matter",
    **dict.fromkeys(("Muscle", "Fat", "Breast"), "muscle"),
    **dict.fromkeys(("LacrimalGlands", "SalivaryGlands"), "muscle"),
    **dict.fromkeys(("CorticalBone", "RedMarrow"), "bone"),
}
"""Regions of label images that the phantom of a head does not have, and what they are like."""

GAS = ("Airways",)
"""Regions without tracer."""


@dataclass(frozen=True, kw_only=True)
class BloodChange:
    """How blood differs from that of a tracer's profile.

    Attributes:
        rates: Factors on Feng's three rates, fastest first.
        amplitudes: Factors on Feng's three amplitudes.
        metabolism: Factor on the time at which half of the metabolites are there.
        infusion: How long the injection takes [s]; 0 is a bolus.
    """

    rates: tuple[float, float, float] = (1.0, 1.0, 1.0)
    amplitudes: tuple[float, float, float] = (1.0, 1.0, 1.0)
    metabolism: float = 1.0
    infusion: float = 0.0

    def __call__(self, profile: BloodProfile) -> BloodProfile:
        """Return a profile with its changes, but for the infusion (`infused`)."""
        parent = profile.parent
        if parent is not None:
            parent = (parent[0], parent[1], parent[2] * self.metabolism)
        a, r = (
            tuple(float(v * f) for v, f in zip(values, factors, strict=True))
            for values, factors in (
                (profile.amplitudes, self.amplitudes),
                (profile.rates, self.rates),
            )
        )
        return dataclasses.replace(
            profile, amplitudes=(a[0], a[1], a[2]), rates=(r[0], r[1], r[2]), parent=parent
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Population:
    """Heads, and how their kinetics and blood differ from those of the tracers' profiles.

    Attributes:
        name: Of the population.
        anatomy: ``brain``, a label image, or a phantom (`betaplus.simulation.static.anatomy`).
        spread: How heads of ``brain`` differ.
        voxel: Voxel edge of ``brain`` [mm]; a finer label image is thinned to about it.
        finer: Sub-voxels along an edge that vote for a voxel's label; 1 is fastest.
        kinetics: Tracer name, or ``*`` for all, to parameter to a factor on every region's.
        blood: How the blood of both tracers differs.
        lesions: Range of the uptake of hot lesions over their surroundings.
    """

    name: str = "standard"
    anatomy: str | Path | Phantom = "brain"
    spread: HeadSpread = POPULATION
    voxel: float = 2.5
    finer: int = 1
    kinetics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    blood: BloodChange = BloodChange()
    lesions: tuple[float, float] = (1.6, 5.0)

    def factors(self, tracer: str) -> Mapping[str, float]:
        """Return the factors on the parameters of a tracer."""
        return self.kinetics.get(tracer, self.kinetics.get("*", {}))

    def replace(self, **changes: object) -> Population:
        """Return the same population with other fields."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


STANDARD = Population()
"""Adult heads with the kinetics and blood of the tracers' profiles."""


def regions_of(profile: TracerProfile, names: Mapping[int, str]) -> TracerProfile:
    """Return the profile with kinetics for all named regions but gas.

    Raises:
        UsageError: If a region is of a body.
    """
    more = {n: RegionKinetics(k, {}) for n, k in _LIKE.items() if n not in profile.regions}
    regions = {**profile.regions, **more}
    unknown = [n for n in names.values() if n not in regions and n not in GAS]
    if unknown:
        raise UsageError(
            f"no {profile.tracer.name} kinetics for {', '.join(unknown)}",
            "expected the regions of a head",
        )
    return dataclasses.replace(profile, regions=regions)


def infused(blood: InputFunction, duration: float) -> InputFunction:
    """Return blood after an infusion of some length in place of a bolus of the same activity.

    Plasma and whole blood become their means over the `duration` [s] before each time; the fraction
    of unchanged tracer stays what it is (nominal).
    """
    if duration <= 0:
        return blood
    fine = np.union1d(blood.time, np.arange(blood.time[0], blood.time[-1], 0.1 * duration))

    def mean(values: np.ndarray | None) -> np.ndarray | None:
        if values is None:
            return None
        bolus = np.interp(fine, blood.time, values)
        total = np.concatenate([[0.0], np.cumsum(np.diff(fine) * 0.5 * (bolus[1:] + bolus[:-1]))])
        begin = np.interp(blood.time - duration, fine, total, left=0.0)
        return np.asarray((np.interp(blood.time, fine, total) - begin) / duration)

    return dataclasses.replace(
        blood, plasma=mean(blood.plasma), whole_blood=mean(blood.whole_blood)
    )
