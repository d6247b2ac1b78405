"""What a Patlak method is, and where each is found."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from betaplus.core.crew import Crew
from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress

if TYPE_CHECKING:
    from betaplus.patlak.problem import PatlakMaps, PatlakProblem

__all__ = ["LEARNED", "METHODS", "UNWEIGHTED", "PatlakMethod", "find_method"]

METHODS = {
    "ls": "betaplus.patlak.linear:Ls",
    "wls": "betaplus.patlak.linear:Wls",
    "nnls": "betaplus.patlak.linear:Nnls",
    "gaussian": "betaplus.patlak.smoothed:Gaussian",
    "nlm": "betaplus.patlak.smoothed:Nlm",
    "tv": "betaplus.patlak.tv:Tv",
    "kernel": "betaplus.patlak.kernel:Kernel",
    "red-diff": "betaplus.patlak.red_diff:RedDiff",
    "hqs": "betaplus.patlak.hqs:Hqs",
    "gibbs": "betaplus.patlak.gibbs:Gibbs",
}
"""Name to class; a new method is a new file and one line here."""

LEARNED = ("red-diff", "hqs", "gibbs")
"""Methods that need a prior: they are made from settings and an `ImagePrior`."""

UNWEIGHTED = ("ls",)
"""Methods that want all frames to weigh alike."""


class PatlakMethod(Protocol):
    """A method: typed settings, and what it makes of a problem."""

    Settings: type

    def fit(
        self,
        problem: PatlakProblem,
        *,
        seed: int = 0,
        threads: int = 1,
        progress: Progress | None = None,
        crew: Crew | None = None,
    ) -> PatlakMaps:
        """Return the maps.

        Args:
            problem: The scan.
            seed: Of what is random.
            threads: Threads, where nobody else computes; maps do not depend on them.
            progress: What to report to.
            crew: Who computes pieces and keeps what is finished; so many threads if None.
        """


def find_method(name: str) -> Any:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
