"""Scanners as STIR's Interfile headers describe them.

A header names the crystals of a block but not which of them are missing: that is taken from the
scanner of the same name where the project knows it (`SCANNERS`), else none is.
"""

from __future__ import annotations

import math

from betaplus.core.errors import UsageError
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import SCANNERS
from betaplus.io.raw.interfile_header import InterfileHeader

__all__ = ["scanner_fields", "scanner_of"]

_COUNTS = {"rings": "number of rings", "detectors": "number of detectors per ring"}
_LENGTHS = {  # centimetres in the header
    "ring_pitch": "distance between rings (cm)",
    "radius": "inner ring diameter (cm)",
    "depth": "average depth of interaction (cm)",
}
_BLOCK = "number of crystals per block in transaxial direction"
_CLOSE = 1e-3


def scanner_of(
    header: InterfileHeader, radial: int, span: int, max_ring_difference: int
) -> tuple[Scanner, list[str]]:
    """Return the scanner of a header of projection data, and remarks.

    Args:
        header: The header.
        radial: Tangential positions of the data.
        span: Of the data.
        max_ring_difference: Of the data.

    Raises:
        InputError: If the header describes no scanner, or one that cannot be.
    """
    name = header.text("scanner type", "originating system") or "unknown"
    known = _known(name)
    binning = {"radial": radial, "span": span, "max_ring_difference": max_ring_difference}
    found: dict[str, float] = {}
    for field, key in {**_COUNTS, **_LENGTHS}.items():
        value = header.whole(key) if field in _COUNTS else header.number(key)
        if value is not None:
            factor = 1.0 if field in _COUNTS else 5.0 if field == "radius" else 10.0
            found[field] = value * factor
    missing = [key for field, key in {**_COUNTS, **_LENGTHS}.items() if field not in found]
    block = header.whole(_BLOCK)
    if missing and known is None:
        raise header.wrong(
            f"{', '.join(repr(key) for key in missing)} missing and scanner {name!r} not known",
            f"expected all scanner parameters, or one of {', '.join(SCANNERS)}",
        )
    offset = header.number("view offset (degrees)") or 0.0
    if abs(offset) > 1e-3:
        raise header.wrong(f"a view offset of {offset:g} degrees", "expected 0")
    try:
        if known is not None and _same(known, found, block):
            return known.replace(**binning), []
        remarks = []
        if known is not None:
            remarks.append(
                f"the geometry in {header.path.name} is not that of {known.name} here: used as the"
                " header says, without missing crystals"
            )
        detectors = int(found.get("detectors", 0)) or 1
        return (
            Scanner(
                name=name,
                rings=int(found.get("rings", 0)),
                detectors=detectors,
                ring_pitch=found.get("ring_pitch", math.nan),
                radius=found.get("radius", math.nan),
                depth=found.get("depth", math.nan),
                block=block or detectors,
                gap=0,
                **binning,
            ),
            remarks,
        )
    except UsageError as error:
        raise header.wrong(error.found, error.expected) from error


def scanner_fields(scanner: Scanner) -> list[tuple[str, object]]:
    """Return a scanner as fields of a header."""
    return [
        ("Scanner type", scanner.name),
        ("Number of rings", scanner.rings),
        ("Number of detectors per ring", scanner.detectors),
        ("Inner ring diameter (cm)", repr(scanner.radius / 5.0)),
        ("Average depth of interaction (cm)", repr(scanner.depth / 10.0)),
        ("Distance between rings (cm)", repr(scanner.ring_pitch / 10.0)),
        ("Default bin size (cm)", repr(scanner.bin_width / 10.0)),
        ("View offset (degrees)", 0),
        ("Maximum number of non-arc-corrected bins", scanner.radial),
        ("Default number of arc-corrected bins", scanner.radial),
        ("Number of blocks per bucket in transaxial direction", 1),
        ("Number of blocks per bucket in axial direction", 1),
        ("Number of crystals per block in axial direction", 1),
        ("Number of crystals per block in transaxial direction", scanner.block + scanner.gap),
        ("Number of detector layers", 1),
        ("Number of crystals per singles unit in axial direction", 1),
        ("Number of crystals per singles unit in transaxial direction", 1),
    ]


def _known(name: str) -> Scanner | None:
    """Return the scanner whose name a text ends with, without its maker: ``Siemens mMR``."""
    plain = "".join(filter(str.isalnum, name)).lower()
    for key, scanner in SCANNERS.items():
        if plain.endswith(key.lower()):
            return scanner
    return None


def _same(known: Scanner, found: dict[str, float], block: int | None) -> bool:
    if block is not None and block not in (known.block + known.gap, 1):
        return False
    return all(
        math.isclose(value, getattr(known, field), rel_tol=_CLOSE if field in _LENGTHS else 0.0)
        for field, value in found.items()
    )
