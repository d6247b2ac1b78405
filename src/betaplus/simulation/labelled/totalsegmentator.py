"""TotalSegmentator's indices and names, and the phantom's region of each.

The 117 classes of its task "total" in version 2 (Wasserthal et al., Radiol Artif Intell 2023, and
the project's class table), with names of version 1 and of the tasks "body" and "tissue_types". A
whole bone is red marrow in the trunk and compact in limbs and skull; a whole heart is blood; a
whole brain is grey matter; a cyst is fluid: nominal, as only these are outlined.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["INDICES", "region_of_class"]

_FIRST = (
    "spleen", "kidney_right", "kidney_left", "gallbladder", "liver", "stomach", "pancreas",
    "adrenal_gland_right", "adrenal_gland_left", "lung_upper_lobe_left", "lung_lower_lobe_left",
    "lung_upper_lobe_right", "lung_middle_lobe_right", "lung_lower_lobe_right", "esophagus",
    "trachea", "thyroid_gland", "small_bowel", "duodenum", "colon", "urinary_bladder", "prostate",
    "kidney_cyst_left", "kidney_cyst_right", "sacrum", "vertebrae_S1",
)  # fmt: skip
_VERTEBRAE = tuple(
    f"vertebrae_{part}{n}"
    for part, count in (("L", 5), ("T", 12), ("C", 7))
    for n in range(count, 0, -1)
)
_MIDDLE = (
    "heart", "aorta", "pulmonary_vein", "brachiocephalic_trunk", "subclavian_artery_right",
    "subclavian_artery_left", "common_carotid_artery_right", "common_carotid_artery_left",
    "brachiocephalic_vein_left", "brachiocephalic_vein_right", "atrial_appendage_left",
    "superior_vena_cava", "inferior_vena_cava", "portal_vein_and_splenic_vein",
    "iliac_artery_left", "iliac_artery_right", "iliac_vena_left", "iliac_vena_right",
    "humerus_left", "humerus_right", "scapula_left", "scapula_right", "clavicula_left",
    "clavicula_right", "femur_left", "femur_right", "hip_left", "hip_right", "spinal_cord",
    "gluteus_maximus_left", "gluteus_maximus_right", "gluteus_medius_left", "gluteus_medius_right",
    "gluteus_minimus_left", "gluteus_minimus_right", "autochthon_left", "autochthon_right",
    "iliopsoas_left", "iliopsoas_right", "brain", "skull",
)  # fmt: skip
_RIBS = tuple(f"rib_{side}_{n}" for side in ("left", "right") for n in range(1, 13))

INDICES: Mapping[int, str] = dict(
    enumerate((*_FIRST, *_VERTEBRAE, *_MIDDLE, *_RIBS, "sternum", "costal_cartilages"), start=1)
)
"""Index to name."""

_CLASSES = {
    "Spleen": "spleen",
    "KidneyCortex": "kidney",
    "Gallbladder": "gallbladder",
    "Liver": "liver",
    "Stomach": "stomach|esophagus",
    "Pancreas": "pancreas",
    "Adrenals": "adrenal_gland",
    "Lungs": "lung(_(upper|middle|lower)_lobe)?",
    "Airways": "trachea|lung_trachea_bronchia",
    "Thyroid": "thyroid_gland",
    "SmallBowel": "small_bowel|duodenum",
    "Colon": "colon",
    "Bladder": "urinary_bladder",
    "Prostate": "prostate",
    "CSF": "kidney_cyst",
    "RedMarrow": "sacrum|vertebrae(_[stlc][0-9]+)?|scapula|clavicula|hip|rib|sternum",
    "CorticalBone": "humerus|femur|skull",
    "HeartBlood": "heart|atrial_appendage|heart_atrium|heart_ventricle",
    "Myocardium": "heart_myocardium",
    "Aorta": "aorta|brachiocephalic_trunk|subclavian_artery|iliac_artery",
    "CarotidArtery": "common_carotid_artery",
    "VenaCava": (
        "pulmonary_vein|pulmonary_artery|brachiocephalic_vein|superior_vena_cava"
        "|inferior_vena_cava|portal_vein_and_splenic_vein|iliac_vena"
    ),
    "SpinalCord": "spinal_cord",
    "Muscle": (
        "gluteus_(maximus|medius|minimus)|autochthon|iliopsoas|costal_cartilages|skeletal_muscle"
    ),
    "GreyMatter": "brain",
    "SoftTissue": "face|body|body_trunc|body_extremities",
    "Fat": "subcutaneous_fat|torso_fat|intermuscular_fat",
}


def region_of_class(name: str) -> str | None:
    """Return the phantom's region of a class's name; None if it is unknown."""
    plain = re.sub(r"_(left|right)(_[0-9]+)?$", "", name.lower())
    for region, pattern in _CLASSES.items():
        if re.fullmatch(pattern, plain):
            return region
    return None
