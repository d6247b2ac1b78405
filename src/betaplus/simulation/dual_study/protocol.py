"""How two tracers are scanned: order, delay, doses, frames, scanner and counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.frames import FrameTiming
from betaplus.core.seeds import generator
from betaplus.physics.dual.mixing import Mixing
from betaplus.simulation.dual_study.schedule import find_schedule
from betaplus.simulation.dynamic import NOISE_LEVEL
from betaplus.simulation.tracers import PROFILES, TracerProfile

__all__ = [
    "PROTOCOLS",
    "DualProtocol",
    "draw_dual_protocol",
    "dual_protocol",
    "find_dual_protocol",
]

_DRAW = 95
_LONGEST = 4 * 3600.0  # s: of a delay


@dataclass(frozen=True, eq=False, kw_only=True)
class DualProtocol:
    """A scan of two tracers.

    Attributes:
        name: Of the protocol.
        tracers: In the order of injection; radionuclide and half-life are those of the profile.
        delay: Second injection after the first, which is TimeZero [s].
        schedule: Name of the frames, of `betaplus.simulation.dual_study.schedule`, or frames.
        after: How long the scan goes on after the second injection [s]; a schedule of frames has
            its own end.
        doses: Injected activities over those of the profiles.
        level: Noise level l at full counts [sqrt(Bq/mL min)] (`betaplus.physics.noise`).
        counts: Share of the counts that is kept; activities stay what they are.
        resolution: Of the scanner, full width at half maximum [mm].
        noise_fwhm: Width of the kernel that correlates the noise [mm].
        local: How much of a voxel's variance goes with its own activity; the rest goes with the
            mean of the head, since every line of response crosses all of it
            (`betaplus.simulation.dual_study.noise`).
    """

    name: str
    tracers: tuple[TracerProfile, TracerProfile]
    delay: float = 1200.0
    schedule: str | FrameTiming = "18"
    after: float = 3600.0
    doses: tuple[float, float] = (1.0, 1.0)
    level: float = NOISE_LEVEL
    counts: float = 1.0
    resolution: float = 5.0
    noise_fwhm: float = 5.0
    local: float = 1.0

    def __post_init__(self) -> None:
        ranges = {
            "delay": (self.delay, 0.0, _LONGEST),
            "after": (self.after, 60.0, _LONGEST),
            "first dose": (self.doses[0], 1e-6, 1e6),
            "second dose": (self.doses[1], 1e-6, 1e6),
            "level": (self.level, 0.0, 1e6),
            "counts": (self.counts, 1e-9, 1e9),
            "resolution": (self.resolution, 0.0, 50.0),
            "noise_fwhm": (self.noise_fwhm, 0.0, 50.0),
            "local": (self.local, 0.0, 1.0),
        }
        for name, (value, low, high) in ranges.items():
            if not (np.isfinite(value) and low <= value <= high):
                raise UsageError(f"{name} of {value:g}", f"expected {low:g} to {high:g}")

    @cached_property
    def frames(self) -> FrameTiming:
        """Frame timing from the first injection; a named schedule starts one at the second."""
        if isinstance(self.schedule, FrameTiming):
            return self.schedule
        return find_schedule(self.schedule)(self.delay, self.after)

    @property
    def injections(self) -> tuple[float, float]:
        """Both injections [s from TimeZero]."""
        return 0.0, self.delay

    @cached_property
    def mixing(self) -> Mixing:
        """Decay of each tracer in each frame."""
        return Mixing(self.frames, [p.tracer for p in self.tracers], self.injections)

    def replace(self, **changes: object) -> DualProtocol:
        """Return the same protocol with other fields."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]

    def reversed(self) -> DualProtocol:
        """Return the protocol that injects the second tracer first."""
        one, two = self.tracers
        a, b = self.doses
        return self.replace(name=f"{self.name}, reversed", tracers=(two, one), doses=(b, a))


