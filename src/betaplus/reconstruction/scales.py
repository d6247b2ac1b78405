"""Scales of a problem, by which settings become numbers without a unit.

A prior's strength `beta` is given relative to the mean sensitivity, and differences relative to the
image's own level, so that neither the unit of the image nor that of the sensitivity matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Silent
from betaplus.physics.blur import GaussianBlur
from betaplus.reconstruction.data import Data
from betaplus.reconstruction.method import uniform_start
from betaplus.reconstruction.osem import Osem

__all__ = ["Scales", "first_image", "scales_of", "smoothed"]

_SMOOTH = 5.0  # mm


@dataclass(frozen=True, kw_only=True)
class Scales:
    """Scales of data and image.

    Attributes:
        sensitivity: Mean of the sensitivity, weighted by the image.
        level: Mean of the image, weighted by itself.
        top: Its largest value.
    """

    sensitivity: float
    level: float
    top: float


def first_image(data: Data, start: np.ndarray | None) -> np.ndarray:
    """Return an image to start from: the one that is given, or a smoothed first pass of OSEM."""
    if start is not None:
        return uniform_start(data, start)
    settings = Osem.Settings(iterations=1, subsets=len(data.order), filter=_SMOOTH)
    return Osem(settings).run(data, None, Silent())


def smoothed(data: Data, image: np.ndarray, width: float) -> np.ndarray:
    """Return an image blurred by a Gaussian of a full width at half maximum [mm]."""
    return GaussianBlur(data.grid.shape, data.grid.voxel_size, width).forward(image)


def scales_of(data: Data, image: np.ndarray) -> Scales:
    """Return the scales of data, as an image of them shows."""
    smooth = smoothed(data, image, _SMOOTH)
    weight = np.where(data.mask, smooth, 0.0).astype(np.float64)
    total = max(float(weight.sum()), np.finfo(float).tiny)
    return Scales(
        sensitivity=float((weight * data.sensitivity).sum() / total),
        level=float((weight * smooth).sum() / total),
        top=float(weight.max()),
    )
