"""The methods that are judged, what of each is tuned, and how one is run.

Start values are the methods' own defaults. Of the learned methods the same is tuned: the prior,
its weight and the first noise level. `gibbs` has no weight and is taken as it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.patlak.fitting import PatlakFit, fit_study
from betaplus.patlak.method import LEARNED
from betaplus.patlak.options import method_settings
from betaplus.patlak.prior_choice import PriorChoice, choose_prior
from betaplus.patlak.study import Study
from betaplus.pipeline.benchmark.search import Axis

__all__ = [
    "CANDIDATES",
    "DRAWN",
    "MOST_DRAWS",
    "TUNED",
    "Candidate",
    "load_prior",
    "run_candidate",
    "start_of",
]

_FINE, _COARSE = 2.0**0.5, 2.0


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A method and what of it is tuned.

    Attributes:
        method: Its name.
        axes: Settings that are tuned, the first ones first.
        start: Where tuning begins, where it is not the default.
        rounds: How often tuning goes through the axes.
        priors: Anatomy to the names of the priors that are tried.
    """

    method: str
    axes: tuple[Axis, ...] = ()
    start: Mapping[str, Any] = field(default_factory=dict)
    rounds: int = 1
    priors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_WEIGHT = Axis(name="weight", ratio=_FINE, low=0.02, high=50.0)
_LEVEL = Axis(name="first", ratio=_COARSE, low=0.75, high=24.0)
_GUIDE = Axis(name="guide", ratio=_FINE, low=0.1, high=5.0)
_STRENGTH = Axis(name="strength", ratio=_FINE, low=0.02, high=100.0)
_PRIORS = {"body": ("body3d",), "head": ("body3d",)}  # as the verb chooses for 4 mm

CANDIDATES = {
    one.method: one
    for one in (
        Candidate(method="ls"),
        Candidate(method="wls"),
        Candidate(method="nnls"),
        Candidate(
            method="gaussian",
            axes=(Axis(name="fwhm", ratio=2.0**0.25, low=1.0, high=60.0),),
            start={"fwhm": 8.0},
        ),
        Candidate(method="nlm", axes=(_STRENGTH, _GUIDE), rounds=2),
        Candidate(method="tv", axes=(_STRENGTH,)),
        Candidate(method="kernel", axes=(_STRENGTH, _GUIDE), rounds=2),
        Candidate(method="red-diff", axes=(_WEIGHT, _LEVEL), priors=_PRIORS),
        Candidate(method="hqs", axes=(_WEIGHT, _LEVEL), priors=_PRIORS),
        Candidate(method="gibbs"),
    )
}
"""Name to method."""

TUNED = tuple(name for name, one in CANDIDATES.items() if one.axes)
"""Methods that are tuned."""

DRAWN = ("gibbs",)
"""Methods that are judged by their draws."""

MOST_DRAWS = {"gibbs": 1, "red-diff": 1}
"""Methods that take long, to the noise draws a dose that they see at most."""


def run_candidate(
    study: Study, method: str, settings: Mapping[str, Any], *, seed: int = 0
) -> PatlakFit:
    """Return the maps of a method, as `betaplus patlak --bf16` makes them.

    Args:
        study: The scan.
        method: Its name.
        settings: By name; ``prior`` is the name of the prior, the verb's choice without one.
        seed: Of draws.
    """
    values = {name: value for name, value in settings.items() if name != "prior"}
    prior = None
    if "prior" in settings:
        wanted = str(settings["prior"])
        prior = PriorChoice(prior=load_prior(wanted), why=f"prior {wanted}, as tuned", remarks=())
    elif method in LEARNED:
        prior = choose_prior(study, bf16=True)
    return fit_study(
        study, method=method, settings=method_settings(method, values, None), prior=prior, seed=seed
    )


def start_of(candidate: Candidate) -> dict[str, Any]:
    """Return where the tuning of a method begins: the values of its axes."""
    known = dataclasses.asdict(method_settings(candidate.method, None, None)) | dict(
        candidate.start
    )
    return {axis.name: known[axis.name] for axis in candidate.axes}


@lru_cache(maxsize=2)
def load_prior(name: str) -> ImagePrior:
    """Return a prior that is shipped."""
    return load_image_prior(name, bf16=True)
