"""A subject: the SUV of each region, drawn from the quantiles over people."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.seeds import generator
from betaplus.simulation.subject import from_scores
from betaplus.simulation.uptake.profile import UptakeProfile
from betaplus.simulation.uptake.regions import FAMILIES, REGIONS, family_of
from betaplus.simulation.uptake.registry import find_uptake

__all__ = ["draw_dose", "draw_group", "draw_uptake"]

_DRAW = 30
_WEIGHT = (52.0, 75.0, 108.0)
"""Of adults, 5, 50 and 95 % [kg]; nominal."""
_WEIGHT_SD = 0.22  # of the logarithm


def draw_group(tracer: str | UptakeProfile, seed: int) -> str:
    """Return the group of people that a subject belongs to, drawn by the groups' shares."""
    groups = _profile(tracer).groups
    shares = np.cumsum([group.share for group in groups.values()])
    at = generator(seed, item=0, draw=_DRAW).uniform(0.0, shares[-1])
    return list(groups)[int(np.searchsorted(shares, at, side="right"))]


def draw_uptake(
    names: Iterable[str], tracer: str | UptakeProfile, seed: int, group: str | None = None
) -> dict[str, float]:
    """Draw a subject: region name to SUV.

    A region's value has the quantiles of the tracer's table over people; its logarithm is the sum
    of a part that all regions of the subject share, one of its family of regions and its own. It
    does not depend on which other regions are asked for.

    Args:
        names: Regions, of `REGIONS`.
        tracer: Tracer, or its name in `UPTAKE`.
        seed: Chooses the subject.
        group: Group of people; drawn if None.

    Raises:
        UsageError: If tracer, group or a region is unknown.
    """
    profile = _profile(tracer)
    names = list(names)
    unknown = [name for name in names if name not in REGIONS]
    if unknown:
        raise UsageError(
            f"no uptake for {', '.join(unknown)}", f"expected regions of {', '.join(REGIONS)}"
        )
    group = draw_group(profile, seed) if group is None else group
    if group not in profile.groups:
        raise UsageError(
            f"group {group!r} is unknown", f"expected one of {', '.join(profile.groups)}"
        )
    table = {**profile.regions, **profile.groups[group].regions}
    return {name: _value(table[name], _score(name, seed)) for name in names}


def draw_dose(
    tracer: str | UptakeProfile, seed: int, weight: float | None = None
) -> tuple[float, float]:
    """Return a subject's body weight [kg] and the activity that is injected [Bq].

    Heavier people get more, as they do in the clinic (correlation of the logarithms about 0.6,
    nominal).

    Args:
        tracer: Tracer, or its name.
        seed: Chooses the subject.
        weight: Where it is known [kg]; drawn if None.
    """
    profile = _profile(tracer)
    a, b = generator(seed, item=0, draw=_DRAW + 4).standard_normal(2)
    if weight is None:
        weight = float(from_scores(_WEIGHT, a))
    heavy = float(np.clip(np.log(weight / _WEIGHT[1]) / _WEIGHT_SD, -2.5, 2.5))
    return weight, float(from_scores(profile.activity, 0.6 * heavy + 0.8 * b))


def _profile(tracer: str | UptakeProfile) -> UptakeProfile:
    return find_uptake(tracer) if isinstance(tracer, str) else tracer


def _score(name: str, seed: int) -> float:
    kind = family_of(name)
    family = FAMILIES[kind]
    shared = generator(seed, item=0, draw=_DRAW + 1).standard_normal()
    common = generator(seed, item=list(FAMILIES).index(kind), draw=_DRAW + 2).standard_normal()
    own = generator(seed, item=REGIONS.index(name), draw=_DRAW + 3).standard_normal()
    parts = family.subject, family.family, 1.0 - family.subject - family.family
    return float(np.sqrt(parts) @ (shared, common, own))


def _value(quantiles: tuple[float, float, float], score: float) -> float:
    return float(from_scores(quantiles, score)) if quantiles[1] > 0 else 0.0
