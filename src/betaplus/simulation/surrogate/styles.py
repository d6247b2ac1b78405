"""Scan styles by name, calibrated to real scans.

What the scanners have is as published: time of flight of 228 ps (34 mm), rings of 410 mm, ring
differences up to 85 of 3.29 mm (Quadra: Prenosil et al., J Nucl Med 2022, 63:476-484); 505 ps
(76 mm) and rings of 393 mm (uEXPLORER: Spencer et al., J Nucl Med 2021, 62:861-870). Scatter,
randoms and uEXPLORER's acceptance are nominal.

What the scans of the day add - counts, sub-iterations, modelled and remaining resolution - was
fitted to medians over 1,371 subjects (`betaplus.pipeline.benchmark.surrogate.real`): effective
values, of which several combinations do as well. Median over simulated bodies, over the real one,
at dose reduction factors of 100, 50, 20, 10, 4 and at full dose:

========== =============== ==== ==== ==== ==== ==== ====
scanner    bodies           100   50   20   10    4 full
========== =============== ==== ==== ==== ==== ==== ====
Quadra     fitted (0-3)    0.93 0.97 0.99 0.98 0.96 0.97
Quadra     others (4-7)    0.94 0.96 0.99 1.00 1.00 1.02
uEXPLORER  fitted (0-3)    0.92 1.04 1.08 1.06 1.03 1.02
uEXPLORER  others (4-7)    0.95 1.07 1.14 1.13 1.11 1.09
========== =============== ==== ==== ==== ==== ==== ====
"""

from __future__ import annotations

from betaplus.core.errors import UsageError
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["QUADRA", "STYLES", "UEXPLORER", "find_style"]

QUADRA = ScanStyle(
    name="Quadra",
    counts=2.2e5,
    resolution=2.0,
    updates=40,
    filter=3.0,
    psf=2.5,
    tof=34.2,
    acceptance=0.34,
    scatter=0.35,
    randoms=0.3,
)
"""Biograph Vision Quadra."""

UEXPLORER = ScanStyle(
    name="uEXPLORER",
    counts=3.6e5,
    resolution=2.5,
    updates=40,
    psf=3.5,
    tof=75.7,
    acceptance=0.5,
    radius=393.0,
    scatter=0.35,
    randoms=0.4,
)
"""United Imaging uEXPLORER."""

STYLES = {style.name: style for style in (QUADRA, UEXPLORER)}
"""Name to style."""


def find_style(name: str) -> ScanStyle:
    """Return a style by its name, however it is spelled.

    Raises:
        UsageError: If there is none of that name.
    """
    wanted = "".join(filter(str.isalnum, name)).lower()
    for key, style in STYLES.items():
        if key.lower() == wanted:
            return style
    raise UsageError(f"scan style {name!r} is unknown", f"expected one of {', '.join(STYLES)}")
