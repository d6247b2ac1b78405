"""Tracers: half-life, dose, frame schedule, blood, and the kinetics of every region."""

from __future__ import annotations

from betaplus.core.errors import UsageError
from betaplus.core.tracer import Tracer
from betaplus.simulation.input_functions import BloodProfile
from betaplus.simulation.pair_tracers import PAIR_PROFILES
from betaplus.simulation.tracer_profile import (
    Quantiles,
    RegionKinetics,
    TracerProfile,
    head_regions,
    tissue,
)

__all__ = ["PROFILES", "Quantiles", "RegionKinetics", "TracerProfile", "find_profile"]


def find_profile(name: str) -> TracerProfile:
    """Return the profile of a tracer.

    Raises:
        UsageError: If there is none of that name.
    """
    found = {key.lower(): value for key, value in PROFILES.items()}.get(name.lower())
    if found is None:
        raise UsageError(f"tracer {name!r} is unknown", f"expected one of {', '.join(PROFILES)}")
    return found


_FDG_FRAMES = (*[5.0] * 12, *[15.0] * 4, *[60.0] * 6, *[120.0] * 5, *[180.0] * 4, *[300.0] * 4)
_C11_FRAMES = (*[10.0] * 6, *[15.0] * 4, *[60.0] * 3, *[120.0] * 5, *[300.0] * 9)

# Grey matter, white matter and muscle: total-body FDG of 80 healthy adults, 5/50/95 %, as tabulated
# in the project's design; a lower quantile of 0 there is a small number here, since a log-normal
# cannot reach it. Bone, fluid and vessels are nominal. Regional factors follow the pattern of
# regional glucose metabolism (Phelps et al., Ann Neurol 1979; Heiss et al., J Cereb Blood Flow
# Metab 1984): basal ganglia a little above cortex, cerebellum and brainstem below.
_FDG = TracerProfile(
    tracer=Tracer.of("F18", name="FDG"),
    durations=_FDG_FRAMES,
    activity=300e6,
    weight=75.0,
    delay=(2.0, 6.0),
    # Feng's FDG amplitudes (851.1, 21.88, 20.81 uCi/mL) times one factor, so that the area over
    # the first hour is about 190 SUV min and plasma at one hour about 1.8 SUV.
    blood=BloodProfile(
        amplitudes=(140.6, 3.615, 3.438),
        rates=(4.134, 0.1191, 0.01043),
        arrival=(12.0, 20.0),
        blood_ratio=(0.86, 0.93),
    ),
    tissues={
        "grey matter": tissue(
            (0.096, 0.119, 0.158),
            (0.080, 0.163, 0.257),
            (0.064, 0.108, 0.165),
            (0.005, 0.012, 0.018),
            (0.022, 0.027, 0.037),
        ),
        "white matter": tissue(
            (0.071, 0.082, 0.104),
            (0.073, 0.136, 0.198),
            (0.053, 0.090, 0.138),
            (0.005, 0.010, 0.016),
            (0.013, 0.017, 0.021),
        ),
        "muscle": tissue(
            (0.026, 0.044, 0.072),
            (0.19, 0.30, 0.57),
            (0.017, 0.026, 0.034),
            (0.009, 0.014, 0.022),
            (0.0005, 0.003, 0.024),
        ),
        "bone": tissue(
            (0.020, 0.030, 0.045),
            (0.20, 0.30, 0.45),
            (0.010, 0.016, 0.026),
            (0.005, 0.010, 0.020),
            (0.02, 0.03, 0.045),
        ),
        "csf": tissue(
            (0.008, 0.012, 0.018),
            (0.03, 0.05, 0.08),
            (0.001, 0.002, 0.004),
            (0.005, 0.010, 0.020),
            (0.01, 0.015, 0.022),
        ),
        "vessel": tissue(
            (0.05, 0.08, 0.12),
            (0.08, 0.15, 0.25),
            (0.02, 0.04, 0.08),
            (0.005, 0.010, 0.020),
            (0.80, 0.86, 0.92),
        ),
    },
    regions=head_regions(
        {
            "Caudate": {"K1": 1.05, "k3": 1.05},
            "Putamen": {"K1": 1.10, "k3": 1.05},
            "Thalamus": {"K1": 1.08},
            "OccipitalCortex": {"K1": 1.05, "k3": 1.03},
            "TemporalCortex": {"K1": 0.95, "k3": 0.95},
            "CerebellarCortex": {"K1": 1.05, "k2": 1.15, "k3": 0.75},
            "Brainstem": {"K1": 0.80, "k3": 0.80},
        }
    ),
)

