"""Where lesions sit, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SITES", "VESSELS", "Site"]

VESSELS = ("Aorta", "VenaCava", "CarotidArtery", "Airways")
"""What lymph nodes lie along."""

_LOBES = ("FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex")
_BRAIN = (
    *_LOBES, "GreyMatter", "WhiteMatter", "Caudate", "Putamen", "Thalamus", "CerebellarCortex",
    "CerebellarWhite",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Site:
    """A kind of place.

    Attributes:
        hosts: Regions in which the centre of a lesion lies.
        within: Further regions that a lesion may grow into.
        weight: How often, relative to other sites.
        diameter: Range [mm]; log-uniform.
        cold: Share of lesions with less uptake than their surroundings.
        along_vessels: The centre is near a large vessel or the airways.
    """

    hosts: tuple[str, ...]
    within: tuple[str, ...] = ()
    weight: float = 1.0
    diameter: tuple[float, float] = (6.0, 40.0)
    cold: float = 0.0
    along_vessels: bool = False


# Frequencies are nominal: nodes, bone, lung and liver are where most metastases are.
SITES: Mapping[str, Site] = {
    "node": Site(
        hosts=("Fat", "Muscle"), weight=3.0, diameter=(6.0, 28.0), along_vessels=True
    ),
    "bone": Site(hosts=("RedMarrow",), within=("CorticalBone",), weight=2.5, cold=0.05),
    "lung": Site(hosts=("Lungs",), weight=2.0),
    "liver": Site(hosts=("Liver",), weight=2.0, cold=0.2),
    "prostate": Site(hosts=("Prostate",), weight=0.7, diameter=(6.0, 25.0)),
    "breast": Site(hosts=("Breast",), within=("Fat",), weight=0.7, diameter=(6.0, 35.0)),
    "brain": Site(hosts=_BRAIN, weight=0.6, cold=0.5),
    "soft tissue": Site(hosts=("Fat", "Muscle"), weight=0.6),
    "gland": Site(
        hosts=("Thyroid", "SalivaryGlands", "Adrenals", "Pancreas", "Uterus", "Spleen"),
        within=("Fat", "Muscle"),
        weight=0.8,
        diameter=(6.0, 30.0),
        cold=0.1,
    ),
    "gut": Site(
        hosts=("Stomach", "Colon", "SmallBowel"), within=("Fat",), weight=0.6, diameter=(8.0, 40.0)
    ),
    "kidney": Site(hosts=("KidneyCortex",), within=("Fat",), weight=0.5, cold=0.8),
}  # fmt: skip
"""Site name to site."""
