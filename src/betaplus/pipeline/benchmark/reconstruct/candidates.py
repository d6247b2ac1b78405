"""The methods that are compared, and what of each is tuned."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.reconstruction.score.choice import shipped_prior

__all__ = ["CANDIDATES", "QUICK", "Candidate", "quicker"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A method and what of it is tuned.

    Attributes:
        name: As in tables.
        method: Name of the method.
        tried: Setting to values; every combination is run, and every number of passes is judged.
        passes: Passes at most; 0 for methods that draw images.
        filters: Full widths at half maximum that each image is filtered with [mm].
        fixed: Settings that are not varied.
        prior: Name of the prior, for methods that draw images; the one that heads are reconstructed
            with if empty.
        swept: Setting that bias is traded against SD with, and its values; ``passes`` are counted
            as they go by.
    """

    name: str
    method: str
    tried: Mapping[str, tuple[float, ...]]
    passes: int = 0
    filters: tuple[float, ...] = (0.0,)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    prior: str = ""
    swept: tuple[str, tuple[float, ...]] = ("", ())

    def load_prior(self) -> ImagePrior:
        """Return the prior; it is read once."""
        return _load(self.prior)


@functools.cache
def _load(name: str) -> ImagePrior:
    return load_image_prior(name) if name else shipped_prior("brain")


CANDIDATES = (
    Candidate(
        name="OSEM and filter",
        method="osem",
        tried={},
        passes=8,
        filters=(0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
        swept=("passes", (1, 2, 3, 4, 6, 8)),
    ),
    Candidate(
        name="MAP-EM, patch prior",
        method="map-em",
        tried={"beta": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1), "delta": (0.05, 0.2, 1.0)},
        passes=10,
        swept=("beta", (0.003, 0.01, 0.03, 0.1)),
    ),
    Candidate(
        name="RDP (SVRG)",
        method="svrg",
        tried={"beta": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1), "gamma": (0.5, 2.0)},
        passes=10,
        swept=("beta", (0.01, 0.03, 0.1)),
    ),
    Candidate(
        name="dds-published",
        method="dds-published",
        tried={"pull": (0.1, 0.3, 1.0), "delta": (0.1, 0.2), "beta": (0.01, 0.1)},
        swept=("delta", (0.05, 0.1, 0.2, 0.4, 0.8)),
    ),
    Candidate(
        name="dds, mean of 4",
        method="dds",
        tried={"weight": (0.04, 0.12, 0.36), "beta": (0.4, 1.3, 4.0, 12.0)},
        fixed={"draws": 4},
        swept=("weight", (0.04, 0.12, 0.36, 1.0)),
    ),
    Candidate(
        name="lisch, mean of 4",
        method="lisch",
        tried={"weight": (0.12, 0.36), "beta": (1.3, 4.0), "passes": (2, 3)},
        fixed={"draws": 4},
        swept=("weight", (0.12, 0.36, 1.0)),
    ),
    Candidate(
        name="gibbs, mean of 16",
        method="gibbs",
        tried={"last": (0.25, 0.5, 1.0), "burn": (20, 60)},
        fixed={"draws": 16},
        swept=("last", (0.25, 0.5, 1.0)),
    ),
)
"""In the order of the table."""

QUICK = ("osem", "svrg", "dds")
"""Methods of the quick form."""


def quicker(candidate: Candidate) -> Candidate:
    """Return a candidate with two values of each setting, fewer passes and shorter draws."""
    tried = {
        name: values[2:5:2] if len(values) > 4 else values[-2:]
        for name, values in candidate.tried.items()
    }
    short = {"steps": 4, "draws": 1} if candidate.method == "dds" else {}
    return Candidate(
        name=candidate.name.replace("mean of 4", "one draw") if short else candidate.name,
        method=candidate.method,
        tried=tried,
        passes=min(candidate.passes, 3),
        filters=candidate.filters,
        fixed={**candidate.fixed, **short},
        prior=candidate.prior,
        swept=(candidate.swept[0], candidate.swept[1][:2]),
    )
