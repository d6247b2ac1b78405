"""Families of regions: what a subject's regions share, and how they vary inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from betaplus.simulation.anatomy import LABELS
from betaplus.simulation.body.regions import BODY_LABELS

__all__ = ["FAMILIES", "REGIONS", "Family", "family_of"]

_PAINTED = {n for n in BODY_LABELS.values() if n != "Lesion"}
REGIONS = (*LABELS.values(), *sorted(_PAINTED - set(LABELS.values())))
"""Every region that has an uptake: those of the brain phantom, then those of the body's."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """Regions whose uptake goes together.

    Attributes:
        members: Region names.
        subject: Part of a region's variance over people that all regions of a subject share.
        family: Part that the regions of the family share beyond it.
        texture: Standard deviation of the logarithm inside a region.
    """

    members: tuple[str, ...]
    subject: float
    family: float
    texture: float


# Parts of the variance and textures are nominal, but for the brain, where the part in common is
# that of `subject.draw_region_kinetics`. Blood is one fluid, and background tissues follow it;
# bladder, bowel and heart go their own way.
FAMILIES: Mapping[str, Family] = {
    "grey matter": Family(
        members=(
            "FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex", "Caudate",
            "Putamen", "Thalamus", "CerebellarCortex", "Brainstem", "GreyMatter", "SpinalCord",
        ),
        subject=0.1, family=0.75, texture=0.10,
    ),
    "white matter": Family(
        members=("WhiteMatter", "CerebellarWhite"), subject=0.1, family=0.8, texture=0.08,
    ),
    "fluid": Family(members=("CSF", "Ventricles"), subject=0.3, family=0.6, texture=0.05),
    "blood": Family(
        members=("VenousSinus", "CarotidArtery", "HeartBlood", "Aorta", "VenaCava"),
        subject=0.3, family=0.68, texture=0.03,
    ),
    "background": Family(
        members=("SoftTissue", "Muscle", "Breast"), subject=0.3, family=0.3, texture=0.18,
    ),
    "fat": Family(members=("Fat",), subject=0.3, family=0.0, texture=0.20),
    "bone": Family(
        members=("Skull", "CorticalBone", "RedMarrow"), subject=0.2, family=0.4, texture=0.14,
    ),
    "glands": Family(
        members=("LacrimalGlands", "SalivaryGlands"), subject=0.2, family=0.4, texture=0.12,
    ),
    "organs": Family(
        members=(
            "Thyroid", "Liver", "Spleen", "Adrenals", "Pancreas", "Prostate", "Uterus", "Testes",
        ),
        subject=0.25, family=0.1, texture=0.10,
    ),
    "lungs": Family(members=("Lungs",), subject=0.3, family=0.0, texture=0.22),
    "heart": Family(members=("Myocardium",), subject=0.05, family=0.0, texture=0.22),
    "kidneys": Family(members=("KidneyCortex",), subject=0.2, family=0.0, texture=0.12),
    "urine": Family(members=("RenalPelvis", "Bladder"), subject=0.05, family=0.3, texture=0.04),
    "bile": Family(members=("Gallbladder",), subject=0.05, family=0.0, texture=0.04),
    "gut": Family(
        members=("Stomach", "SmallBowel", "Colon"), subject=0.1, family=0.3, texture=0.28,
    ),
    "gas": Family(members=("Airways", "BowelGas"), subject=0.0, family=0.0, texture=0.0),
}  # fmt: skip
"""Family name to family; every region of `REGIONS` is in one of them."""

_OF = {member: name for name, family in FAMILIES.items() for member in family.members}


def family_of(region: str) -> str:
    """Return the name of a region's family."""
    return _OF[region]
