"""Volumes of organs and of parts of the head that phantoms are held against, and their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["HEAD_VOLUMES", "ORGAN_VOLUMES", "HeadVolume", "OrganVolume"]


@dataclass(frozen=True, kw_only=True)
class OrganVolume:
    """An organ of the reference adults.

    Attributes:
        regions: Labels of the body phantom that make it up.
        male: Volume in the reference man [mL]; None where he has none.
        female: In the reference woman, likewise.
        spread: Coefficient of variation over people, (low, high); None where none was found.
    """

    regions: tuple[str, ...]
    male: float | None
    female: float | None
    spread: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class HeadVolume:
    """A part of adult heads, both sexes together.

    Attributes:
        regions: Labels of the brain phantom that make it up.
        low: Least of the means in the sources [mL].
        high: Largest, likewise.
        spread: Standard deviation of the logarithm over people, (low, high); None where none was
            found. Where it is small it is the coefficient of variation.
        source: Where the numbers are from.
    """

    regions: tuple[str, ...]
    low: float
    high: float
    spread: tuple[float, float] | None
    source: str


ORGAN_VOLUMES: Mapping[str, OrganVolume] = {
    "Brain": OrganVolume(
        regions=("GreyMatter", "WhiteMatter"), male=1450 / 1.04, female=1300 / 1.04
    ),
    "Lungs": OrganVolume(regions=("Lungs",), male=1208 / 0.385, female=950 / 0.385),
    "Myocardium": OrganVolume(regions=("Myocardium",), male=330 / 1.05, female=250 / 1.05),
    "Liver": OrganVolume(
        regions=("Liver",), male=1800 / 1.05, female=1400 / 1.05, spread=(0.20, 0.25)
    ),
    "Spleen": OrganVolume(
        regions=("Spleen",), male=150 / 1.06, female=130 / 1.06, spread=(0.35, 0.40)
    ),
    "Kidneys": OrganVolume(
        regions=("KidneyCortex",), male=310 / 1.05, female=275 / 1.05, spread=(0.15, 0.20)
    ),
    "Pancreas": OrganVolume(regions=("Pancreas",), male=140 / 1.05, female=120 / 1.05),
    "Stomach": OrganVolume(regions=("Stomach",), male=400 / 1.04, female=370 / 1.04),
    "SmallBowel": OrganVolume(regions=("SmallBowel",), male=1000 / 1.04, female=880 / 1.04),
    "Colon": OrganVolume(regions=("Colon", "BowelGas"), male=670 / 1.04, female=680 / 1.04),
    "SalivaryGlands": OrganVolume(regions=("SalivaryGlands",), male=85 / 1.04, female=70 / 1.04),
    "Thyroid": OrganVolume(regions=("Thyroid",), male=20 / 1.04, female=17 / 1.04),
    "Adrenals": OrganVolume(regions=("Adrenals",), male=14 / 1.04, female=13 / 1.04),
    "Testes": OrganVolume(regions=("Testes",), male=35 / 1.04, female=None),
    "Prostate": OrganVolume(regions=("Prostate",), male=17 / 1.04, female=None),
    "Uterus": OrganVolume(regions=("Uterus",), male=None, female=80 / 1.04),
}
"""Organ to its volume: masses of ICRP Publication 89 (2002), stomach and bowel with what is in
them, over densities; lungs, with gas, as in the voxel phantoms of ICRP Publication 110 (2009). The
density of small glands is nominal. The reference man is young: prostates grow with age. Spreads are
those of CT volumetry."""

_LOBES = ("FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex")

HEAD_VOLUMES: Mapping[str, HeadVolume] = {
    "Brain": HeadVolume(
        regions=(
            *_LOBES, "WhiteMatter", "Caudate", "Putamen", "Thalamus", "CerebellarCortex",
            "CerebellarWhite", "Brainstem",
        ),
        low=1143, high=1302, spread=(0.086, 0.10),
        source="Matsumae et al., J Neurosurg 1996 (1143 +- 105 in women, 1302 +- 112 in men);"
        " Whitwell et al., AJNR 2001",
    ),
    "Ventricles": HeadVolume(
        regions=("Ventricles",), low=16, high=25, spread=(0.4, 0.5),
        source="Chung et al., Neurosci Lett 2006 (20 and 40 years)",
    ),
    "Fluid": HeadVolume(
        regions=("CSF", "Ventricles"), low=147, high=488, spread=None,
        source="11.4 % of 1289 and 1469 mL, Matsumae et al. 1996; 265 in the twenties to 488 above"
        " 80 years, Yamada et al., Eur Radiol 2023",
    ),
    "Caudate": HeadVolume(
        regions=("Caudate",), low=9.0, high=9.42, spread=(0.12, 0.12),
        source="Raz et al., AJNR 2003 (its head only; twice, five years apart)",
    ),
    "Putamen": HeadVolume(
        regions=("Putamen",), low=10.0, high=10.41, spread=(0.09, 0.10),
        source="Raz et al., AJNR 2003 (twice, five years apart)",
    ),
}  # fmt: skip
"""Part of the head to its volume: skull and vessels are not in the brain's."""