def dual_protocol(
    first: str, second: str, delay: float = 1200.0, **changes: object
) -> DualProtocol:
    """Return the protocol of two tracers by name.

    Args:
        first: Tracer that is injected at 0.
        second: Tracer that is injected at `delay`.
        delay: Second injection [s].
        **changes: Fields of `DualProtocol`.

    Raises:
        UsageError: If a tracer is unknown or a number is out of range.
    """
    pair = (_profile(first), _profile(second))
    names = "-".join(p.tracer.name for p in pair)
    return DualProtocol(name=names, tracers=pair, delay=delay).replace(**changes)


def draw_dual_protocol(
    seed: int,
    item: int,
    *,
    tracers: tuple[str, str] = ("FMZ", "FDG"),
    delay: tuple[float, float] = (0.0, 2400.0),
    after: tuple[float, float] = (3000.0, 3900.0),
    dose: tuple[float, float] = (0.5, 2.0),
    level: tuple[float, float] = (2.9, 20.0),
    resolution: tuple[float, float] = (4.0, 6.0),
    noise_fwhm: tuple[float, float] = (4.0, 6.5),
    schedule: str = "18",
    either_order: bool = False,
) -> DualProtocol:
    """Draw a protocol to learn from.

    Delay [s], time after the second injection [s] and widths [mm] are uniform, doses and level
    [sqrt(Bq/mL min)] log-uniform, within their ranges.

    Args:
        seed: Chooses the protocols.
        item: Number of this one.
        tracers: Names of the pair.
        delay: Range of the second injection.
        after: Range of the time after it.
        dose: Range of each dose over that of the profile.
        level: Range of the noise level.
        resolution: Range of the scanner's resolution.
        noise_fwhm: Range of the width of the noise.
        schedule: Name of the frames.
        either_order: Inject them in either order.
    """
    rng = generator(seed, item, _DRAW)
    u = rng.uniform(size=8)
    first, second = tracers[::-1] if either_order and u[7] < 0.5 else tracers

    def between(limits: tuple[float, float], at: float) -> float:
        return float(limits[0] + (limits[1] - limits[0]) * at)

    def ratio(limits: tuple[float, float], at: float) -> float:
        return float(limits[0] * (limits[1] / limits[0]) ** at)

    return dual_protocol(
        first,
        second,
        delay=round(between(delay, u[0])),
        after=round(between(after, u[1])),
        doses=(ratio(dose, u[2]), ratio(dose, u[3])),
        level=ratio(level, u[4]),
        resolution=between(resolution, u[5]),
        noise_fwhm=between(noise_fwhm, u[6]),
        schedule=schedule,
    )


def _profile(name: str) -> TracerProfile:
    known = {key.lower(): value for key, value in PROFILES.items()}
    if name.lower() not in known:
        names = ", ".join(PROFILES)
        raise UsageError(f"tracer {name!r} is unknown", f"expected one of {names}")
    return known[name.lower()]


PROTOCOLS: Mapping[str, DualProtocol] = {
    name: protocol.replace(name=name)
    for name, protocol in {
        "standard": dual_protocol("FMZ", "FDG"),
        "FDG-FMZ": dual_protocol("FDG", "FMZ"),
        "MET-FDG": dual_protocol("MET", "FDG"),
        "FLT-FDG": dual_protocol("FLT", "FDG", 1800.0),
        "DTBZ-FDG": dual_protocol("DTBZ", "FDG"),
        "PBR28-FDG": dual_protocol("PBR28", "FDG"),
        "PTSM-ATSM": dual_protocol("PTSM", "ATSM", after=1800.0),
    }.items()
}
"""Name to protocol; ``standard`` is [11C]flumazenil, 20 minutes later [18F]FDG, 18 frames."""


def find_dual_protocol(name: str) -> DualProtocol:
    """Return a protocol by its name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"protocol {name!r} is unknown", f"expected {' or '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
