"""FreeSurfer's indices and names (aseg, aparc+aseg, wmparc), and the phantom's region of each.

Indices as in FreeSurferColorLUT.txt; cortex by the Desikan-Killiany atlas (Desikan et al.,
NeuroImage 2006), its parcels in lobes as FreeSurfer's own lobe annotation has them, with the
cingulate split between frontal and parietal. What the phantom does not have takes the closest that
it has: hippocampus and amygdala temporal cortex, accumbens caudate, pallidum thalamus, insula
frontal cortex, ventral diencephalon brainstem.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["INDICES", "REGION_OF"]

_PARCELS = (
    "unknown", "bankssts", "caudalanteriorcingulate", "caudalmiddlefrontal", "corpuscallosum",
    "cuneus", "entorhinal", "fusiform", "inferiorparietal", "inferiortemporal", "isthmuscingulate",
    "lateraloccipital", "lateralorbitofrontal", "lingual", "medialorbitofrontal", "middletemporal",
    "parahippocampal", "paracentral", "parsopercularis", "parsorbitalis", "parstriangularis",
    "pericalcarine", "postcentral", "posteriorcingulate", "precentral", "precuneus",
    "rostralanteriorcingulate", "rostralmiddlefrontal", "superiorfrontal", "superiorparietal",
    "superiortemporal", "supramarginal", "frontalpole", "temporalpole", "transversetemporal",
    "insula",
)  # fmt: skip

_LOBE = {
    "ParietalCortex": (
        "inferiorparietal", "isthmuscingulate", "postcentral", "posteriorcingulate", "precuneus",
        "superiorparietal", "supramarginal",
    ),
    "TemporalCortex": (
        "bankssts", "entorhinal", "fusiform", "inferiortemporal", "middletemporal",
        "parahippocampal", "superiortemporal", "temporalpole", "transversetemporal",
    ),
    "OccipitalCortex": ("cuneus", "lateraloccipital", "lingual", "pericalcarine"),
    "WhiteMatter": ("corpuscallosum",),
    "GreyMatter": ("unknown",),
}  # fmt: skip
_LOBE_OF = {parcel: lobe for lobe, parcels in _LOBE.items() for parcel in parcels}

_SIDED = {
    "Cerebral-White-Matter": (2, 41, "WhiteMatter"),
    "Cerebral-Cortex": (3, 42, "GreyMatter"),
    "Lateral-Ventricle": (4, 43, "Ventricles"),
    "Inf-Lat-Vent": (5, 44, "Ventricles"),
    "Cerebellum-White-Matter": (7, 46, "CerebellarWhite"),
    "Cerebellum-Cortex": (8, 47, "CerebellarCortex"),
    "Thalamus": (9, 48, "Thalamus"),
    "Thalamus-Proper": (10, 49, "Thalamus"),
    "Caudate": (11, 50, "Caudate"),
    "Putamen": (12, 51, "Putamen"),
    "Pallidum": (13, 52, "Thalamus"),
    "Hippocampus": (17, 53, "TemporalCortex"),
    "Amygdala": (18, 54, "TemporalCortex"),
    "Accumbens-area": (26, 58, "Caudate"),
    "VentralDC": (28, 60, "Brainstem"),
    "vessel": (30, 62, "CSF"),
    "choroid-plexus": (31, 63, "Ventricles"),
    "WM-hypointensities": (78, 79, "WhiteMatter"),
    "non-WM-hypointensities": (81, 82, "GreyMatter"),
    "UnsegmentedWhiteMatter": (5001, 5002, "WhiteMatter"),
}
_SINGLE = {
    "3rd-Ventricle": (14, "Ventricles"),
    "4th-Ventricle": (15, "Ventricles"),
    "5th-Ventricle": (72, "Ventricles"),
    "Brain-Stem": (16, "Brainstem"),
    "CSF": (24, "CSF"),
    "WM-hypointensities": (77, "WhiteMatter"),
    "non-WM-hypointensities": (80, "GreyMatter"),
    "Optic-Chiasm": (85, "WhiteMatter"),
    "Skull": (165, "Skull"),
    "CC_Posterior": (251, "WhiteMatter"),
    "CC_Mid_Posterior": (252, "WhiteMatter"),
    "CC_Central": (253, "WhiteMatter"),
    "CC_Mid_Anterior": (254, "WhiteMatter"),
    "CC_Anterior": (255, "WhiteMatter"),
    "Head-ExtraCerebral": (258, "SoftTissue"),
    "Eye-Fluid": (259, "CSF"),
}


def _tables() -> tuple[dict[int, str], dict[str, str]]:
    indices: dict[int, str] = {}
    regions: dict[str, str] = {}
    for name, (left, right, region) in _SIDED.items():
        for side, index in (("Left", left), ("Right", right)):
            indices[index] = f"{side}-{name}"
            regions[f"{side}-{name}"] = region
    for name, (index, region) in _SINGLE.items():
        indices[index] = name
        regions[name] = region
    for k, parcel in enumerate(_PARCELS):
        for start, side in ((1000, "lh"), (2000, "rh")):
            indices[start + k] = f"ctx-{side}-{parcel}"
            regions[f"ctx-{side}-{parcel}"] = _LOBE_OF.get(parcel, "FrontalCortex")
            indices[start + 2000 + k] = f"wm-{side}-{parcel}"
            regions[f"wm-{side}-{parcel}"] = "WhiteMatter"
    return indices, regions


INDICES: Mapping[int, str]
"""Index to name."""
REGION_OF: Mapping[str, str]
"""Name to the phantom's region."""
INDICES, REGION_OF = _tables()
