"""Radionuclides as DICOM codes them (PS3.16 CID 4020)."""

from __future__ import annotations

import re

from betaplus.core.tracer import HALF_LIVES

__all__ = ["nuclide_code", "read_nuclide"]

_ELEMENTS = {
    "carbon": "C",
    "nitrogen": "N",
    "oxygen": "O",
    "fluorine": "F",
    "copper": "Cu",
    "gallium": "Ga",
    "rubidium": "Rb",
    "zirconium": "Zr",
    "iodine": "I",
}
_CODES = {
    "C-105A1": "C11",
    "C-107A1": "N13",
    "C-B1038": "O15",
    "C-111A1": "F18",
    "C-127A2": "Cu64",
    "C-131A3": "Ga68",
    "C-159A2": "Rb82",
    "C-168A4": "Zr89",
    "C-135A4": "I124",
}
_SNOMED = {
    "C11": ("40565003", "^11^Carbon"),
    "N13": ("21576001", "^13^Nitrogen"),
    "O15": ("129504001", "^15^Oxygen"),
    "F18": ("77004003", "^18^Fluorine"),
    "Cu62": ("422934004", "^62^Copper"),
    "Cu64": ("3932008", "^64^Copper"),
    "Ga68": ("35337001", "^68^Gallium"),
    "Rb82": ("79197006", "^82^Rubidium"),
    "Zr89": ("63360001", "^89^Zirconium"),
    "I124": ("40937006", "^124^Iodine"),
}
_HALF_LIFE = 0.01  # within this share of a half-life of the table the nuclide is that one


def read_nuclide(
    meaning: str | None, code: str | None, half_life: float | None
) -> tuple[str | None, list[str]]:
    """Return the canonical name of a radionuclide, None where nothing says it, and remarks.

    Args:
        meaning: ``CodeMeaning``, such as ``^18^Fluorine`` or ``F-18``.
        code: ``CodeValue``.
        half_life: Half-life [s], which tells the nuclide where the code does not.
    """
    word = "".join(re.findall(r"[A-Za-z]+", meaning or "")).lower()
    digits = "".join(re.findall(r"\d+", meaning or ""))
    name = f"{_ELEMENTS.get(word, word.capitalize())}{digits}"
    if name in HALF_LIVES:
        return name, []
    if code in _CODES:
        return _CODES[code], []
    if half_life:
        for nuclide, listed in HALF_LIVES.items():
            if abs(half_life / listed - 1.0) < _HALF_LIFE:
                return nuclide, [
                    f"RadionuclideCodeSequence (0054,0300) is {meaning or code or 'missing'}:"
                    f" {nuclide} by its half-life of {half_life:g} s"
                ]
    return None, []


def nuclide_code(name: str) -> tuple[str, str, str]:
    """Return value, scheme and meaning of the code of a radionuclide, as ``F18``."""
    value, meaning = _SNOMED[name]
    return value, "SCT", meaning
