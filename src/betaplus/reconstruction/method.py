"""What a reconstruction is given, and where each method is found."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.reconstruction.data import Data

__all__ = ["METHODS", "Method", "Watch", "find_method", "uniform_start"]

METHODS = {
    "osem": "betaplus.reconstruction.osem:Osem",
    "map-em": "betaplus.reconstruction.map_em:MapEm",
    "bsrem": "betaplus.reconstruction.bsrem:Bsrem",
    "svrg": "betaplus.reconstruction.svrg:Svrg",
}
"""Name to class; a new method is a new file and one line here."""

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


def find_method(name: str) -> type[Method]:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def uniform_start(data: Data, start: np.ndarray | None) -> np.ndarray:
    """Return a copy of the image to start from: positive in the mask, 0 outside."""
    if start is None:
        return np.where(data.mask, data.level, 0.0).astype(np.float32)
    image = np.where(data.mask, np.maximum(start, 0.0), 0.0)
    return image.astype(np.float32)
