"""[68Ga]DOTATATE, an hour after injection.

Order of the organs from Ozguven et al., Mol Imaging Radionucl Ther 2021 (118 normal subjects:
spleen, kidneys, adrenals, liver, stomach, bowel, prostate, pancreas, thyroid, uterus; minimal in
glands, muscle, bone, breast, lungs), their size from Kuyumcu et al., Ann Nucl Med 2013 (120
patients, SUVmax: spleen 24.7, kidneys 14.3, adrenals 13.7, liver 9.1), a mean taken as 0.7 of a
maximum. Everything else is nominal.
"""

from __future__ import annotations

from betaplus.core.tracer import Tracer
from betaplus.simulation.uptake.profile import NOTHING, UptakeProfile, scaled

__all__ = ["DOTATATE"]

_BLOOD = (0.8, 1.25, 1.9)
_BRAIN = (0.06, 0.12, 0.22)

DOTATATE = UptakeProfile(
    tracer=Tracer.of("Ga68", name="DOTATATE"),
    start=3600.0,
    duration=900.0,
    activity=(90e6, 150e6, 210e6),
    lesions=(3.0, 40.0),
    ceiling=100.0,
    regions={
        "SoftTissue": (0.35, 0.55, 0.9),
        "Skull": (0.3, 0.5, 0.85),
        "CSF": (0.04, 0.08, 0.16),
        "Ventricles": (0.04, 0.08, 0.16),
        "WhiteMatter": _BRAIN,
        "FrontalCortex": _BRAIN,
        "ParietalCortex": _BRAIN,
        "TemporalCortex": _BRAIN,
        "OccipitalCortex": _BRAIN,
        "GreyMatter": _BRAIN,
        "Caudate": _BRAIN,
        "Putamen": _BRAIN,
        "Thalamus": _BRAIN,
        "CerebellarCortex": _BRAIN,
        "CerebellarWhite": _BRAIN,
        "Brainstem": _BRAIN,
        "SpinalCord": scaled(_BRAIN, 2.0),
        "VenousSinus": _BLOOD,
        "CarotidArtery": _BLOOD,
        "HeartBlood": _BLOOD,
        "Aorta": _BLOOD,
        "VenaCava": _BLOOD,
        "Fat": (0.12, 0.22, 0.4),
        "Muscle": (0.5, 0.8, 1.25),
        "Breast": (0.4, 0.75, 1.3),
        "CorticalBone": (0.25, 0.4, 0.7),
        "RedMarrow": (0.6, 0.95, 1.5),
        "LacrimalGlands": (1.2, 2.2, 4.0),
        "SalivaryGlands": (1.2, 2.2, 3.9),
        "Thyroid": (1.4, 2.7, 5.0),
        "Liver": (3.5, 5.8, 9.2),
        "Spleen": (9.0, 17.5, 31.0),
        "Adrenals": (5.0, 9.5, 16.5),
        "Pancreas": (1.9, 3.2, 5.5),
        "Prostate": (1.8, 3.3, 6.0),
        "Uterus": (1.3, 2.4, 4.4),
        "Testes": (0.9, 1.5, 2.4),
        "Lungs": (0.3, 0.5, 0.85),
        "Myocardium": (0.9, 1.4, 2.2),
        "KidneyCortex": (6.5, 11.0, 18.0),
        "RenalPelvis": (5.0, 14.0, 40.0),
        "Bladder": (5.0, 24.0, 100.0),
        "Gallbladder": (0.8, 1.6, 3.5),
        "Stomach": (2.2, 4.2, 8.0),
        "SmallBowel": (2.0, 3.8, 7.0),
        "Colon": (1.0, 1.9, 3.8),
        "Airways": NOTHING,
        "BowelGas": NOTHING,
    },
)
