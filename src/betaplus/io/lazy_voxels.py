"""What voxels that are read as they are sliced have in common with an array."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LazyVoxels"]


class LazyVoxels:
    """Voxels with the shape of an array, which slicing reads: a base of those of each format."""

    shape: tuple[int, ...]

    @property
    def ndim(self) -> int:
        """Number of dimensions, 3 or 4."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("reading makes a copy")
        data = self.read()
        return data if dtype is None else data.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> np.ndarray:
        raise NotImplementedError

    def read(self) -> np.ndarray:
        """Return all voxels."""
        return self[...]
