"""How a scanner measures and reconstructs, as far as an image tells."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from betaplus.core.errors import UsageError

__all__ = ["ScanStyle"]


@dataclass(frozen=True, kw_only=True)
class ScanStyle:
    """A scanner, its counts at full dose, and its reconstruction.

    Attributes:
        name: Of the style.
        counts: Trues for an SUV of 1 in 1 mL, before attenuation, at full dose: sensitivity times
            scan time times activity; in the middle of the bed.
        resolution: Of the mean image before the filter, full width at half maximum [mm].
        updates: Sub-iterations of OSEM: iterations times subsets.
        filter: Gaussian filter after reconstruction, full width at half maximum [mm].
        psf: Resolution that the reconstruction models, full width at half maximum [mm]; 0 is none.
        tof: Time of flight along the line, full width at half maximum [mm]; 0 is none.
        scatter: Scatter fraction: scatter over trues and scatter.
        randoms: Randoms over all prompts, at full dose; they are lowered with the other counts.
        acceptance: Tangent of the largest angle between a line and the transaxial plane.
        radius: Of the ring of detectors [mm].
        fov: Radius within which lines are counted [mm].
        axial_length: Of one bed position [mm], whose ends are measured less; None where beds
            overlap or the scanner is longer than what is of interest.
        oblique: Share of lines that are interpolated between slices by the projector.
        gain: Factor on the standard deviation that the theory gives.
    """

    name: str
    counts: float
    resolution: float
    updates: int
    filter: float = 0.0
    psf: float = 0.0
    tof: float = 0.0
    scatter: float = 0.35
    randoms: float = 0.4
    acceptance: float = 0.1
    radius: float = 410.0
    fov: float = 350.0
    axial_length: float | None = None
    oblique: float = 0.8
    gain: float = 1.0

    def __post_init__(self) -> None:
        ranges = {
            "counts": (1e-3, 1e12), "resolution": (0.0, 30.0), "updates": (1, 10_000),
            "filter": (0.0, 100.0), "psf": (0.0, 30.0), "tof": (0.0, 1000.0),
            "scatter": (0.0, 0.95), "randoms": (0.0, 0.95), "acceptance": (0.0, 2.0),
            "radius": (50.0, 1000.0), "fov": (10.0, 1000.0), "axial_length": (1.0, 3000.0),
            "oblique": (0.0, 1.0), "gain": (0.0, 100.0),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value is None and name == "axial_length":
                continue
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(
                    f"scan style {self.name}: {name} of {value:g}",
                    f"expected {low:g} to {high:g}",
                )

    def replace(self, **changes: object) -> ScanStyle:
        """Return the same style with other fields."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]
