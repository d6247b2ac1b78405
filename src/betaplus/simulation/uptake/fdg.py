"""[18F]FDG, an hour after injection.

SUVmean of healthy tissue from three tables, widened to 5 and 95 % over people: Wang et al., Mol
Imaging Biol 2007 (98 patients, e.g. cerebellum 8.0 +- 2.2, testes 2.57 +- 0.56); Ramos et al., Clin
Nucl Med 2001; Dias et al., EJNMMI Res 2022 (126 patients). Grey and white matter are those of the
tissue, without the loss of a scanner's resolution, and their ratio is about 3 (Phelps et al., Ann
Neurol 1979; Heiss et al., J Cereb Blood Flow Metab 1984, who also give the pattern over regions).
Myocardium (fasting or not), urine and bowel spread over tenfold, as in any clinic. Nominal: skull
and soft tissue of the head, fluids, gallbladder, adrenals, lacrimal glands, uterus.
"""

from __future__ import annotations

from betaplus.core.tracer import Tracer
from betaplus.simulation.uptake.profile import NOTHING, UptakeProfile, scaled

__all__ = ["FDG"]

_CORTEX = (6.6, 9.6, 14.0)
_WHITE = (2.3, 3.2, 4.5)
_BLOOD = (1.15, 1.65, 2.3)

FDG = UptakeProfile(
    tracer=Tracer.of("F18", name="FDG"),
    start=3600.0,
    duration=600.0,
    activity=(180e6, 280e6, 400e6),
    regions={
        "SoftTissue": (0.5, 0.8, 1.3),
        "Skull": (0.35, 0.6, 1.0),
        "CSF": (0.4, 0.7, 1.2),
        "Ventricles": (0.4, 0.7, 1.2),
        "WhiteMatter": _WHITE,
        "FrontalCortex": _CORTEX,
        "ParietalCortex": _CORTEX,
        "TemporalCortex": scaled(_CORTEX, 0.90),
        "OccipitalCortex": scaled(_CORTEX, 1.05),
        "GreyMatter": _CORTEX,
        "Caudate": scaled(_CORTEX, 1.0),
        "Putamen": scaled(_CORTEX, 1.12),
        "Thalamus": scaled(_CORTEX, 1.0),
        "CerebellarCortex": scaled(_CORTEX, 0.82),
        "CerebellarWhite": scaled(_WHITE, 1.05),
        "Brainstem": scaled(_CORTEX, 0.55),
        "SpinalCord": (1.3, 1.9, 2.7),
        "VenousSinus": _BLOOD,
        "CarotidArtery": _BLOOD,
        "HeartBlood": _BLOOD,
        "Aorta": _BLOOD,
        "VenaCava": _BLOOD,
        "Fat": (0.15, 0.28, 0.5),
        "Muscle": (0.45, 0.68, 1.1),
        "Breast": (0.35, 0.65, 1.2),
        "CorticalBone": (0.3, 0.5, 0.9),
        "RedMarrow": (0.8, 1.4, 2.4),
        "LacrimalGlands": (0.9, 1.6, 2.8),
        "SalivaryGlands": (1.1, 1.8, 3.2),
        "Thyroid": (0.8, 1.2, 2.3),
        "Liver": (1.55, 2.2, 3.1),
        "Spleen": (1.3, 1.85, 2.6),
        "Adrenals": (0.9, 1.5, 2.5),
        "Pancreas": (1.0, 1.5, 2.2),
        "Prostate": (1.1, 1.7, 2.7),
        "Uterus": (1.0, 1.8, 4.0),
        "Testes": (1.7, 2.55, 3.6),
        "Lungs": (0.28, 0.45, 0.75),
        "Myocardium": (1.2, 3.5, 12.0),
        "KidneyCortex": (1.7, 2.5, 3.8),
        "RenalPelvis": (2.0, 8.0, 30.0),
        "Bladder": (5.0, 22.0, 100.0),
        "Gallbladder": (0.4, 0.8, 1.5),
        "Stomach": (1.0, 1.9, 4.0),
        "SmallBowel": (0.9, 1.6, 4.5),
        "Colon": (0.8, 1.7, 8.0),
        "Airways": NOTHING,
        "BowelGas": NOTHING,
    },
)
