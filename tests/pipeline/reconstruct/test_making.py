"""What is said of frames that were made."""

from __future__ import annotations

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.pipeline.reconstruct.making import Made


def test_places_where_counts_refute_the_prior() -> None:
    grid = ImageGrid(shape=(20, 20, 10), voxel_size=(2.0, 2.0, 3.0))
    blobs = np.array([[3, 4, 5, 6.0, 4.4], [10, 2, 1, 10.0, -7.26]])
    none = np.empty((0, 5))
    image = np.zeros((*grid.shape, 2))

    def said(*frames: np.ndarray) -> list[str]:
        made = Made(images=image, sd=None, variation=None, blocks=1, resumed=0, blobs=frames)
        return list(made.refuted(grid.affine))

    assert said(none, none) == [] == said()
    x, y, z = (float(grid.affine[k, :3] @ (10, 2, 1) + grid.affine[k, 3]) for k in range(3))
    (text,) = said(blobs)
    place = f"({x:.0f}, {y:.0f}, {z:.0f}) mm is cold"
    assert "(2): the strongest, of 7.3 SD, at " + place in text
    (text,) = said(none, blobs[:1])
    assert text.startswith("frame 1: the counts refute") and text.endswith("hot")
