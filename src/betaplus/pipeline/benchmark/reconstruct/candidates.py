"""The methods that are compared, and what of each is tuned."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from betaplus.generative.image_prior import ImagePrior, load_image_prior
from betaplus.reconstruction.score.choice import SHOWN, shipped_prior

__all__ = ["CANDIDATES", "QUICK", "Candidate", "quicker"]

PARTS = ("bias", "spread", "lesions", "full")
"""Of the benchmark, beside tuning and judging."""


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
        parts: What of the benchmark it takes part in beside tuning and judging.
        leading: Whether it stands for its method where one must.
        often: Settings, or ``passes``, that differ where many images are made: for bias and SD.
        swept: Setting that bias is traded against SD with, and its values; ``passes`` are counted
            as they go by.
    """

    name: str
    method: str
    tried: Mapping[str, tuple[float | str, ...]]
    passes: int = 0
    filters: tuple[float, ...] = (0.0,)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    prior: str = ""
    parts: tuple[str, ...] = PARTS
    leading: bool = True
    often: Mapping[str, Any] = field(default_factory=dict)
    swept: tuple[str, tuple[float, ...]] = ("", ())

    def choice_often(self, choice: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was chosen, as it is where many images are made."""
        passes = self.often.get("passes", choice["passes"])
        more = {key: value for key, value in self.often.items() if key != "passes"}
        return {**choice, "settings": {**choice["settings"], **more}, "passes": passes}

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
        passes=4,
        filters=(0.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0),
        swept=("passes", (1, 2, 4)),
    ),
    Candidate(name="U-Net on OSEM", method="unet", tried={}, parts=()),
    Candidate(
        name="RDP (SVRG)",
        method="svrg",
        tried={"beta": (0.01, 0.03, 0.1), "gamma": (0.5, 2.0)},
        passes=4,
        swept=("beta", (0.003, 0.01, 0.03, 0.1)),
    ),
    Candidate(
        name="MAP-EM, patch prior",
        method="map-em",
        tried={"beta": (0.003, 0.01, 0.03), "delta": (0.05, 0.2)},
        passes=6,
        often={"passes": 2},
        swept=("beta", (0.003, 0.01, 0.03)),
    ),
    Candidate(
        name="dds-published",
        method="dds-published",
        tried={"pull": (0.1, 0.3, 1.0, 2.0), "beta": (0.2, 0.5, 0.8)},
        parts=("full",),
    ),
    Candidate(
        name="dds with brain2d, mean of 2",
        method="dds",
        tried={"weight": (0.06, 0.12, 0.25), "beta": (2.0, 4.0)},
        fixed={"draws": 2, "inner": 9},
        parts=("full",),
        leading=False,
    ),
    Candidate(
        name="network of dds alone",  # what it is shown, through the network, and no data steps
        method="dds",
        tried={},
        fixed={
            "draws": 1,
            "steps": 2,
            "inner": 1,
            "first": 80.0,
            "last": 40.0,
            "weight": 1e12,
            "significance": 0.0,
        },
        prior=SHOWN["brain"],
        parts=(),
        leading=False,
    ),
    Candidate(
        name="dds, mean of 4",
        method="dds",
        tried={"first": (2.5, 10.0), "last": (0.1, 0.5, 2.0)},
        fixed={"draws": 4, "inner": 4, "steps": 5},
        prior=SHOWN["brain"],
        often={"draws": 2},
        swept=("last", (0.1, 0.5, 2.0)),
    ),
    Candidate(
        name="conditional, mean of 8",
        method="conditional",
        tried={"steps": (8, 12), "last": (0.02, 0.1)},
        fixed={"draws": 8, "significance": 0.0},  # what the network draws
        prior=SHOWN["brain"],
        parts=("spread", "full"),
    ),
    Candidate(
        name="gibbs, mean of 8",
        method="gibbs",
        tried={"last": (0.5, 1.0, 2.0), "slices": ("axial", "alternate")},
        fixed={"draws": 8, "burn": 8, "thin": 1, "inner": 1},
        parts=("full",),
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
    few = re.sub(r"mean of \d+", "one draw", candidate.name)
    return Candidate(
        name=few if short else candidate.name,
        method=candidate.method,
        tried=tried,
        passes=min(candidate.passes, 3),
        filters=candidate.filters,
        fixed={**candidate.fixed, **short},
        prior=candidate.prior,
        parts=candidate.parts,
        leading=candidate.leading,
        often=candidate.often,
        swept=(candidate.swept[0], candidate.swept[1][:2]),
    )
