"""Voxels times a factor, read when they are used."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.io.lazy_voxels import LazyVoxels
from betaplus.io.nifti import full_key

__all__ = ["ScaledVoxels"]


class ScaledVoxels(LazyVoxels):
    """Voxels times a factor: slices like an array, float32.

    Args:
        data: What slices like an array, shape (X, Y, Z[, T]).
        factor: Shape () or, one a frame, (T,).
    """

    dtype = np.dtype(np.float32)

    def __init__(self, data: Any, factor: np.ndarray) -> None:
        self.data = data
        self.factor = np.asarray(factor, dtype=np.float64)
        self.shape = tuple(data.shape)
        if self.factor.shape not in ((), self.shape[3:]):
            raise ValueError(f"factor of shape {self.factor.shape} for voxels of {self.shape}")

    def __getitem__(self, key: Any) -> np.ndarray:
        full = full_key(key, self.ndim)
        factor = self.factor[full[3]] if self.factor.ndim else self.factor
        values = np.asarray(self.data[full], dtype=np.float64)
        return np.asarray(values * factor, dtype=np.float32)
