"""Lesions in an image: uptake relative to what surrounds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.simulation.lesions.shape import Lesion
from betaplus.simulation.phantom import Phantom

__all__ = ["background", "paint_lesions"]

_SHELL = 6.0  # mm: thickness of the surroundings
_FEWEST = 8  # voxels


def paint_lesions(image: np.ndarray, phantom: Phantom, lesions: Sequence[Lesion]) -> np.ndarray:
    """Return an image with lesions, shape (X, Y, Z) float32.

    A voxel that is only partly lesion has the mean of what is in it.

    Args:
        image: SUV without lesions, likewise.
        phantom: Label map without lesions.
        lesions: Of `add_lesions`.
    """
    out = image.copy()
    flat = out.reshape(-1)
    for lesion in lesions:
        around = background(image, phantom, lesion)
        dead = 0.0 if lesion.core is None else lesion.core
        rest = 1.0 - lesion.share - lesion.dead
        flat[lesion.voxels] = (
            rest * flat[lesion.voxels]
            + around * (lesion.contrast * lesion.share + dead * lesion.dead)
        )  # fmt: skip
    return out


def background(image: np.ndarray, phantom: Phantom, lesion: Lesion) -> float:
    """Return the mean uptake of a lesion's host tissue within a shell around it."""
    host = next(label for label, name in phantom.names.items() if name == lesion.host)
    reach = 0.5 * lesion.diameter + _SHELL
    inverse = np.linalg.inv(phantom.affine[:3, :3])
    middle = inverse @ (np.asarray(lesion.centre) - phantom.affine[:3, 3])
    half = reach * np.linalg.norm(inverse, axis=1)
    low = np.maximum(np.floor(middle - half), 0).astype(int)
    high = np.minimum(np.ceil(middle + half) + 1, image.shape).astype(int)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    index = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)),
                                 indexing="ij"), -1)  # fmt: skip
    away = np.linalg.norm((index - middle) @ phantom.affine[:3, :3].T, axis=-1)
    inside = phantom.labels[box] == host
    shell = inside & (away > 0.5 * lesion.diameter) & (away < reach)
    chosen = shell if shell.sum() >= _FEWEST else inside
    return float(image[box][chosen].mean(dtype=np.float64)) if chosen.any() else 0.0
