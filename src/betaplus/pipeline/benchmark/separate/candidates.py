"""The methods that are judged, what of each is tuned, and how one is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from betaplus.core.errors import InputError, UsageError
from betaplus.pipeline.benchmark.search import Axis
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.separation.fitting import SeparationFit, fit_study
from betaplus.separation.method import LEARNED, METHODS
from betaplus.separation.options import method_settings
from betaplus.separation.study import Study

__all__ = [
    "CANDIDATES",
    "CLASSICAL",
    "TUNED",
    "UNCONDITIONAL",
    "Candidate",
    "Skip",
    "run_candidate",
    "settings_words",
]

UNCONDITIONAL = "inn, one protocol"
"""Column of a network of `inn` that was trained on one protocol only."""


class Skip(Exception):
    """A method cannot be used on a scan; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A method and what of it is tuned.

    Attributes:
        method: Its name.
        axes: Settings that are tuned, the first ones first.
        start: Where tuning begins.
        rounds: How often it goes through the axes.
    """

    method: str
    axes: tuple[Axis, ...] = ()
    start: Mapping[str, float] = field(default_factory=dict)
    rounds: int = 1


_WIDTH = Axis(name="fwhm", ratio=2.0**0.5, low=0.7, high=16.0)  # a third of a voxel is none
_PRIOR = Axis(name="prior", ratio=4.0, low=1e-3, high=20.0)
_BOTH = {"fwhm": 2.8, "prior": 0.25}

CANDIDATES = {
    one.method: one
    for one in (
        *(Candidate(method=name) for name in METHODS),
        Candidate(method="compartment", axes=(_WIDTH, _PRIOR), start=_BOTH, rounds=2),
        Candidate(method="extrapolation", axes=(_WIDTH, _PRIOR), start=_BOTH, rounds=2),
        Candidate(method="nmf", axes=(_WIDTH,), start={"fwhm": 2.8}),
    )
}
"""Name to method."""

TUNED = tuple(name for name, one in CANDIDATES.items() if one.axes)
"""Methods that are tuned, for each protocol."""

CLASSICAL = tuple(name for name in METHODS if name not in LEARNED)
"""Methods without a network."""


def run_candidate(
    study: Study,
    column: str,
    settings: Mapping[str, Any],
    networks: Networks,
    *,
    seed: int = 0,
) -> SeparationFit:
    """Return the images of a method, as `betaplus separate` makes them.

    Args:
        study: The scan.
        column: Name of the method, or `UNCONDITIONAL`.
        settings: By name.
        networks: Those that are judged.
        seed: Of draws.

    Raises:
        Skip: If the method has no network, or refuses the scan.
    """
    method = "inn" if column == UNCONDITIONAL else column
    trained = networks.of(column)
    if method in LEARNED and trained is None:
        raise Skip(networks.missing.get(column, "no network was given"))
    try:
        return fit_study(
            study, method=method, settings=method_settings(method, dict(settings), None),
            trained=trained, seed=seed,
        )  # fmt: skip
    except (UsageError, InputError) as error:
        raise Skip(str(error)) from error


def settings_words(settings: Mapping[str, Any]) -> str:
    """Return settings in a few words."""
    return ", ".join(f"{name} {value:g}" for name, value in settings.items()) or "defaults"
