"""Scans that no denoiser was trained on: bodies, scanners, tracers, doses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import StaticScan, draw_static, make_anatomy
from betaplus.simulation.surrogate.style import ScanStyle
from betaplus.simulation.surrogate.styles import QUADRA, UEXPLORER
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["DOSES", "FIRST_TUNING", "SHORT", "Group", "Scan", "groups", "make_scan", "make_scans"]

DOSES = (1 / 4, 1 / 10, 1 / 20, 1 / 50, 1 / 100)
"""Doses that are judged; no training saw one near 1/50."""

FIRST_TUNING = FIRST_TEST - 1000
"""Anatomies from this number on, below `FIRST_TEST`, are what baselines are tuned on."""

SHORT = ScanStyle(
    name="short",
    counts=2.5e4,
    resolution=4.5,
    updates=42,
    filter=5.0,
    acceptance=0.1,
    radius=440.0,
    scatter=0.35,
    randoms=0.4,
)
"""An older scanner with a short field of view, bed by bed, without time of flight or a model of the
resolution: a ninth of Quadra's counts (all values nominal)."""

_BODY = 1e-3  # 1/mm: what attenuates is body


@dataclass(frozen=True, kw_only=True)
class Group:
    """Scans of a kind.

    Attributes:
        name: ``usual``, or what of it no training saw.
        style: Scanner and reconstruction.
        tracer: The tracer.
    """

    name: str
    style: ScanStyle
    tracer: str


def groups() -> tuple[Group, ...]:
    """Return the kinds of scans that are judged."""
    return (
        Group(name="usual", style=QUADRA, tracer="FDG"),
        Group(name="usual PSMA", style=QUADRA, tracer="PSMA"),
        Group(name="held-out scanner", style=UEXPLORER, tracer="FDG"),
        Group(name="held-out tracer", style=QUADRA, tracer="DOTATATE"),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Scan:
    """A body in a scanner.

    Attributes:
        group: The kind.
        person: Number of the anatomy.
        scan: Activity and phantom.
        surrogate: Makes its images.
    """

    group: Group
    person: int
    scan: StaticScan
    surrogate: Surrogate

    @property
    def voxel(self) -> tuple[float, float, float]:
        """Voxel edges [mm]."""
        x, y, z = self.scan.phantom.voxel_size
        return float(x), float(y), float(z)

    @cached_property
    def reference(self) -> np.ndarray:
        """The same reconstruction of data without noise, (X, Y, Z) [SUV]."""
        return self.surrogate.mean_image()

    @cached_property
    def body(self) -> np.ndarray:
        """Where the body is."""
        return np.asarray(self.scan.mu > _BODY)

    @cached_property
    def _first_noise(self) -> np.ndarray:
        return self.surrogate.noise(seed=self.person)

    def noisy(self, dose: float, draw: int = 0) -> np.ndarray:
        """Return the image at a dose, (X, Y, Z) [SUV]; a draw is one noise at any dose."""
        first = draw == 0  # kept, as it is asked for at each dose
        noise = self._first_noise if first else self.surrogate.noise(seed=self.person, draw=draw)
        return self.surrogate.apply(noise, dose)


def make_scan(
    group: Group,
    person: int,
    voxel: float,
    *,
    phantom: Phantom | None = None,
    lesions: int | None = None,
) -> Scan:
    """Simulate a scan.

    Args:
        group: The kind.
        person: Number of the anatomy.
        voxel: Edge [mm].
        phantom: The anatomy, where it is there already.
        lesions: How many there are; drawn if None.
    """
    phantom = make_anatomy("body", person, voxel=voxel) if phantom is None else phantom
    scan = draw_static(phantom, group.tracer, person, lesions=lesions)
    surrogate = Surrogate(scan.activity, scan.mu, phantom.voxel_size, group.style)
    return Scan(group=group, person=person, scan=scan, surrogate=surrogate)


def make_scans(wanted: Sequence[Group], first: int, people: int, voxel: float) -> list[Scan]:
    """Simulate several people in each group."""
    return [make_scan(group, first + n, voxel) for group in wanted for n in range(people)]
