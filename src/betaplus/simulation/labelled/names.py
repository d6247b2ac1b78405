"""Which region of the phantoms a user's name means."""

from __future__ import annotations

from betaplus.simulation.labelled.freesurfer import REGION_OF
from betaplus.simulation.labelled.totalsegmentator import region_of_class
from betaplus.simulation.uptake.regions import REGIONS

__all__ = ["AIR", "region_of"]

AIR = ""
"""Region of a name that means nothing is there."""

_AIR = {"background", "air", "unknown", "clear label", "exterior"}
_OURS = {name.lower(): name for name in REGIONS}
_FREESURFER = {name.lower(): region for name, region in REGION_OF.items()}


def region_of(name: str) -> str | None:
    """Return the region that a name means; None if it is not known.

    Known are the phantoms' own names, FreeSurfer's and TotalSegmentator's; upper and lower case
    are alike. "air" and "background" are `AIR`.
    """
    plain = name.strip().lower().rstrip("*")
    if plain in _AIR:
        return AIR
    return _OURS.get(plain) or _FREESURFER.get(plain) or region_of_class(plain.replace(" ", "_"))
