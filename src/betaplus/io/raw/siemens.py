"""What Siemens's raw files of one scanner have in common: headers and the order of planes.

Siemens numbers planes by segments 0, +1, -1, ... whose sign is that of the first detector's ring
minus the second's, for the pair of detectors that `Scanner.pairs` gives: opposite to
`Scanner.michelogram`. That was found on the reference list file: oblique prompts agree with the
image of the direct ones at that sign by 14 standard deviations against the other, one pass of OSEM
reaches a log-likelihood 1453 higher, and single crystals count as their efficiencies say. Ring 0 is
deep in the scanner: of a patient head first it is at the top of the head.
"""

from __future__ import annotations

import math

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.michelogram import Michelogram
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import SCANNERS
from betaplus.io.raw.interfile_header import InterfileHeader

__all__ = ["check_scanner", "find_by_header", "plane_order"]

_SIGN = -1
"""Numbers of Siemens's segments times this are those of `Scanner.michelogram`."""

_CLOSE = 0.01  # of a length: 65.6 cm across and 32.8 cm are both written


def plane_order(michelogram: Michelogram) -> np.ndarray:
    """Return which plane of a michelogram each plane in a Siemens file is, shape (planes,)."""
    by_number = {segment.number: segment for segment in michelogram.segments}
    parts = []
    for segment in michelogram.segments:
        own = by_number[_SIGN * segment.number]
        parts.append(np.arange(own.first, own.first + own.planes))
    return np.concatenate(parts)


def find_by_header(header: InterfileHeader) -> Scanner:
    """Return the scanner that a header describes, with the header's radial bins and differences.

    Raises:
        InputError: If it is none that the project knows.
    """
    rings = header.required_whole("number of rings")
    for scanner in SCANNERS.values():
        if scanner.tof or scanner.rings != rings:
            continue
        radial = header.whole("number of projections") or scanner.radial
        most = header.whole("maximum ring difference")
        most = scanner.max_ring_difference if most is None else most
        if not (1 <= radial < scanner.detectors and 0 <= most < rings):
            continue
        candidate = scanner.replace(radial=radial, max_ring_difference=most)
        if not _differences(header, candidate):
            return candidate
    raise header.wrong(
        f"a geometry of {rings} rings and {header.text('number of views') or '?'} views that is not"
        " known",
        f"expected that of one of {', '.join(n for n, s in SCANNERS.items() if not s.tof)}",
    )


def check_scanner(header: InterfileHeader, scanner: Scanner) -> None:
    """Refuse a header of another scanner.

    Raises:
        InputError: If a number differs.
    """
    differences = _differences(header, scanner)
    if differences:
        name, found, expected = differences[0]
        raise InputError(
            f"{header.path.name} is of another scanner: {name} is {found:g}",
            f"expected {expected:g} as {scanner.name} has",
        )


def _differences(header: InterfileHeader, scanner: Scanner) -> list[tuple[str, float, float]]:
    out = []
    for name, expected in (
        ("number of rings", scanner.rings),
        ("number of views", scanner.views),
        ("number of projections", scanner.radial),
        ("maximum ring difference", scanner.max_ring_difference),
        ("number of tof time bins", scanner.tof_bins),
        ("distance between rings (cm)", scanner.ring_pitch / 10.0),
        ("gantry crystal radius (cm)", scanner.radius / 10.0),
    ):
        found = header.number(name)
        if found is None:
            continue
        close = _CLOSE if name.endswith("(cm)") else 0.0
        if not math.isclose(found, expected, rel_tol=close):
            out.append((name, found, float(expected)))
    return out
