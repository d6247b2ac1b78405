"""Tracers of the brain: [18F]DPA-714, [18F]florbetapir, [11C]flumazenil and [11C]raclopride.

Only the pattern inside the brain is from the literature; of the rest of the body what clears the
tracer is known (liver and bile, or urine), and its SUV are nominal.

DPA-714 (TSPO), 60-90 min: a flat pattern, thalamus and brainstem highest, SUV near 1, and about
twice as much in high- as in low-affinity binders (rs6971: about 49, 42 and 9 % of Europeans; the
last are not scanned); Arlicot et al., Nucl Med Biol 2012; Golla et al., J Nucl Med 2015; Hagens et
al., Eur J Nucl Med Mol Imaging 2018. Liver 19 % and small bowel 9 % of the dose.

Florbetapir (amyloid), 50-60 min: cerebellar cortex near SUV 1; cortex over cerebellum 1.0 to 1.1
without and 1.3 to 1.9 with amyloid, white matter 1.5 to 2 (Wong et al., J Nucl Med 2010; Joshi et
al., J Nucl Med 2012; Ottoy et al., J Nucl Med 2017). In positive people frontal and parietal cortex
and striatum bind most, occipital less, thalamus little, and the contrast to white matter is lost.

Flumazenil (GABA-A), 30-60 min: occipital cortex highest, then the other lobes, cerebellum and
thalamus about 0.6, striatum 0.45, pons and white matter 0.1 to 0.2 of it (Koeppe et al., J Cereb
Blood Flow Metab 1991; Millet et al., NeuroImage 2002); Laymon et al., Mol Imaging Biol 2012 for
urine.

Raclopride (D2), 40-60 min: putamen and caudate 3 to 4 times cerebellum (BPND 2 to 3), thalamus 1.4,
cortex 1.2 (Farde et al., Science 1986; Hirvonen et al., J Cereb Blood Flow Metab 2003); Slifstein
et al., J Nucl Med 2006 for gallbladder, bowel and liver.
"""

from __future__ import annotations

from collections.abc import Mapping

from betaplus.core.tracer import Tracer
from betaplus.simulation.tracers import Quantiles
from betaplus.simulation.uptake.profile import NOTHING, Group, UptakeProfile, scaled

__all__ = ["AMYLOID", "DPA714", "FMZ", "RACLOPRIDE"]

_LOBES = ("FrontalCortex", "ParietalCortex", "TemporalCortex", "OccipitalCortex")


def _brain(reference: Quantiles, ratios: Mapping[str, float]) -> dict[str, Quantiles]:
    """Return each region's ratio times the quantiles of a reference tissue."""
    out = {name: scaled(reference, ratio) for name, ratio in ratios.items()}
    out["GreyMatter"] = scaled(reference, sum(ratios[name] for name in _LOBES) / len(_LOBES))
    out["Ventricles"] = out["CSF"]
    out["CerebellarWhite"] = out["WhiteMatter"]
    return out


def _body(blood: float, background: float, organs: Mapping[str, float]) -> dict[str, Quantiles]:
    """Return nominal uptake outside the brain: medians, with the spread of an organ."""

    def spread(middle: float, by: float) -> Quantiles:
        return middle / by, middle, middle * by

    vessels = ("VenousSinus", "CarotidArtery", "HeartBlood", "Aorta", "VenaCava")
    out = {name: spread(blood, 1.4) for name in vessels}
    for name, factor in {
        "SoftTissue": 1.0, "Muscle": 1.0, "Breast": 0.9, "Fat": 0.5, "CorticalBone": 0.7,
        "Skull": 0.9, "Testes": 1.5, "Uterus": 1.8, "Prostate": 1.8, "LacrimalGlands": 2.0,
    }.items():  # fmt: skip
        out[name] = spread(background * factor, 1.6)
    wide = {"Gallbladder": 4.0, "SmallBowel": 2.0, "Colon": 2.0, "Bladder": 4.0, "RenalPelvis": 3.0}
    for name, middle in organs.items():
        out[name] = spread(middle, wide.get(name, 1.7))
    return out | {"Airways": NOTHING, "BowelGas": NOTHING}


_DPA_HIGH = _brain(
    (0.75, 1.15, 1.75),
    {
        "FrontalCortex": 1.0, "ParietalCortex": 1.0, "TemporalCortex": 0.98,
        "OccipitalCortex": 1.04, "Caudate": 0.85, "Putamen": 0.97, "Thalamus": 1.28,
        "CerebellarCortex": 1.02, "Brainstem": 1.18, "WhiteMatter": 0.72, "CSF": 0.35,
        "SpinalCord": 0.9,
    },
)  # fmt: skip
_DPA_MIXED = {
    name: scaled(quantiles, 0.68) for name, quantiles in _DPA_HIGH.items() if name != "CSF"
}
DPA714 = UptakeProfile(
    tracer=Tracer.of("F18", name="DPA-714"),
    start=3600.0,
    duration=1800.0,
    activity=(180e6, 240e6, 290e6),
    groups={
        "high-affinity binder": Group(share=0.54),
        "mixed-affinity binder": Group(share=0.46, regions=_DPA_MIXED),
    },
    lesions=(1.5, 4.0),
    ceiling=20.0,
    regions=_DPA_HIGH
    | _body(
        blood=0.7,
        background=0.6,
        organs={
            "SalivaryGlands": 4.0, "Thyroid": 5.0, "RedMarrow": 2.6, "Liver": 4.8,
            "Spleen": 8.0, "KidneyCortex": 7.0, "Adrenals": 10.0, "Pancreas": 3.5, "Lungs": 1.1,
            "Myocardium": 4.0, "Gallbladder": 20.0, "Stomach": 3.0, "SmallBowel": 3.0,
            "Colon": 2.5, "RenalPelvis": 3.0, "Bladder": 3.0,
        },
    ),
)  # fmt: skip

