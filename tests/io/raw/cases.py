"""A scanner small enough for files made in a test, and files made without the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.scanner import Scanner
from betaplus.core.scanners import SCANNERS

MMR = SCANNERS["mMR"]
TINY = Scanner(
    name="tiny",
    rings=5,
    ring_pitch=4.0,
    detectors=36,
    radius=60.0,
    depth=5.0,
    block=8,
    gap=1,
    radial=15,
    span=3,
    max_ring_difference=4,
)
"""Not in SCANNERS: its headers cannot say that crystals are missing."""

NO_GAPS = TINY.replace(block=9, gap=0)

LIST_HEADER = """!INTERFILE:=
%SMS-MI header name space:=PETLINK bin address
name of data file := {name}
%study date (yyyy:mm:dd):=2017:03:27
%study time (hh:mm:ss GMT+00:00):=17:00:35
isotope name:=F-18
isotope gamma halflife (sec):=6586.2
radiopharmaceutical:=FDG
%tracer injection date (yyyy:mm:dd):=2017:03:27
%tracer injection time (hh:mm:ss GMT+00:00):=16:07:00
number of rings:={rings}
distance between rings (cm):=0.40625
gantry crystal radius (cm):=32.8
%number of TOF time bins:=1
%LM event and tag words format (bits):=32
%timing tagwords interval (msec):=1
%axial compression:={span}
%maximum ring difference:=60
%number of projections:=344
%number of views:=252
%segment table:={table}
image duration (sec):={duration}
%total listmode word counts:={count}
"""
SPAN_1 = "{64" + "".join(f",{64 - d},{64 - d}" for d in range(1, 61)) + "}"


def word(prompt: bool, radial: int, view: int, plane: int, scanner: Scanner = MMR) -> int:
    """An event as PETLINK has it."""
    return (1 << 30 if prompt else 0) | radial + scanner.radial * (view + scanner.views * plane)


def tag(milliseconds: int) -> int:
    """A time tag."""
    return 1 << 31 | milliseconds


def list_file(path: Path, words: list[int], header: bool = True, **changes: object) -> Path:
    """Write a list file of the mMR, and its header."""
    np.array(words, dtype="<u4").tofile(path)
    fields: dict[str, object] = {
        "name": path.name,
        "rings": 64,
        "span": 1,
        "table": SPAN_1,
        "duration": 0.002,
        "count": len(words),
    }
    if header:
        text = LIST_HEADER.format(**(fields | changes))
        path.with_name(path.name + ".hdr").write_bytes(text.replace("\n", "\r\n").encode())
    return path


def brute_planes(rings: int, span: int, most: int) -> dict[tuple[int, int], tuple[int, int]]:
    """Segment and axial position of each pair of rings, counted out one by one."""
    out: dict[tuple[int, int], tuple[int, int]] = {}
    for a in range(rings):
        for b in range(rings):
            d = b - a
            if abs(d) > most:
                continue
            segment = int(np.sign(d)) * ((abs(d) + span // 2) // span)
            out[a, b] = segment, a + b
    for segment in {s for s, _ in out.values()}:
        sums = sorted({n for s, n in out.values() if s == segment})
        for pair, (s, n) in list(out.items()):
            if s == segment:
                out[pair] = s, sums.index(n)
    return out
