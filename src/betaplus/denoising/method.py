"""What a denoising method is, and where each is found."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from betaplus.core.errors import UsageError

if TYPE_CHECKING:
    from betaplus.denoising.volume import Volume

__all__ = [
    "BUNDLES",
    "LEARNED",
    "METHODS",
    "SAMPLED",
    "Denoised",
    "Method",
    "check_share",
    "find_method",
]

METHODS = {
    "mmse": "betaplus.denoising.mmse:Mmse",
    "consistency": "betaplus.denoising.consistency:Consistency",
    "ddim": "betaplus.denoising.sampled:Ddim",
    "ddpm": "betaplus.denoising.sampled:Ddpm",
    "gaussian": "betaplus.denoising.classical:Gaussian",
    "nlm": "betaplus.denoising.classical:Nlm",
}
"""Name to class; a new method is a new file and one line here."""

BUNDLES = {"mmse": "body", "consistency": "fast", "ddim": "draws", "ddpm": "draws"}
"""Name of the bundle that a method wants."""

LEARNED = tuple(BUNDLES)
"""Methods that need a network: they are made from settings and a `TrainedDenoiser`."""

SAMPLED = ("consistency", "ddim", "ddpm")
"""Methods that draw, and so have an SD."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Denoised:
    """A denoised volume.

    Attributes:
        mean: Shape (X, Y, Z) float32 [SUV].
        std: SD of draws, likewise; None where there are none.
    """

    mean: np.ndarray
    std: np.ndarray | None = None


class Method(Protocol):
    """A method: typed settings, and pieces of work that do not depend on each other."""

    Settings: type

    def pieces(self, volume: Volume) -> int:
        """Return the number of pieces."""

    def shared(self, volume: Volume) -> Any:
        """Return what all pieces of a volume need; it goes to every worker once."""

    def part(self, volume: Volume, index: int) -> Any:
        """Return what one piece needs besides; it goes to the worker that computes it."""

    def work(self, shared: Any, part: Any) -> np.ndarray:
        """Compute a piece from both."""

    def compute(self, volume: Volume, index: int) -> np.ndarray:
        """Compute a piece where the volume is at hand: `work` on `shared` and `part`."""

    def combine(self, volume: Volume, pieces: Sequence[np.ndarray]) -> Denoised:
        """Put the pieces together, which come in order."""


def find_method(name: str) -> Any:
    """Return the class of a method.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in METHODS:
        raise UsageError(f"method {name!r} is unknown", f"expected one of {', '.join(METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def check_share(name: str, share: float) -> None:
    """Refuse a setting that is no share.

    Args:
        name: Of the setting.
        share: Its value.

    Raises:
        UsageError: If it is not from 0 to 1.
    """
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"setting {name} is {share:g}", "expected 0 to 1")
