"""What a reconstruction is given, and where each method is found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.reconstruction.data import Data

if TYPE_CHECKING:
    from betaplus.reconstruction.score.draws import Draws, Kept
    from betaplus.reconstruction.score.prior import ScoreInputs

__all__ = [
    "METHODS",
    "SCORE_METHODS",
    "Method",
    "ScoreMethod",
    "Watch",
    "find_any",
    "find_method",
    "find_score_method",
    "uniform_start",
]

METHODS = {
    "osem": "betaplus.reconstruction.osem:Osem",
    "map-em": "betaplus.reconstruction.map_em:MapEm",
    "bsrem": "betaplus.reconstruction.bsrem:Bsrem",
    "svrg": "betaplus.reconstruction.svrg:Svrg",
}
"""Name to class; a new method is a new file and one line here."""

SCORE_METHODS = {
    "dds": "betaplus.reconstruction.score.dds:Dds",
    "dds-published": "betaplus.reconstruction.score.published:DdsPublished",
    "lisch": "betaplus.reconstruction.score.lisch:Lisch",
    "conditional": "betaplus.reconstruction.score.conditional:Conditional",
    "gibbs": "betaplus.reconstruction.score.gibbs:Gibbs",
    "dps": "betaplus.reconstruction.score.dps:Dps",
}
"""The same for those with a score model: beside settings they take `score.prior.ScoreInputs`."""

Watch = Callable[[int, np.ndarray], None]
"""Called with the number of passes through the data that are done, and the image."""


class Method(Protocol):
    """A method: typed settings with `subsets` among them, and `run`."""

    Settings: type

    def __init__(self, settings: Any) -> None: ...

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Reconstruct.

        Args:
            data: Counts, in the subsets of the settings.
            start: Image to start from, shape (X, Y, Z), or None.
            progress: Told of every pass through the data.
            watch: Told of every image on the way.

        Returns:
            The image, shape (X, Y, Z), float32, 0 outside the data's mask.
        """


class ScoreMethod(Protocol):
    """A method with a score model: it draws images; `draws` is among its settings."""

    Settings: type

    def __init__(self, settings: Any, inputs: ScoreInputs) -> None: ...

    def draws(
        self,
        data: Data,
        start: np.ndarray | None,
        progress: Progress,
        watch: Watch | None = None,
        kept: Kept | None = None,
    ) -> Draws:
        """Draw images.

        As `Method.run`, but that `watch` is told of network calls or turns; with `kept` it goes on
        from the states that are there, to the same bits.
        """

    def run(
        self, data: Data, start: np.ndarray | None, progress: Progress, watch: Watch | None = None
    ) -> np.ndarray:
        """Return the mean of the draws."""


def find_method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    return _find(METHODS, name)


def find_any(name: str) -> Any:
    """Return the class of a method, with a score model or without.

    Raises:
        UsageError: If there is none of that name.
    """
    return _find({**METHODS, **SCORE_METHODS}, name)


def find_score_method(name: str) -> type[ScoreMethod]:
    """Return the class of a method with a score model.

    Raises:
        UsageError: If there is none of that name.
    """
    return _find(SCORE_METHODS, name)


def _find(methods: Mapping[str, str], name: str) -> Any:
    if name not in methods:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(methods)}")
    module, _, attribute = methods[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def uniform_start(data: Data, start: np.ndarray | None) -> np.ndarray:
    """Return a copy of the image to start from: positive in the mask, 0 outside."""
    if start is None:
        return np.where(data.mask, data.level, 0.0).astype(np.float32)
    image = np.where(data.mask, np.maximum(start, 0.0), 0.0)
    return image.astype(np.float32)
