"""When each slice of a body is measured, and how many counts that gives.

``dynamic``: one bed position for an hour, 35 frames: 12 x 5 s, 4 x 15 s, 6 x 60 s, 3 x 120 s,
2 x 180 s, 8 x 300 s. ``passes``: 6 passes over 5 bed positions of 45 s from 10 to 70 min, feet
first (after Karakatsanis et al., Phys Med Biol 2013, 58:7391, who had 6 passes of 45 s).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import QUADRA
from betaplus.simulation.uptake.fdg import FDG

__all__ = ["BEDS", "DYNAMIC", "PASSES", "PROTOCOLS", "Protocol", "count_share", "find_protocol"]

BEDS: ScanStyle = QUADRA.replace(name="Vision", counts=0.55 * QUADRA.counts)
"""A quarter as long as Quadra: the same detectors and acceptance, and bed positions that overlap by
half, each slice's sensitivity about 0.55 of that in the middle (nominal)."""

_BEDS, _PASSES = 5, 6


@dataclass(frozen=True, eq=False, kw_only=True)
class Protocol:
    """Frames, or passes, of a scan.

    Attributes:
        name: Of the protocol.
        start: Frame starts in each bed position from the feet up, shape (T, beds) [s].
        duration: Frame durations, likewise [s].
        t_star: When the Patlak model begins to hold [s].
        style: Scanner and reconstruction.
    """

    name: str
    start: np.ndarray
    duration: np.ndarray
    t_star: float
    style: ScanStyle

    def __len__(self) -> int:
        return len(self.start)

    @property
    def key(self) -> object:
        """What two protocols have in common that are the same."""
        return self.start.shape, self.start.tobytes(), self.duration.tobytes(), self.style

    @property
    def end(self) -> float:
        """End of the last frame [s]."""
        return float((self.start + self.duration).max())

    def timing(self, bed: int) -> FrameTiming:
        """Return the frames of a bed position."""
        return FrameTiming(start=self.start[:, bed], duration=self.duration[:, bed])

    def beds(self, slices: int) -> np.ndarray:
        """Return the bed position of each slice of a whole body from the feet up, shape (Z,)."""
        count = self.start.shape[1]
        return np.minimum(np.arange(slices) * count // max(slices, 1), count - 1)

    def late(self) -> Protocol:
        """Return the frames from t* on in all beds.

        Raises:
            UsageError: If there are fewer than two.
        """
        keep = (self.start >= self.t_star).all(axis=1)
        if keep.sum() < 2:
            raise UsageError(
                f"{int(keep.sum())} frames after t* = {self.t_star:g} s", "expected at least 2"
            )
        return Protocol(
            name=self.name,
            start=self.start[keep],
            duration=self.duration[keep],
            t_star=self.t_star,
            style=self.style,
        )


def count_share(timing: FrameTiming, half_life: float) -> np.ndarray:
    """Return the decays of each frame over those of the static scan, shape (T,).

    A `ScanStyle` holds the counts of a static scan of FDG: 10 minutes from an hour after injection
    on. At the same decay-corrected activity, counts go with duration over decay correction.
    """
    one = FDG.frames
    static = one.duration / one.decay_factors(half_life)
    return np.asarray(timing.duration / timing.decay_factors(half_life) / static[0])


def _dynamic() -> Protocol:
    blocks = ((12, 5.0), (4, 15.0), (6, 60.0), (3, 120.0), (2, 180.0), (8, 300.0))
    frames = FrameTiming.from_durations([d for n, d in blocks for _ in range(n)])
    return Protocol(
        name="dynamic",
        start=frames.start[:, None],
        duration=frames.duration[:, None],
        t_star=1200.0,
        style=QUADRA,
    )


def _passes(first: float = 600.0, last: float = 4200.0, bed: float = 45.0) -> Protocol:
    begin = np.linspace(first, last - _BEDS * bed, _PASSES)
    start = begin[:, None] + bed * np.arange(_BEDS)
    return Protocol(
        name="passes",
        start=start,
        duration=np.full_like(start, bed),
        t_star=first,
        style=BEDS,
    )


DYNAMIC = _dynamic()
PASSES = _passes()
PROTOCOLS: Mapping[str, Protocol] = {p.name: p for p in (DYNAMIC, PASSES)}
"""Name to protocol."""


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"protocol {name!r} is unknown", f"expected {' or '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
