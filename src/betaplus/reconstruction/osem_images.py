"""The OSEM images that a network is shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.progress import Silent
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.osem import Osem
from betaplus.reconstruction.scales import smoothed

__all__ = ["as_shown", "osem_images", "osem_passes"]

_SMOOTH = 5.0  # mm


def osem_images(data: Data, passes: int) -> np.ndarray:
    """Return OSEM after one pass, smoothed, and as it is after each pass: (1 + passes, X, Y, Z)."""
    return as_shown(data, osem_passes(data, passes))


def osem_passes(data: Data, passes: int) -> list[np.ndarray]:
    """Return OSEM as it is after each of some passes, shapes (X, Y, Z)."""
    seen: list[np.ndarray] = []
    settings = Osem.Settings(iterations=passes, subsets=len(data.order))
    Osem(settings).run(data, None, Silent(), lambda _, image: seen.append(image.copy()))
    return seen + seen[-1:] * (passes - len(seen))  # it ends when nothing changes


def as_shown(data: Data, seen: Sequence[np.ndarray]) -> np.ndarray:
    """Return the first of some images, smoothed, and all of them: (1 + images, X, Y, Z)."""
    return np.stack([smoothed(data, seen[0], _SMOOTH), *seen])
