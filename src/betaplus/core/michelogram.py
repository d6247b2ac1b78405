"""Which pairs of rings make up the planes of a 3-D sinogram.

Segments are groups of ring differences, `span` wide; in the order 0, +1, -1, +2, -2, ... A plane of
a segment collects all pairs whose rings add up to the same (Defrise, Townsend and Clack, Phys Med
Biol 1989, 34:573-587; Fahey, J Nucl Med Technol 2002, 30:39-49).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from betaplus.core.errors import UsageError

__all__ = ["Michelogram", "Segment"]


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Planes of like obliqueness.

    Attributes:
        number: 0, 1, -1, 2, -2, ...
        lowest: Least ring difference, second ring minus first.
        highest: Largest.
        first: Index of its first plane in the sinogram.
        planes: How many it has.
        start: Sum of the two rings in its first plane.
        step: By which that grows from plane to plane: 2 for a single ring difference, else 1.
    """

    number: int
    lowest: int
    highest: int
    first: int
    planes: int
    start: int
    step: int

    @property
    def mean_difference(self) -> float:
        """Ring difference that its lines of response are drawn with."""
        return 0.5 * (self.lowest + self.highest)

    @property
    def slice(self) -> slice:
        """Its planes in the sinogram."""
        return slice(self.first, self.first + self.planes)


@dataclass(frozen=True)
class Michelogram:
    """Segments and planes of a scanner with axial compression.

    Args:
        rings: Rings of the scanner.
        span: Ring differences in a segment; odd; 1 is no compression.
        max_ring_difference: Largest ring difference that is kept.

    Raises:
        UsageError: If the numbers do not go together.
    """

    rings: int
    span: int
    max_ring_difference: int
    segments: tuple[Segment, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.rings < 1:
            raise UsageError(f"{self.rings} rings", "expected 1 or more")
        if self.span < 1 or self.span % 2 == 0:
            raise UsageError(f"span {self.span}", "expected an odd number: 1, 3, 5, ...")
        if not 0 <= self.max_ring_difference < self.rings:
            raise UsageError(
                f"a ring difference of {self.max_ring_difference} on {self.rings} rings",
                f"expected 0 to {self.rings - 1}",
            )
        half, most = self.span // 2, self.max_ring_difference
        numbers = [0]
        for n in range(1, (most + half) // self.span + 1):
            numbers += [n, -n]
        segments: list[Segment] = []
        first = 0
        for n in numbers:
            low = max(n * self.span - half, -most)
            high = min(n * self.span + half, most)
            nearest = 0 if n == 0 else min(abs(low), abs(high))
            step = 2 if low == high else 1
            planes = (2 * (self.rings - 1 - nearest)) // step + 1
            segments.append(
                Segment(
                    number=n, lowest=low, highest=high, first=first, planes=planes,
                    start=nearest, step=step,
                )
            )  # fmt: skip
            first += planes
        object.__setattr__(self, "segments", tuple(segments))

    @property
    def planes(self) -> int:
        """Planes of the sinogram."""
        last = self.segments[-1]
        return last.first + last.planes

    @cached_property
    def plane_of_pair(self) -> np.ndarray:
        """Plane of each pair of rings, shape (rings, rings), int32; -1 where it is left out."""
        one, two = np.meshgrid(np.arange(self.rings), np.arange(self.rings), indexing="ij")
        table = np.full((self.rings, self.rings), -1, dtype=np.int32)
        for s in self.segments:
            inside = (two - one >= s.lowest) & (two - one <= s.highest)
            table[inside] = s.first + (one + two - s.start)[inside] // s.step
        return table

    @cached_property
    def multiplicity(self) -> np.ndarray:
        """Pairs of rings in each plane, shape (planes,)."""
        plane = self.plane_of_pair
        return np.bincount(plane[plane >= 0], minlength=self.planes)

    @cached_property
    def midpoints(self) -> np.ndarray:
        """Where each plane's lines of response cross the axis, in rings from the first one."""
        parts = [0.5 * (s.start + s.step * np.arange(s.planes)) for s in self.segments]
        return np.concatenate(parts)

    @cached_property
    def pairs(self) -> np.ndarray:
        """All pairs of rings that are kept, shape (pairs, 2), by plane."""
        plane = self.plane_of_pair
        one, two = np.nonzero(plane >= 0)
        order = np.argsort(plane[one, two], kind="stable")
        return np.stack([one[order], two[order]], axis=1)
