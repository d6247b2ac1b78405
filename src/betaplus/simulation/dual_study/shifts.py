"""What may be different from what a method learned from: one thing at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.simulation.dual_study.population import STANDARD, BloodChange, Population
from betaplus.simulation.dual_study.protocol import DualProtocol, dual_protocol
from betaplus.simulation.head_spread import HeadSpread
from betaplus.simulation.phantom import Phantom

__all__ = [
    "SHIFTS",
    "counts_shift",
    "delay_shift",
    "dose_shift",
    "input_shift",
    "kinetics_shift",
    "pair_shift",
    "phantom_shift",
    "protocol_shift",
    "shifted",
]

Scene = tuple[DualProtocol, Population]
"""How is scanned, and who."""

_OLD_HEADS = HeadSpread(
    scale=0.90,
    size=0.05,
    proportions=0.05,
    ventricle=0.22,
    ventricle_median=1.5,
    ventricle_length=0.5,
    ventricle_push=6.0,
    cortex=(2.2, 2.8),
    sulcus=(1.2, 2.2),
    resolved=True,
    fold=(14.0, 17.0),
    bend=(1.8, 2.4),
    parts=(0.80, 0.85, 0.85, 0.92),
    part=0.04,
    tilt=(12.0, 6.0, 8.0),
)
"""Heads with atrophy and wide ventricles that lie askew: beyond those of `POPULATION`; nominal."""


def counts_shift(protocol: DualProtocol, population: Population, share: float = 0.25) -> Scene:
    """Return the scene with a share of the counts."""
    return protocol.replace(counts=protocol.counts * share), population


def delay_shift(protocol: DualProtocol, population: Population, delay: float = 600.0) -> Scene:
    """Return the scene with another delay [s]; named frames follow it."""
    return protocol.replace(delay=delay), population


def dose_shift(
    protocol: DualProtocol, population: Population, doses: tuple[float, float] = (2.0, 0.5)
) -> Scene:
    """Return the scene with other doses over those of the profiles."""
    return protocol.replace(doses=doses), population


def kinetics_shift(
    protocol: DualProtocol,
    population: Population,
    factors: Mapping[str, float] | None = None,
) -> Scene:
    """Return the scene with other population means: by default less trapping, faster washout.

    Args:
        protocol: How is scanned.
        population: Who is scanned.
        factors: Parameter to a factor, for both tracers.
    """
    usual = {"K1": 0.7, "k2": 1.25, "k3": 0.6, "k4": 1.5, "VB": 1.4}
    return protocol, population.replace(kinetics={"*": dict(factors or usual)})


def input_shift(
    protocol: DualProtocol, population: Population, change: BloodChange | None = None
) -> Scene:
    """Return the scene with another input: by default infused over 3 minutes and cleared slowly."""
    usual = BloodChange(
        rates=(1.0, 0.7, 0.6), amplitudes=(1.0, 1.3, 1.3), metabolism=1.6, infusion=180.0
    )
    return protocol, population.replace(blood=change or usual)


def pair_shift(
    protocol: DualProtocol, population: Population, tracers: tuple[str, str] = ("DTBZ", "FDG")
) -> Scene:
    """Return the scene with another pair of tracers; all else of the protocol stays."""
    other = dual_protocol(*tracers)
    return protocol.replace(name=other.name, tracers=other.tracers), population


def phantom_shift(
    protocol: DualProtocol,
    population: Population,
    anatomy: str | Path | Phantom | None = None,
) -> Scene:
    """Return the scene with other heads: old ones that lie askew, or a labelled anatomy."""
    if anatomy is None:
        return protocol, population.replace(spread=_OLD_HEADS)
    return protocol, population.replace(anatomy=anatomy)


def protocol_shift(
    protocol: DualProtocol, population: Population, schedule: str = "28", after: float = 2700.0
) -> Scene:
    """Return the scene with other frames, and another time after the second injection [s]."""
    return protocol.replace(schedule=schedule, after=after), population


SHIFTS: Mapping[str, Callable[[DualProtocol, Population], Scene]] = {
    "counts": counts_shift,
    "delay": delay_shift,
    "kinetics": kinetics_shift,
    "input": input_shift,
    "pair": pair_shift,
    "phantom": phantom_shift,
    "protocol": protocol_shift,
    "dose": dose_shift,
}
"""Name to shift, at its usual size."""


def shifted(name: str, protocol: DualProtocol, population: Population = STANDARD) -> Scene:
    """Return a scene with one shift, by name.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in SHIFTS:
        raise UsageError(f"shift {name!r} is unknown", f"expected one of {', '.join(SHIFTS)}")
    return SHIFTS[name](protocol, population)
