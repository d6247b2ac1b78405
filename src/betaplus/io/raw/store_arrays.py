"""Arrays of the container of raw data, read when they are used."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.zarr_chunks import open_array

__all__ = ["StoredArray", "check_values"]

_MOST_ATTENUATION = 1.001  # a share; rounding


class StoredArray:
    """An array of a store: slices like an array, reads float32, holds no open file.

    Args:
        path: The store.
        name: The array.
        shape: Its shape.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, path: Path, name: str, shape: tuple[int, ...]) -> None:
        self.path, self.name, self.shape = path, name, shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        with _plain_errors(self.path):
            array = open_array(self.path, self.name)
        lists = isinstance(key, list | np.ndarray) or (
            isinstance(key, tuple) and any(isinstance(k, list | np.ndarray) for k in key)
        )
        with _plain_errors(self.path):
            values = np.asarray(array.oindex[key] if lists else array[key])
        check_values(values, self.name, self.path.name)
        return values.astype(np.float32, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("reading a file makes a copy")
        data = self[...]
        return data if dtype is None else data.astype(dtype, copy=False)


def check_values(values: np.ndarray, name: str, where: str) -> None:
    """Refuse what cannot be counts, means or shares.

    Raises:
        InputError: If a value is NaN, infinite or negative, or an attenuation over 1.
    """
    if values.size == 0 or values.dtype.kind == "u":
        return
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low + high):
        raise InputError(f"{name} in {where} hold NaN or infinity", "expected numbers from 0")
    if low < 0.0:
        raise InputError(
            f"{name} in {where} go down to {low:g}",
            "expected numbers from 0",
            "give prompts, randoms and scatter apart, not their difference",
        )
    if name == "attenuation" and high > _MOST_ATTENUATION:
        raise InputError(
            f"attenuation in {where} goes up to {high:g}",
            "expected shares of photon pairs that get out, 0 to 1",
            "give factors below 1, not corrections",
        )


@contextlib.contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Turn what zarr and its codecs raise into one line about the store."""
    try:
        yield
    except IndexError:
        raise
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror or error}", "expected a readable store"
        ) from error
    except (
        ArithmeticError,
        EOFError,
        KeyError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        said = str(error).splitlines()
        raise InputError(
            f"{path.name} is damaged: {said[0][:120] if said else ''}", "", "copy it again"
        ) from error
