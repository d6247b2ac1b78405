"""What a simulated scan is asked to be, checked before anything is computed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.grid import ImageGrid
from betaplus.core.scanner import SPEED_OF_LIGHT, Scanner
from betaplus.core.scanners import find_scanner
from betaplus.simulation.raw.activity import STATIC_FRAME
from betaplus.simulation.raw.counts import Budget, split_budget
from betaplus.simulation.raw.head import scanner_grid
from betaplus.simulation.tracers import TracerProfile, find_profile

__all__ = ["COUNTS_PER_VOXEL", "SIZES", "Plan", "make_plan", "with_tof"]

COUNTS_PER_VOXEL = 5e8 / (128 * 128 * 127)
"""Prompts of a scan over voxels of its image: 5e8 on the mMR, 6.3e7 on the teaching scanner."""

SIZES = {"small": "teaching", "full": "mMR"}
"""Size to scanner."""

_MOST_BINS = 150_000_000  # of a frame: 0.6 GB an array
_MOST_REALISATIONS = 99
_TOF = (143.2, 214.0)  # ps: width of a bin and resolution, as the Vision 600 has them


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A scan to simulate.

    Attributes:
        scanner: The scanner.
        grid: Grid that the scan is meant to be reconstructed on.
        profile: The tracer.
        planned: Frames of the full scan, from injection.
        frames: Frames that are counted: the middle of the planned ones where the scan is shorter.
        dose: Fraction of the dose.
        budget: Counts of the full scan at the full dose.
        realisations: How many draws of the same means.
        seed: Of head, person, efficiencies and counts.
    """

    scanner: Scanner
    grid: ImageGrid
    profile: TracerProfile
    planned: FrameTiming
    frames: FrameTiming
    dose: float
    budget: Budget
    realisations: int
    seed: int


def make_plan(
    *,
    size: str = "small",
    scanner: str | Scanner | None = None,
    anatomy: str = "brain",
    tracer: str = "FDG",
    dose_fraction: float = 1.0,
    time_fraction: float = 1.0,
    counts: float | None = None,
    randoms: float = 0.4,
    scatter: float = 0.35,
    realisations: int = 1,
    dynamic: bool = False,
    tof: bool | None = None,
    seed: int = 0,
) -> Plan:
    """Return the scan that the options of `simulate_raw` ask for.

    Raises:
        UsageError: If a name is unknown, a number is out of range, or the scan is too large.
    """
    if size not in SIZES:
        raise UsageError(f"size {size!r} is unknown", f"expected {' or '.join(SIZES)}")
    if anatomy != "brain":
        raise UsageError(f"anatomy {anatomy!r} is unknown", "expected brain")
    for name, value in (("dose", dose_fraction), ("time", time_fraction)):
        if not 0.0 < value <= 1.0:
            raise UsageError(f"{name} fraction {value:g}", "expected a number above 0 up to 1")
    if not 1 <= realisations <= _MOST_REALISATIONS:
        raise UsageError(f"{realisations} realisations", f"expected 1 to {_MOST_REALISATIONS}")
    profile = find_profile(tracer)
    if not isinstance(scanner, Scanner):
        scanner = find_scanner(SIZES[size] if scanner is None else scanner)
    if tof is not None and tof != scanner.tof:
        scanner = with_tof(scanner) if tof else scanner.replace(tof_bins=1)
    bins = int(np.prod(scanner.shape))
    if bins > _MOST_BINS:
        raise UsageError(
            f"a sinogram of {scanner.name} has {bins / 1e6:.0f} million bins",
            f"expected at most {_MOST_BINS / 1e6:.0f} million",
            "choose --no-tof, --scanner mMR or --scanner teaching",
        )
    grid = scanner_grid(scanner)
    total = COUNTS_PER_VOXEL * float(np.prod(grid.shape)) if counts is None else counts
    start, duration = STATIC_FRAME
    planned = profile.frames if dynamic else FrameTiming(np.array([start]), np.array([duration]))
    return Plan(
        scanner=scanner,
        grid=grid,
        profile=profile,
        planned=planned,
        frames=_middle(planned, time_fraction),
        dose=dose_fraction,
        budget=split_budget(total, scatter=scatter, randoms=randoms),
        realisations=realisations,
        seed=seed,
    )


def with_tof(scanner: Scanner) -> Scanner:
    """Return a scanner with time of flight as the Vision 600 has it, over its field of view."""
    width, resolution = _TOF
    across = 2.0 * scanner.fov_radius / (0.5 * SPEED_OF_LIGHT * width)
    bins = 2 * int(np.ceil(0.5 * across)) + 1
    return scanner.replace(tof_bins=bins, tof_width=width, tof_resolution=resolution)


def _middle(frames: FrameTiming, fraction: float) -> FrameTiming:
    """Return the middle part of each frame."""
    if fraction == 1.0:
        return frames
    duration = frames.duration * fraction
    return dataclasses.replace(
        frames, start=frames.start + 0.5 * (frames.duration - duration), duration=duration
    )
