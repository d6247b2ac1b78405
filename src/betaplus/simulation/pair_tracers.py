"""Tracers that are given together with another in one scan; their numbers are illustrative.

What is known of each goes into its grey matter: the model that describes it and the size of its
volume of distribution or of its trapping. All else, blood included, is nominal.
"""

from __future__ import annotations

from collections.abc import Mapping

from betaplus.core.tracer import Tracer
from betaplus.simulation.input_functions import BloodProfile
from betaplus.simulation.tracer_profile import Quantiles, TracerProfile, head_regions, tissue

__all__ = ["PAIR_PROFILES"]

_HOUR = (*[10.0] * 6, *[15.0] * 4, *[60.0] * 3, *[120.0] * 5, *[300.0] * 9)
_HALF_HOUR = (*[10.0] * 6, *[15.0] * 4, *[60.0] * 3, *[120.0] * 5, *[300.0] * 3)
_COPPER_62 = Tracer(radionuclide="Cu62", half_life=580.2, name="")

_NONE: Quantiles = (1e-6, 1e-6, 1e-6)  # k3 of one tissue compartment: a log-normal is above 0
_ANY: Quantiles = (0.1, 0.1, 0.1)  # k4 behind it, without effect


def _spread(middle: float, factor: float) -> Quantiles:
    return middle / factor, middle, middle * factor


def _one(K1: float, VT: float, VB: float = 0.05) -> dict[str, Quantiles]:
    """One tissue compartment."""
    k2 = _spread(K1 / VT, 1.4)
    return tissue(_spread(K1, 1.35), k2, _NONE, _ANY, _spread(VB, 1.4))


def _two(K1: float, k2: float, k3: float, k4: float, VB: float = 0.045) -> dict[str, Quantiles]:
    """Two tissue compartments."""
    rates = [_spread(k2, 1.5), _spread(k3, 1.6), _spread(k4, 1.5)]
    return tissue(_spread(K1, 1.4), *rates, _spread(VB, 1.4))


_VESSEL = {"VB": (0.80, 0.86, 0.92)}


def _profile(
    name: str,
    nuclide: str | Tracer,
    activity: float,
    kinetics: Mapping[str, dict[str, Quantiles]],
    factors: Mapping[str, Mapping[str, float]],
    *,
    parent: tuple[float, float, float] | None,
    durations: tuple[float, ...] = _HOUR,
    late: float = 1.5,
) -> TracerProfile:
    tracer = nuclide if isinstance(nuclide, Tracer) else Tracer.of(nuclide)
    kinds = {**kinetics, "vessel": {**kinetics["grey matter"], **_VESSEL}}
    return TracerProfile(
        tracer=Tracer(radionuclide=tracer.radionuclide, half_life=tracer.half_life, name=name),
        durations=durations,
        activity=activity,
        weight=75.0,
        delay=(0.0, 4.0),
        blood=BloodProfile(
            amplitudes=(300.0, 4.0, late),
            rates=(5.0, 0.25, 0.006),
            arrival=(15.0, 25.0),
            blood_ratio=(0.80, 0.95),
            parent=parent,
        ),
        tissues=kinds,
        regions=head_regions(factors),
    )


# [11C]flumazenil: one tissue compartment (Klumpers et al., J Cereb Blood Flow Metab 2008; Koeppe et
# al., J Cereb Blood Flow Metab 1991), K1 .25-.40, VT 4-8 in cortex and about 1 in pons; lower in
# the basal ganglia than in cortex.
_FMZ = _profile(
    "FMZ",
    "C11",
    370e6,
    {
        "grey matter": _one(0.32, 5.6),
        "white matter": _one(0.16, 1.2, 0.022),
        "muscle": _one(0.05, 1.0, 0.02),
        "bone": _one(0.03, 0.8, 0.03),
        "csf": _one(0.012, 0.5, 0.015),
    },
    {
        "OccipitalCortex": {"K1": 1.10, "k2": 0.95},
        "TemporalCortex": {"k2": 0.97},
        "Caudate": {"k2": 1.9},
        "Putamen": {"K1": 1.08, "k2": 2.0},
        "Thalamus": {"K1": 1.08, "k2": 1.6},
        "CerebellarCortex": {"K1": 1.08, "k2": 1.3},
        "Brainstem": {"K1": 0.80, "k2": 4.2},
    },
    parent=(0.85, 1.2, 10.0),
)

