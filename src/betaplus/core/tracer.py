"""Radionuclides and their half-lives.

Half-lives are the evaluated ones of the Decay Data Evaluation Project (LNE-LNHB/CEA, Monographie
BIPM-5); a half-life given in a sidecar takes precedence over the table.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from betaplus.core.errors import InputError

__all__ = ["HALF_LIVES", "Tracer", "radionuclide_name"]

HALF_LIVES = {
    "C11": 1221.66,
    "N13": 598.02,
    "O15": 122.46,
    "F18": 6584.04,
    "Cu62": 580.2,
    "Cu64": 45721.4,
    "Ga68": 4069.8,
    "Rb82": 75.45,
    "Zr89": 282280.0,
    "I124": 360806.4,
}
"""Half-lives [s]."""


def radionuclide_name(text: object, where: str) -> str:
    """Return the canonical name (``F18``) of a radionuclide spelled ``18F``, ``F-18``, ``[18F]``.

    Raises:
        InputError: If the name is not one of `HALF_LIVES`.
    """
    letters = "".join(re.findall(r"[A-Za-z]+", str(text)))
    digits = "".join(re.findall(r"\d+", str(text)))
    name = f"{letters.capitalize()}{digits}"
    if name not in HALF_LIVES:
        raise InputError(
            f"radionuclide {text!r} in {where} is unknown",
            f"expected one of {', '.join(HALF_LIVES)}",
            "correct the field or give --radionuclide",
        )
    return name


@dataclass(frozen=True, kw_only=True)
class Tracer:
    """What was injected, as far as the physics cares.

    Attributes:
        radionuclide: Canonical name, for example ``F18``.
        half_life: Half-life [s].
        name: Name of the tracer, for labels only.
    """

    radionuclide: str
    half_life: float
    name: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.half_life) and self.half_life > 0):
            raise InputError(f"half-life {self.half_life} s", "expected a positive number")

    @classmethod
    def of(cls, radionuclide: str, half_life: float | None = None, name: str = "") -> Tracer:
        """Make a tracer from a radionuclide; the half-life comes from the table if not given."""
        nuclide = radionuclide_name(radionuclide, "radionuclide")
        return cls(
            radionuclide=nuclide,
            half_life=HALF_LIVES[nuclide] if half_life is None else float(half_life),
            name=name,
        )

    @property
    def decay_constant(self) -> float:
        """Decay constant [1/s]."""
        return math.log(2.0) / self.half_life
