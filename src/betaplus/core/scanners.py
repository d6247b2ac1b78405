"""Scanners by name.

Geometries as published: mMR from Delso et al., J Nucl Med 2011, 52:1914-1922; Vision 600 from van
Sluis et al., J Nucl Med 2019, 60:1031-1036; Quadra from Prenosil et al., J Nucl Med 2022,
63:476-484. The teaching scanner is made up: a short brain scanner that a laptop reconstructs in
seconds.
"""

from __future__ import annotations

from betaplus.core.errors import UsageError
from betaplus.core.scanner import Scanner

__all__ = ["SCANNERS", "find_scanner"]

_VISION = Scanner(
    name="Vision600",
    rings=80,
    ring_pitch=3.29,
    detectors=798,
    radius=410.0,
    depth=6.7,
    block=20,
    gap=1,
    radial=520,
    span=1,
    max_ring_difference=79,
    tof_bins=33,
    tof_width=143.2,
    tof_resolution=214.0,
    resolution=3.7,
)

SCANNERS = {
    "mMR": Scanner(
        name="mMR",
        rings=64,
        ring_pitch=4.0625,
        detectors=504,
        radius=328.0,
        depth=7.0,
        block=8,
        gap=1,
        radial=344,
        span=11,
        max_ring_difference=60,
        resolution=4.4,
    ),
    "Vision600": _VISION,
    "Quadra": _VISION.replace(
        name="Quadra", rings=322, max_ring_difference=85, tof_resolution=228.0
    ),
    "teaching": Scanner(
        name="teaching",
        rings=8,
        ring_pitch=4.0,
        detectors=324,
        radius=200.0,
        depth=7.0,
        block=8,
        gap=1,
        radial=144,
        span=3,
        max_ring_difference=7,
        resolution=4.5,
    ),
}
"""Name to scanner."""


def find_scanner(name: str) -> Scanner:
    """Return a scanner by its name, however it is spelled.

    Raises:
        UsageError: If there is none of that name.
    """
    wanted = "".join(filter(str.isalnum, name)).lower()
    for key, scanner in SCANNERS.items():
        if key.lower() == wanted:
            return scanner
    raise UsageError(f"scanner {name!r} is unknown", f"expected one of {', '.join(SCANNERS)}")
