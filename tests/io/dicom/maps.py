"""Parametric maps read with pydicom, frame by frame to where each lies."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset


def map_voxels(data: Dataset, affine: np.ndarray) -> np.ndarray:
    """Return the values of a parametric map on a grid, shape (X, Y, Z).

    Args:
        data: The map, in frames of any order.
        affine: Voxel to world of the grid, RAS [mm].
    """
    frames = np.frombuffer(data.FloatPixelData, "<f4")
    frames = frames.reshape(-1, data.Rows, data.Columns)
    found = np.full((data.Columns, data.Rows, len(frames)), np.nan, np.float32)
    for pixels, group in zip(frames, data.PerFrameFunctionalGroupsSequence, strict=True):
        ras = np.array(group.PlanePositionSequence[0].ImagePositionPatient) * (-1, -1, 1)
        index = np.linalg.solve(affine, [*ras, 1.0])[:3]
        np.testing.assert_allclose(index, np.rint(index), atol=1e-3)
        x, y, z = np.rint(index).astype(int)
        assert (x, y) == (0, 0)
        found[:, :, z] = pixels.T
    return found
