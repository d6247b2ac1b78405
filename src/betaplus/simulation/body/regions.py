"""Regions of the body phantom."""

from __future__ import annotations

__all__ = ["BODY_LABELS"]

BODY_LABELS = {
    1: "Fat",
    2: "Muscle",
    3: "CorticalBone",
    4: "RedMarrow",
    5: "GreyMatter",
    6: "WhiteMatter",
    7: "CSF",
    8: "LacrimalGlands",
    9: "SalivaryGlands",
    10: "Thyroid",
    11: "Airways",
    12: "Lungs",
    13: "Myocardium",
    14: "HeartBlood",
    15: "Aorta",
    16: "VenaCava",
    17: "Liver",
    18: "Gallbladder",
    19: "Spleen",
    20: "KidneyCortex",
    21: "RenalPelvis",
    22: "Adrenals",
    23: "Pancreas",
    24: "Stomach",
    25: "SmallBowel",
    26: "Colon",
    27: "BowelGas",
    28: "Bladder",
    29: "Prostate",
    30: "Uterus",
    31: "Testes",
    32: "Breast",
    33: "SpinalCord",
    34: "Lesion",
}
"""Label index to region name. Red marrow is the trabecular bone of vertebrae, pelvis, sternum, ribs
and the ends of the long bones; lesions are put in by `betaplus.simulation.lesions`."""
