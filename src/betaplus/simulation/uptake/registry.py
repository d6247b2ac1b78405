"""Tracers that an image can be painted with."""

from __future__ import annotations

from betaplus.core.errors import UsageError
from betaplus.simulation.uptake.brain_tracers import AMYLOID, DPA714, FMZ, RACLOPRIDE
from betaplus.simulation.uptake.dotatate import DOTATATE
from betaplus.simulation.uptake.fdg import FDG
from betaplus.simulation.uptake.profile import UptakeProfile
from betaplus.simulation.uptake.psma import PSMA

__all__ = ["UPTAKE", "find_uptake"]

UPTAKE: dict[str, UptakeProfile] = {
    "FDG": FDG,
    "DPA-714": DPA714,
    "amyloid": AMYLOID,
    "PSMA": PSMA,
    "DOTATATE": DOTATATE,
    "FMZ": FMZ,
    "raclopride": RACLOPRIDE,
}
"""Tracer name to profile."""


def find_uptake(name: str) -> UptakeProfile:
    """Return the profile of a tracer; case and hyphens do not matter.

    Raises:
        UsageError: If there is none of that name.
    """
    found = {_plain(key): profile for key, profile in UPTAKE.items()}.get(_plain(name))
    if found is None:
        raise UsageError(f"tracer {name!r} is unknown", f"expected one of {', '.join(UPTAKE)}")
    return found


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
