"""PET scanners: rings of detectors, and the sinograms that they fill.

The scanner's own axes, 0 at its centre: x to the right of who looks into the bore over the bed, y
down, z from ring 0 out to the bed. Of a patient who lies head first and supine, x points left, y to
the back and z to the feet.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.michelogram import Michelogram

__all__ = ["SPEED_OF_LIGHT", "Scanner"]

SPEED_OF_LIGHT = 0.299792458
"""[mm/ps]"""

_FWHM = math.sqrt(8.0 * math.log(2.0))


@dataclass(frozen=True, kw_only=True)
class Scanner:
    """A cylindrical scanner and how its data are binned.

    Detectors are numbered around the ring, gaps between blocks included, as if there was one more
    crystal. Bin (view v, radial r) of a sinogram is the pair of `pairs`, with t = r - radial // 2.

    Attributes:
        name: Of the scanner.
        rings: Rings of crystals.
        ring_pitch: Distance between rings [mm].
        detectors: In a ring, gaps counted.
        radius: Of the inner surface of the crystals [mm].
        depth: Mean depth of interaction in them [mm].
        block: Crystals of a block around the ring.
        gap: Missing crystals before each block.
        radial: Radial bins of the sinogram.
        span: Axial compression.
        max_ring_difference: Largest difference of rings that is kept.
        tof_bins: Bins of time of flight; 1 is none.
        tof_width: Width of one [ps].
        tof_resolution: Full width at half maximum of the time difference [ps].
        resolution: Of an image at the centre, full width at half maximum [mm].
    """

    name: str
    rings: int
    ring_pitch: float
    detectors: int
    radius: float
    depth: float
    block: int
    gap: int
    radial: int
    span: int
    max_ring_difference: int
    tof_bins: int = 1
    tof_width: float = 0.0
    tof_resolution: float = 0.0
    resolution: float = 4.5

    def __post_init__(self) -> None:
        for name in ("ring_pitch", "radius", "resolution"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise self._wrong(f"{name} of {value:g} mm", "a length above 0")
        if not 0.0 <= self.depth < 50.0:
            raise self._wrong(f"depth of {self.depth:g} mm", "0 to 50 mm")
        if self.detectors < 8 or self.detectors % 2:
            raise self._wrong(f"{self.detectors} detectors in a ring", "an even number from 8")
        if self.block < 1 or self.gap < 0 or self.detectors % (self.block + self.gap):
            raise self._wrong(
                f"blocks of {self.block} crystals and {self.gap} missing",
                f"a divisor of the {self.detectors} detectors",
            )
        if not 1 <= self.radial < self.detectors:
            raise self._wrong(f"{self.radial} radial bins", f"1 to {self.detectors - 1}")
        pitch = 2.0 * math.pi * self.radius / self.detectors
        if not 0.3 <= pitch <= 30.0:
            raise self._wrong(
                f"crystals {pitch:.2g} mm apart ({self.detectors} at a radius of {self.radius:g}"
                " mm)",
                "0.3 to 30 mm",
            )
        if not 0.3 <= self.ring_pitch <= 30.0:
            raise self._wrong(f"rings {self.ring_pitch:g} mm apart", "0.3 to 30 mm")
        if self.tof_bins < 1 or self.tof_bins % 2 == 0:
            raise self._wrong(f"{self.tof_bins} bins of time of flight", "an odd number; 1 is none")
        if self.tof_bins > 1 and not (
            1.0 <= self.tof_width <= 1e4 and 10.0 <= self.tof_resolution <= 1e4
        ):
            raise self._wrong(
                f"bins of {self.tof_width:g} ps with a resolution of {self.tof_resolution:g} ps",
                "widths from 1 and resolutions from 10 ps",
            )
        _ = self.michelogram

    def _wrong(self, found: str, expected: str) -> UsageError:
        return UsageError(f"scanner {self.name}: {found}", f"expected {expected}")

    def replace(self, **changes: object) -> Scanner:
        """Return the same scanner with other fields."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    @cached_property
    def michelogram(self) -> Michelogram:
        """Its planes."""
        return Michelogram(self.rings, self.span, self.max_ring_difference)

    @property
    def views(self) -> int:
        """Views of the sinogram."""
        return self.detectors // 2

    @property
    def planes(self) -> int:
        """Planes of the sinogram."""
        return self.michelogram.planes

    @property
    def tof(self) -> bool:
        """Whether data have time of flight."""
        return self.tof_bins > 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a sinogram: (view, radial, plane) or (view, radial, plane, TOF)."""
        flat = (self.views, self.radial, self.planes)
        return (*flat, self.tof_bins) if self.tof else flat

    @property
    def effective_radius(self) -> float:
        """Radius at which photons are taken to be stopped [mm]."""
        return self.radius + self.depth

    @property
    def axial_length(self) -> float:
        """Of the field of view [mm]."""
        return self.rings * self.ring_pitch

    @property
    def fov_radius(self) -> float:
        """Radius of the circle that every view covers [mm]."""
        return self.effective_radius * math.sin(math.pi * (self.radial // 2 - 1) / self.detectors)

    @property
    def bin_width(self) -> float:
        """Distance between radial bins at the centre [mm]."""
        return math.pi * self.effective_radius / self.detectors

    @property
    def tof_bin(self) -> float:
        """Width of a bin of time of flight along the line [mm]."""
        return 0.5 * SPEED_OF_LIGHT * self.tof_width

    @property
    def tof_sigma(self) -> float:
        """Standard deviation of the place along the line [mm]."""
        return 0.5 * SPEED_OF_LIGHT * self.tof_resolution / _FWHM

    @cached_property
    def pairs(self) -> np.ndarray:
        """Detectors of each bin, shape (views, radial, 2), int32."""
        v = np.arange(self.views)[:, None]
        t = np.arange(self.radial)[None, :] - self.radial // 2
        one = (v + t // 2) % self.detectors
        two = (v - -(-t // 2) + self.detectors // 2) % self.detectors
        return np.stack([one, two], axis=-1).astype(np.int32)

    @cached_property
    def detector_xy(self) -> np.ndarray:
        """Where detectors are, shape (detectors, 2) [mm]."""
        angle = 2.0 * np.pi * np.arange(self.detectors) / self.detectors
        return self.effective_radius * np.stack([np.sin(angle), -np.cos(angle)], axis=1)

    @cached_property
    def ring_z(self) -> np.ndarray:
        """Where rings are, shape (rings,) [mm]."""
        return (np.arange(self.rings) - 0.5 * (self.rings - 1)) * self.ring_pitch

    @cached_property
    def is_gap(self) -> np.ndarray:
        """Which detectors of a ring are missing, shape (detectors,)."""
        return np.arange(self.detectors) % (self.block + self.gap) < self.gap

    @cached_property
    def live(self) -> np.ndarray:
        """Which bins have two crystals, shape (views, radial)."""
        return ~self.is_gap[self.pairs].any(-1)
