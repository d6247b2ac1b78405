"""[68Ga]PSMA-11, an hour after injection.

Kidneys, salivary and lacrimal glands, liver, spleen, duodenum and prostate follow Kurash et al.,
Sci Rep 2020 (80 scans, SUVmean: kidneys 41.7, parotid 14.5, submandibular 13.0, prostate 2.4), and
Kirchner et al., Clin Nucl Med 2017 (55 men, SUVmax: kidneys 66 +- 25, parotid 24 +- 8, lacrimal
16 +- 7, liver 8.2 +- 2.5, spleen 11 +- 4, duodenum 18 +- 9, thyroid 4.5 +- 1.2); the small bowel
here is a mean of duodenum and the much fainter ileum. Everything else, brain included, is nominal:
at or below the blood pool's 1 to 2.
"""

from __future__ import annotations

from betaplus.core.tracer import Tracer
from betaplus.simulation.uptake.profile import NOTHING, UptakeProfile, scaled

__all__ = ["PSMA"]

_BLOOD = (0.9, 1.4, 2.1)
_BRAIN = (0.05, 0.10, 0.20)

PSMA = UptakeProfile(
    tracer=Tracer.of("Ga68", name="PSMA-11"),
    start=3600.0,
    duration=900.0,
    activity=(90e6, 140e6, 200e6),
    lesions=(3.0, 40.0),
    ceiling=100.0,
    regions={
        "SoftTissue": (0.35, 0.55, 0.85),
        "Skull": (0.25, 0.45, 0.8),
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
        "Fat": (0.15, 0.26, 0.45),
        "Muscle": (0.35, 0.55, 0.85),
        "Breast": (0.3, 0.55, 0.9),
        "CorticalBone": (0.25, 0.4, 0.7),
        "RedMarrow": (0.5, 0.8, 1.3),
        "LacrimalGlands": (3.5, 7.0, 13.0),
        "SalivaryGlands": (7.5, 13.5, 22.0),
        "Thyroid": (0.9, 1.5, 2.7),
        "Liver": (2.8, 4.8, 7.8),
        "Spleen": (3.5, 7.2, 13.5),
        "Adrenals": (1.6, 2.8, 4.8),
        "Pancreas": (1.3, 2.1, 3.3),
        "Prostate": (1.5, 2.4, 3.8),
        "Uterus": (0.9, 1.4, 2.2),
        "Testes": (0.8, 1.2, 1.9),
        "Lungs": (0.25, 0.42, 0.7),
        "Myocardium": (0.9, 1.4, 2.1),
        "KidneyCortex": (22.0, 40.0, 62.0),
        "RenalPelvis": (10.0, 32.0, 80.0),
        "Bladder": (6.0, 28.0, 120.0),
        "Gallbladder": (0.8, 2.2, 9.0),
        "Stomach": (1.6, 2.8, 5.0),
        "SmallBowel": (1.6, 3.6, 8.0),
        "Colon": (1.2, 2.4, 6.0),
        "Airways": NOTHING,
        "BowelGas": NOTHING,
    },
)
