"""Which two tracers a scan holds, from their names, and what is known of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from betaplus.core.errors import InputError, UsageError
from betaplus.core.tracer import Tracer, radionuclide_name
from betaplus.io.derivatives import bids_label
from betaplus.simulation.tracer_profile import TracerProfile
from betaplus.simulation.tracers import PROFILES

__all__ = ["KNOWN", "StudyTracer", "parse_tracers"]

KNOWN: Mapping[str, TracerProfile] = PROFILES
"""Name of a tracer to what is known of its kinetics."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyTracer:
    """A tracer of a scan.

    Attributes:
        label: Its name in file names: letters and digits, another one for each of the two.
        tracer: Its name, nuclide and half-life.
        profile: Its kinetics in a population; None where they are not known.
    """

    label: str
    tracer: Tracer
    profile: TracerProfile | None


def parse_tracers(given: str | Sequence[str]) -> tuple[StudyTracer, StudyTracer]:
    """Return the tracers of a scan, that injected first before the other.

    Args:
        given: Two names, as a sequence or with a comma between; a name that is not known, or
            another nuclide than usual, as ``NAME:NUCLIDE``.

    Raises:
        UsageError: If they are not two, or one is unknown and its nuclide is not given.
    """
    names = given.split(",") if isinstance(given, str) else list(given)
    names = [name.strip() for name in names]
    if len(names) != 2 or not all(names):
        raise UsageError(
            f"--tracers {','.join(names)!r}",
            "expected two names with a comma between, that injected first before the other",
        )
    one, two = (_tracer(name) for name in names)
    if one.label == two.label:
        one = dataclasses.replace(one, label=f"{one.label}1")
        two = dataclasses.replace(two, label=f"{two.label}2")
    return one, two


def _tracer(text: str) -> StudyTracer:
    name, colon, nuclide = (part.strip() for part in text.partition(":"))
    profile = {key.lower(): value for key, value in KNOWN.items()}.get(name.lower())
    if not name or (colon and not nuclide):
        raise UsageError(f"tracer {text!r}", "expected NAME or NAME:NUCLIDE")
    if profile is None and not nuclide:
        raise UsageError(
            f"tracer {name!r} is unknown",
            f"expected one of {', '.join(KNOWN)}",
            f"for another one give its nuclide: {name}:C11",
        )
    if profile is None:
        return StudyTracer(label=bids_label(name), tracer=_of(name, nuclide), profile=None)
    tracer = profile.tracer
    if nuclide and _spelled(nuclide) != _spelled(tracer.radionuclide):
        tracer = _of(tracer.name, nuclide)
        profile = dataclasses.replace(profile, tracer=tracer)
    return StudyTracer(label=bids_label(tracer.name), tracer=tracer, profile=profile)


def _of(name: str, nuclide: str) -> Tracer:
    try:
        radionuclide_name(nuclide, "--tracers")
    except InputError as error:
        raise UsageError(str(error)) from error
    return Tracer.of(nuclide, name=name)


def _spelled(nuclide: str) -> str:
    return "".join(sorted(c for c in nuclide.lower() if c.isalnum()))
