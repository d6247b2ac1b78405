"""A static image of a tracer in a phantom, with known truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.simulation.head_spread import POPULATION, HeadSpread
from betaplus.simulation.lesions import Lesion, add_lesions, paint_lesions
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static.anatomy import make_anatomy
from betaplus.simulation.tissue_mu import SOFT, tissue_mu
from betaplus.simulation.uptake import (
    UptakeProfile,
    draw_dose,
    draw_group,
    draw_uptake,
    find_uptake,
    paint,
)

__all__ = ["StaticScan", "draw_static"]

_WHOLE = {"GreyMatter", "Lungs", "Liver", "Bladder"}  # regions of a body from vertex to thighs
_IN_VIEW = 0.72
"""Part of a person's mass from the vertex to mid-thigh: the rest of the legs has 22 % (Winter,
Biomechanics and Motor Control of Human Movement, 2009), and arms out of view have some more."""
_MOST = 0.9
"""Part of the dose that is in view at most; the rest is in the legs."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StaticScan:
    """A subject, a tracer and where it is; no noise, no blur.

    Attributes:
        profile: The tracer.
        group: Group of people that the subject belongs to.
        phantom: Label map, with the lesions.
        lesions: What was put into it.
        uptake: Region to SUV.
        activity: SUV of each voxel, shape (X, Y, Z) float32; 0 in air.
        mu: Attenuation at 511 keV, likewise [1/mm].
        weight: Body weight [kg].
        dose: Injected activity [Bq].
    """

    profile: UptakeProfile
    group: str
    phantom: Phantom
    lesions: tuple[Lesion, ...]
    uptake: Mapping[str, float]
    activity: np.ndarray
    mu: np.ndarray
    weight: float
    dose: float

    @property
    def per_suv(self) -> float:
        """1 SUV, decay-corrected to injection [Bq/mL]."""
        return self.dose / (1000.0 * self.weight)


def draw_static(
    anatomy: str | Path | Phantom,
    tracer: str = "FDG",
    seed: int = 0,
    *,
    voxel: float = 2.0,
    spread: HeadSpread = POPULATION,
    finer: int = 2,
    lesions: int | None = None,
    group: str | None = None,
) -> StaticScan:
    """Draw a subject and paint the tracer into it.

    Args:
        anatomy: As in `make_anatomy`.
        tracer: Name in `betaplus.simulation.uptake.UPTAKE`.
        seed: Chooses anatomy, uptake, texture, weight and dose.
        voxel: Voxel edge [mm], where the anatomy is made here.
        spread: How heads differ.
        finer: As in `make_anatomy`.
        lesions: Number of lesions, 0 to 15; drawn if None.
        group: Group of people; drawn if None.

    Raises:
        UsageError: If a name is unknown.
    """
    profile = find_uptake(tracer)
    group = draw_group(profile, seed) if group is None else group
    phantom = make_anatomy(anatomy, seed, voxel=voxel, spread=spread, finer=finer)
    uptake = draw_uptake(phantom.names.values(), profile, seed, group)
    mu = tissue_mu(phantom)
    known = _weight(phantom, mu)
    weight, dose = draw_dose(profile, seed, known)
    ill, found = add_lesions(
        phantom, seed, lesions, contrast=profile.lesions, uptake=uptake, ceiling=profile.ceiling
    )
    activity = paint_lesions(paint(phantom, uptake, seed), phantom, found)
    factor = 1.0 if known is None else _sink(phantom, activity, weight)
    return StaticScan(
        profile=profile,
        group=group,
        phantom=ill,
        lesions=found,
        uptake={name: factor * value for name, value in uptake.items()},
        activity=activity * np.float32(factor),
        mu=tissue_mu(ill),
        weight=round(weight, 1),
        dose=float(round(dose)),
    )


def _weight(phantom: Phantom, mu: np.ndarray) -> float | None:
    """Return the weight of the person whose body this is [kg]; None if it is only a part.

    Attenuation stands for density: at 511 keV the two go together within a few per cent.
    """
    if not set(phantom.names.values()) >= _WHOLE:
        return None
    volume = abs(np.linalg.det(phantom.affine[:3, :3]))
    return float(mu.sum(dtype=np.float64) / SOFT * volume / 1e6 / _IN_VIEW)


def _sink(phantom: Phantom, activity: np.ndarray, weight: float) -> float:
    """Return the factor that keeps the activity in view below what was injected.

    Many hot lesions, or kidneys, leave less for the rest (the tumour sink effect); without it the
    tables of organs, each right on its own, can add up to more than the dose.
    """
    volume = abs(np.linalg.det(phantom.affine[:3, :3])) / 1e6  # L
    held = float(activity.sum(dtype=np.float64)) * volume / weight
    return min(1.0, _MOST / held) if held > 0 else 1.0