# A nominal reversible tracer, like [11C]PBR28 in high-affinity binders; not a population table. The
# model is that of Fujita et al., NeuroImage 2008 (2TCM, grey-matter VT of a few mL/cm3). The
# numbers are rounded from 2TCM fits to the first hour of the curves that Collste et al., Eur J Nucl
# Med Mol Imaging 2016 published with kinfitr (6 people, 12 scans, grey matter: K1 .10/.14/.28,
# k2 .06/.09/.18, k3 .014/.054/.2, k4 .02/.043/.07, VT 2.3/3.5/8.2), with narrower spreads; so are
# the blood curves. The other tissues are guesses.
_PBR28 = TracerProfile(
    tracer=Tracer.of("C11", name="PBR28"),
    durations=_C11_FRAMES,
    activity=400e6,
    weight=75.0,
    delay=(-8.0, 2.0),
    blood=BloodProfile(
        amplitudes=(456.0, 5.0, 1.5),
        rates=(6.0, 0.40, 0.003),
        arrival=(20.0, 30.0),
        blood_ratio=(0.76, 1.00),
        parent=(0.93, 1.7, 8.5),
    ),
    tissues={
        "grey matter": tissue(
            (0.100, 0.135, 0.190),
            (0.060, 0.088, 0.130),
            (0.030, 0.055, 0.100),
            (0.028, 0.043, 0.065),
            (0.035, 0.050, 0.070),
        ),
        "white matter": tissue(
            (0.045, 0.060, 0.085),
            (0.038, 0.055, 0.080),
            (0.025, 0.045, 0.080),
            (0.028, 0.043, 0.065),
            (0.015, 0.022, 0.032),
        ),
        "muscle": tissue(
            (0.020, 0.035, 0.060),
            (0.04, 0.07, 0.12),
            (0.03, 0.05, 0.09),
            (0.02, 0.035, 0.06),
            (0.01, 0.02, 0.04),
        ),
        "bone": tissue(
            (0.03, 0.05, 0.08),
            (0.04, 0.06, 0.10),
            (0.03, 0.06, 0.10),
            (0.02, 0.035, 0.06),
            (0.02, 0.03, 0.045),
        ),
        "csf": tissue(
            (0.010, 0.015, 0.022),
            (0.03, 0.05, 0.08),
            (0.005, 0.010, 0.020),
            (0.02, 0.04, 0.07),
            (0.01, 0.015, 0.022),
        ),
        "vessel": tissue(
            (0.06, 0.10, 0.15),
            (0.06, 0.09, 0.13),
            (0.05, 0.09, 0.15),
            (0.02, 0.035, 0.06),
            (0.80, 0.86, 0.92),
        ),
    },
    regions=head_regions(
        {
            "Thalamus": {"K1": 1.15, "k3": 1.15},
            "Brainstem": {"K1": 1.02, "k3": 1.20},
            "CerebellarCortex": {"K1": 1.05, "k3": 1.05},
            "Putamen": {"K1": 1.08, "k3": 0.90},
            "Caudate": {"K1": 0.95, "k3": 0.85},
        }
    ),
)

PROFILES: dict[str, TracerProfile] = {"FDG": _FDG, "PBR28": _PBR28, **PAIR_PROFILES}
"""Tracer name to profile: FDG is (nearly) irreversible, PBR28 reversible; then those of pairs."""