_AMYLOID_WHITE = (1.25, 1.75, 2.4)
_AMYLOID_NEGATIVE = _brain(
    (0.75, 1.05, 1.45),
    {
        "FrontalCortex": 1.02, "ParietalCortex": 1.04, "TemporalCortex": 1.03,
        "OccipitalCortex": 1.08, "Caudate": 1.05, "Putamen": 1.2, "Thalamus": 1.3,
        "CerebellarCortex": 1.0, "Brainstem": 1.5, "WhiteMatter": 1.6, "CSF": 0.4,
        "SpinalCord": 1.1,
    },
) | {"WhiteMatter": _AMYLOID_WHITE, "CerebellarWhite": scaled(_AMYLOID_WHITE, 0.95)}  # fmt: skip
_AMYLOID_POSITIVE = _brain(
    (1.15, 1.75, 2.6),
    {
        "FrontalCortex": 1.05, "ParietalCortex": 1.05, "TemporalCortex": 0.95,
        "OccipitalCortex": 0.88, "Caudate": 0.88, "Putamen": 0.98, "Thalamus": 0.85,
        "WhiteMatter": 1.0, "CSF": 0.25,
    },
)  # fmt: skip
AMYLOID = UptakeProfile(
    tracer=Tracer.of("F18", name="florbetapir"),
    start=3000.0,
    duration=600.0,
    activity=(330e6, 370e6, 390e6),
    groups={
        "amyloid-negative": Group(share=0.6),
        "amyloid-positive": Group(
            share=0.4,
            regions={n: _AMYLOID_POSITIVE[n] for n in (*_LOBES, "GreyMatter", "Caudate", "Putamen")}
            | {"Thalamus": scaled(_AMYLOID_NEGATIVE["Thalamus"], 1.1)},
        ),
    },
    lesions=(1.5, 4.0),
    ceiling=20.0,
    regions=_AMYLOID_NEGATIVE
    | _body(
        blood=0.9,
        background=0.6,
        organs={
            "SalivaryGlands": 2.5, "Thyroid": 2.5, "RedMarrow": 1.8, "Liver": 6.0,
            "Spleen": 2.0, "KidneyCortex": 3.0, "Adrenals": 3.5, "Pancreas": 3.5, "Lungs": 0.7,
            "Myocardium": 1.8, "Gallbladder": 40.0, "Stomach": 2.5, "SmallBowel": 5.0,
            "Colon": 2.0, "RenalPelvis": 3.0, "Bladder": 4.0,
        },
    ),
)  # fmt: skip

FMZ = UptakeProfile(
    tracer=Tracer.of("C11", name="FMZ"),
    start=1800.0,
    duration=1800.0,
    activity=(300e6, 450e6, 700e6),
    lesions=(1.5, 4.0),
    ceiling=20.0,
    regions=_brain(
        (2.6, 3.9, 5.6),
        {
            "FrontalCortex": 0.92, "ParietalCortex": 0.93, "TemporalCortex": 0.95,
            "OccipitalCortex": 1.06, "Caudate": 0.42, "Putamen": 0.47, "Thalamus": 0.52,
            "CerebellarCortex": 0.62, "Brainstem": 0.20, "WhiteMatter": 0.20, "CSF": 0.08,
            "SpinalCord": 0.12,
        },
    )
    | _body(
        blood=0.6,
        background=0.4,
        organs={
            "SalivaryGlands": 1.0, "Thyroid": 0.9, "RedMarrow": 0.8, "Liver": 2.8,
            "Spleen": 1.1, "KidneyCortex": 3.5, "Adrenals": 3.0, "Pancreas": 1.2, "Lungs": 0.4,
            "Myocardium": 0.9, "Gallbladder": 5.0, "Stomach": 1.2, "SmallBowel": 3.0,
            "Colon": 0.9, "RenalPelvis": 10.0, "Bladder": 25.0,
        },
    ),
)  # fmt: skip

RACLOPRIDE = UptakeProfile(
    tracer=Tracer.of("C11", name="raclopride"),
    start=2400.0,
    duration=1200.0,
    activity=(250e6, 370e6, 550e6),
    lesions=(1.5, 4.0),
    ceiling=20.0,
    regions=_brain(
        (0.55, 0.85, 1.25),  # cerebellum
        {
            "FrontalCortex": 1.15, "ParietalCortex": 1.15, "TemporalCortex": 1.22,
            "OccipitalCortex": 1.12, "Caudate": 3.2, "Putamen": 3.9, "Thalamus": 1.45,
            "CerebellarCortex": 1.0, "Brainstem": 1.05, "WhiteMatter": 0.8, "CSF": 0.35,
            "SpinalCord": 0.8,
        },
    )
    | _body(
        blood=0.7,
        background=0.6,
        organs={
            "SalivaryGlands": 1.8, "Thyroid": 1.5, "RedMarrow": 1.0, "Liver": 4.5,
            "Spleen": 1.4, "KidneyCortex": 4.0, "Adrenals": 2.5, "Pancreas": 2.2, "Lungs": 0.5,
            "Myocardium": 1.2, "Gallbladder": 25.0, "Stomach": 1.6, "SmallBowel": 6.0,
            "Colon": 1.2, "RenalPelvis": 5.0, "Bladder": 12.0,
        },
    ),
)  # fmt: skip
