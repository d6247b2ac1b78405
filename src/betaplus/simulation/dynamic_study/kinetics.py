"""Rate constants of [18F]FDG in every region of a head or a body, over people.

Medians of grey and white matter, liver, lung and muscle are those of the total-body table on which
the project's Patlak figures rest; spreads, and the rows of kidney and spleen, are 5 to 95 % of 80
healthy adults (a lower quantile of 0 there is a small number here). Their Patlak slopes from 20 to
60 min lie within a factor of 2 of medians measured in people: grey matter .032, white matter .022,
liver .003, muscle .0016, kidney .005 mL/cm3/min. Organs differ as dynamic total-body PET found them
to (Liu et al., Eur J Nucl Med Mol Imaging 2021, 48:2363-2372). Myocardium spreads from fasting
(Ki .004) to not fasting (.05).

All other rows are nominal: such that the median SUV an hour after injection is, within a third, the
one of `betaplus.simulation.uptake.fdg`, which is from the literature. Urine is trapped.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.subject import PARAMETERS, draw_region_kinetics, from_scores
from betaplus.simulation.tracers import PROFILES, Quantiles, RegionKinetics, TracerProfile

__all__ = ["FDG_ORGANS", "NOTHING", "TUMOUR", "draw_tumour", "influx", "organ_kinetics"]

_DRAW = 70
_GREY = (
    "FrontalCortex", "ParietalCortex", "OccipitalCortex", "TemporalCortex", "Caudate", "Putamen",
    "Thalamus", "CerebellarCortex", "Brainstem",
)  # fmt: skip


def _measured(*rows: Quantiles) -> dict[str, Quantiles]:
    return dict(zip(PARAMETERS, rows, strict=True))


def _nominal(
    K1: float, k2: float, k3: float, k4: float, VB: float, spread: float = 1.6
) -> dict[str, Quantiles]:
    """Return quantiles about medians; `spread` is that of k3."""
    widths = (1.3, 1.3, spread, 1.7, 1.5)
    return {
        p: (m / w, m, m * w)
        for p, m, w in zip(PARAMETERS, (K1, k2, k3, k4, VB), widths, strict=True)
    }


_TISSUES: Mapping[str, Mapping[str, Quantiles]] = {
    "GreyMatter": _measured(
        (0.083, 0.102, 0.136), (0.072, 0.130, 0.205), (0.040, 0.062, 0.095),
        (0.0030, 0.0068, 0.0102), (0.041, 0.050, 0.068),
    ),
    "WhiteMatter": _measured(
        (0.047, 0.054, 0.068), (0.062, 0.109, 0.159), (0.029, 0.045, 0.069),
        (0.0030, 0.0058, 0.0093), (0.015, 0.020, 0.025),
    ),
    "Liver": _measured(
        (0.63, 0.864, 1.23), (0.74, 0.981, 1.47), (0.003, 0.005, 0.008),
        (0.006, 0.016, 0.034), (0.0005, 0.001, 0.002),
    ),
    "Lungs": _measured(
        (0.068, 0.108, 0.20), (0.45, 0.735, 1.15), (0.008, 0.016, 0.037),
        (0.004, 0.013, 0.033), (0.010, 0.017, 0.030),
    ),
    "Muscle": _measured(
        (0.026, 0.044, 0.072), (0.19, 0.30, 0.57), (0.017, 0.026, 0.034),
        (0.009, 0.014, 0.022), (0.0005, 0.003, 0.024),
    ),
    "KidneyCortex": _measured(
        (0.43, 0.57, 0.89), (0.29, 0.63, 0.94), (0.003, 0.009, 0.030),
        (0.003, 0.009, 0.063), (0.11, 0.18, 0.25),
    ),
    "Spleen": _measured(
        (0.58, 1.04, 1.60), (1.1, 2.1, 3.1), (0.008, 0.012, 0.018),
        (0.003, 0.013, 0.024), (0.010, 0.045, 0.085),
    ),
    "Myocardium": _measured(
        (0.45, 0.60, 0.85), (0.90, 1.20, 1.70), (0.008, 0.030, 0.115),
        (0.0003, 0.001, 0.004), (0.05, 0.12, 0.22),
    ),
    "blood": {**_nominal(0.02, 0.30, 0.01, 0.01, 0.97), "VB": (0.95, 0.97, 0.98)},
    "fluid": _nominal(0.013, 0.05, 0.002, 0.010, 0.015),
    "Fat": _nominal(0.018, 0.22, 0.012, 0.010, 0.006),
    "Breast": _nominal(0.032, 0.23, 0.022, 0.010, 0.010),
    "CorticalBone": _nominal(0.030, 0.28, 0.020, 0.010, 0.030),
    "RedMarrow": _nominal(0.090, 0.32, 0.028, 0.010, 0.050),
    "SpinalCord": _nominal(0.055, 0.16, 0.033, 0.008, 0.030),
    "LacrimalGlands": _nominal(0.14, 0.36, 0.017, 0.010, 0.050),
    "SalivaryGlands": _nominal(0.19, 0.41, 0.017, 0.010, 0.060),
    "Thyroid": _nominal(0.31, 0.78, 0.010, 0.012, 0.090),
    "Adrenals": _nominal(0.28, 0.66, 0.013, 0.010, 0.080),
    "Pancreas": _nominal(0.36, 0.76, 0.012, 0.012, 0.080),
    "Prostate": _nominal(0.18, 0.43, 0.018, 0.010, 0.050),
    "Uterus": _nominal(0.19, 0.45, 0.020, 0.010, 0.060, spread=2.0),
    "Testes": _nominal(0.10, 0.20, 0.025, 0.006, 0.030),
    "Stomach": _nominal(0.15, 0.42, 0.027, 0.009, 0.040, spread=2.2),
    "SmallBowel": _nominal(0.14, 0.41, 0.020, 0.009, 0.040, spread=2.2),
    "Colon": _nominal(0.11, 0.36, 0.026, 0.009, 0.040, spread=2.5),
    "Gallbladder": _nominal(0.008, 0.020, 0.010, 0.010, 0.010),
    "RenalPelvis": _nominal(0.045, 0.010, 0.5, 0.0001, 0.050),
    "Bladder": _nominal(0.115, 0.010, 0.5, 0.0001, 0.001),
}  # fmt: skip

# The pattern of regional glucose metabolism, as in `betaplus.simulation.uptake.fdg`.
_FACTORS: Mapping[str, Mapping[str, float]] = {
    "TemporalCortex": {"K1": 0.95, "k3": 0.93},
    "OccipitalCortex": {"K1": 1.03, "k3": 1.03},
    "Putamen": {"K1": 1.08, "k3": 1.06},
    "CerebellarCortex": {"K1": 1.05, "k2": 1.15, "k3": 0.80},
    "Brainstem": {"K1": 0.80, "k3": 0.70},
}
_LIKE: Mapping[str, str] = {
    **dict.fromkeys(_GREY, "GreyMatter"),
    "CerebellarWhite": "WhiteMatter",
    "SoftTissue": "Muscle",
    "Skull": "CorticalBone",
    **dict.fromkeys(("CSF", "Ventricles"), "fluid"),
    **dict.fromkeys(
        ("VenousSinus", "CarotidArtery", "HeartBlood", "Aorta", "VenaCava"), "blood"
    ),
}  # fmt: skip

FDG_ORGANS: TracerProfile = dataclasses.replace(
    PROFILES["FDG"],
    tissues=_TISSUES,
    regions={
        name: RegionKinetics(_LIKE.get(name, name), _FACTORS.get(name, {}))
        for name in (*_LIKE, *(t for t in _TISSUES if t not in ("blood", "fluid")))
    },
)
"""[18F]FDG in heads and bodies."""

NOTHING = ("Airways", "BowelGas")
"""Regions without tracer."""

TUMOUR: Mapping[str, Quantiles] = {
    "K1": (0.10, 0.20, 0.40),
    "k2": (0.30, 0.60, 1.00),
    "k3": (0.030, 0.080, 0.200),
    "k4": (0.0005, 0.003, 0.015),
    "VB": (0.02, 0.06, 0.14),
}
"""Hot lesions: about the fitted liver tumours of the table (.243, .78, .1, 0, 0), Ki .01 to .06;
spreads are nominal."""


def organ_kinetics(names: Iterable[str], seed: int) -> dict[str, dict[str, float]]:
    """Draw a subject: region name to K1, k2, k3, k4, VB; all 0 in gas.

    A region's values do not depend on which others are asked for.

    Raises:
        UsageError: If a region has no kinetics.
    """
    names = list(names)
    known = draw_region_kinetics(FDG_ORGANS, seed)
    unknown = [name for name in names if name not in known and name not in NOTHING]
    if unknown:
        raise UsageError(
            f"no FDG kinetics for {', '.join(unknown)}", f"expected regions of {', '.join(known)}"
        )
    return {name: known.get(name, dict.fromkeys(PARAMETERS, 0.0)) for name in names}


def draw_tumour(seed: int, item: int) -> dict[str, float]:
    """Draw the kinetics of a hot lesion."""
    scores = generator(seed, item=item, draw=_DRAW).standard_normal(len(PARAMETERS))
    return {p: float(from_scores(TUMOUR[p], z)) for p, z in zip(PARAMETERS, scores, strict=True)}


def influx(K1: np.ndarray, k2: np.ndarray, k3: np.ndarray) -> np.ndarray:
    """Return Ki = K1 k3 / (k2 + k3), 0 where nothing leaves; any one shape [mL/cm3/min]."""
    leaving = np.asarray(k2 + k3)
    return np.asarray(K1 * np.divide(k3, leaving, out=np.zeros_like(leaving), where=leaving > 0))