# [11C]methionine: carried across by the transporter of large neutral amino acids and incorporated
# slowly (the model of Hatazawa et al., J Nucl Med 1989); nominal.
_MET = _profile(
    "MET",
    "C11",
    370e6,
    {
        "grey matter": _two(0.045, 0.065, 0.020, 0.004),
        "white matter": _two(0.026, 0.055, 0.015, 0.004, 0.022),
        "muscle": _two(0.040, 0.060, 0.020, 0.004, 0.02),
        "bone": _two(0.060, 0.080, 0.030, 0.004, 0.03),
        "csf": _two(0.010, 0.050, 0.002, 0.010, 0.015),
    },
    {
        "Thalamus": {"K1": 1.1},
        "CerebellarCortex": {"K1": 1.2},
        "Brainstem": {"K1": 0.95},
    },
    parent=(0.35, 1.6, 25.0),
)

# 3'-deoxy-3'-[18F]fluorothymidine: hardly crosses an intact blood-brain barrier; the model of Muzi
# et al., J Nucl Med 2005, 46:274; nominal.
_FLT = _profile(
    "FLT",
    "F18",
    300e6,
    {
        "grey matter": _two(0.012, 0.060, 0.006, 0.010),
        "white matter": _two(0.008, 0.060, 0.005, 0.010, 0.022),
        "muscle": _two(0.050, 0.090, 0.008, 0.012, 0.02),
        "bone": _two(0.150, 0.150, 0.100, 0.008, 0.05),
        "csf": _two(0.010, 0.050, 0.002, 0.010, 0.015),
    },
    {},
    parent=(0.35, 1.5, 40.0),
)

# (+)-[11C]dihydrotetrabenazine: one tissue compartment for the most part, high in the striatum
# (Koeppe et al., J Cereb Blood Flow Metab 1996); nominal.
_DTBZ = _profile(
    "DTBZ",
    "C11",
    550e6,
    {
        "grey matter": _one(0.42, 4.4),
        "white matter": _one(0.26, 3.4, 0.022),
        "muscle": _one(0.06, 2.0, 0.02),
        "bone": _one(0.04, 1.5, 0.03),
        "csf": _one(0.020, 1.0, 0.015),
    },
    {
        "Caudate": {"k2": 0.48},
        "Putamen": {"K1": 1.08, "k2": 0.42},
        "Thalamus": {"K1": 1.05, "k2": 0.9},
        "Brainstem": {"k2": 0.8},
    },
    parent=(0.80, 1.3, 12.0),
)

# Cu-ATSM: leaves tissue unless it is short of oxygen; Cu-PTSM: nearly all of what enters is kept,
# so that K1 follows perfusion. Two compartments; nominal.
_ATSM = _profile(
    "ATSM",
    _COPPER_62,
    600e6,
    {
        "grey matter": _two(0.36, 0.34, 0.030, 0.006),
        "white matter": _two(0.15, 0.20, 0.020, 0.006, 0.022),
        "muscle": _two(0.06, 0.20, 0.030, 0.006, 0.02),
        "bone": _two(0.05, 0.20, 0.030, 0.006, 0.03),
        "csf": _two(0.012, 0.05, 0.004, 0.010, 0.015),
    },
    {"Thalamus": {"K1": 1.1}, "Brainstem": {"K1": 0.85}},
    parent=(0.60, 1.2, 6.0),
    durations=_HALF_HOUR,
)
_PTSM = _profile(
    "PTSM",
    _COPPER_62,
    600e6,
    {
        "grey matter": _two(0.42, 0.08, 0.22, 0.002),
        "white matter": _two(0.17, 0.06, 0.18, 0.002, 0.022),
        "muscle": _two(0.06, 0.08, 0.15, 0.002, 0.02),
        "bone": _two(0.05, 0.08, 0.15, 0.002, 0.03),
        "csf": _two(0.012, 0.05, 0.02, 0.010, 0.015),
    },
    {"Thalamus": {"K1": 1.1}, "Brainstem": {"K1": 0.85}},
    parent=(0.70, 1.2, 4.0),
    durations=_HALF_HOUR,
)

PAIR_PROFILES: dict[str, TracerProfile] = {
    "FMZ": _FMZ,
    "MET": _MET,
    "FLT": _FLT,
    "DTBZ": _DTBZ,
    "ATSM": _ATSM,
    "PTSM": _PTSM,
}
"""Tracer name to profile."""
