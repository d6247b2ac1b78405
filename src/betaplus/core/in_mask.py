"""A map that is kept for its voxels only, and fills a volume whenever it is asked for as one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

__all__ = ["InMask"]


class InMask(NDArrayOperatorsMixin):
    """Values of the voxels of a mask, which numpy takes for a volume with 0 outside it.

    Args:
        values: Shape (N, ...), in the order of the mask.
        mask: Shape (X, Y, Z), N of it True.
    """

    __slots__ = ("mask", "values")

    def __init__(self, values: np.ndarray, mask: np.ndarray) -> None:
        self.values, self.mask = values, mask

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the volume."""
        return (*self.mask.shape, *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        """Axes of the volume."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Elements of the volume."""
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        return self.values.dtype

    def __len__(self) -> int:
        """Return the length of the first axis."""
        return int(self.mask.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        volume = np.zeros(self.shape, dtype=self.dtype if dtype is None else dtype)
        volume[self.mask] = self.values
        return volume

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        if ufunc is np.multiply and method == "__call__" and not more:
            factor = next((x for x in inputs if isinstance(x, float | int)), None)
            if factor is not None and np.isfinite(factor):  # 0 stays 0
                return InMask(ufunc(self.values, factor), self.mask)
        dense = (np.asarray(x) if isinstance(x, InMask) else x for x in inputs)
        return getattr(ufunc, method)(*dense, **more)

    def __getitem__(self, key: Any) -> Any:
        return self.values if key is self.mask else np.asarray(self)[key]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)
