"""Hot balls in white matter, which no prior was trained on, and what is left of their contrast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.evaluation.images.regions import contrast_recovery
from betaplus.simulation.raw.head import Head

__all__ = ["MULTIPLE", "RADII", "add_balls", "coarse_balls", "contrasts"]

RADII = (6.0, 5.0, 4.0)
"""Of the balls [mm], the largest where there is most white matter."""

MULTIPLE = 3.0
"""Their activity over that of white matter."""

_WHITE = 5  # label
_APART = 12.0  # mm between the surfaces of two
_MIDDLE = 0.6  # of the slices: where they lie


def add_balls(
    head: Head, activity: np.ndarray, radii: Sequence[float] = RADII, multiple: float = MULTIPLE
) -> tuple[np.ndarray, np.ndarray]:
    """Return activity with balls in it, and the balls: 1, 2, ... in the order of the radii.

    Each is put where white matter is deepest, away from those before it; 255 marks white matter
    further than 6 mm from a ball, both shape (X, Y, Z).

    Args:
        head: On the grid of the activity.
        activity: Shape (X, Y, Z).
        radii: Of the balls [mm].
        multiple: Their activity over the mean of white matter.
    """
    from scipy.ndimage import distance_transform_edt

    grid, white = head.grid, head.labels == _WHITE
    depth = distance_transform_edt(white, sampling=grid.voxel_size)
    x, y, z = np.meshgrid(*(grid.axis(i) for i in range(3)), indexing="ij", sparse=True)
    free = np.abs(z) <= _MIDDLE * np.abs(grid.axis(2)).max()
    out, balls = activity.copy(), np.zeros(activity.shape, np.uint8)
    mean = float(activity[white].mean(dtype=np.float64))
    near = np.zeros(white.shape, bool)
    for n, radius in enumerate(radii, start=1):
        place = np.unravel_index(int(np.argmax(depth * free)), depth.shape)
        a, b, c = (grid.axis(i)[place[i]] for i in range(3))
        away = np.sqrt((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2)
        out[away <= radius], balls[away <= radius] = multiple * mean, n
        free = free & (away > radius + _APART + max(radii))
        near |= away <= radius + 6.0
    balls[white & ~near] = 255
    return out, balls


def coarse_balls(balls: np.ndarray) -> np.ndarray:
    """Return labels on the grid of images: those that all of the 2 x 2 x 2 voxels have, else 0."""
    x, y, z = (n // 2 for n in balls.shape)
    blocks = balls.reshape(x, 2, y, 2, z, 2)
    low, high = blocks.min(axis=(1, 3, 5)), blocks.max(axis=(1, 3, 5))
    return np.where(low == high, low, 0).astype(np.uint8)


def contrasts(image: np.ndarray, truth: np.ndarray, balls: np.ndarray) -> dict[str, float]:
    """Return the mean contrast recovery of the balls [%], and the noise of white matter [%].

    The noise is the SD of what differs from the truth, over the mean of white matter.

    Args:
        image: Shape (X, Y, Z).
        truth: Likewise.
        balls: Of `coarse_balls`.
    """
    white = balls == 255
    background, true = (float(v[white].mean(dtype=np.float64)) for v in (image, truth))
    found = [
        contrast_recovery(
            float(image[balls == n].mean()), background, float(truth[balls == n].mean()) / true
        )
        for n in range(1, int(balls[~white].max()) + 1)
    ]
    noise = 100.0 * float((image - truth)[white].std()) / background
    return {"recovery": float(np.mean(found)), "least": float(np.min(found)), "noise": noise}
