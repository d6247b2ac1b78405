"""A block's arrays in one file that is whole or not there."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from betaplus.io.atomic import atomic_path

__all__ = ["load_arrays", "save_arrays"]

_DIGEST = hashlib.sha256().digest_size


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to one file, whole or not at all, without pickle.

    The file is an uncompressed `.npz` followed by the SHA-256 of it.

    Raises:
        OutputError: If it cannot be written.
        TypeError: If a value is not an array, or an array of Python objects.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            if not isinstance(array, np.ndarray) or array.dtype.hasobject:
                raise TypeError(f"result {name!r} is not an array of numbers or text")
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(buffer.getbuffer())
        file.write(hashlib.sha256(buffer.getbuffer()).digest())


def load_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """Read what `save_arrays` wrote, or return None if the file is missing, torn or altered."""
    try:
        content = memoryview(path.read_bytes())
    except FileNotFoundError:
        return None
    archive, digest = content[:-_DIGEST], content[-_DIGEST:]
    if hashlib.sha256(archive).digest() != digest:
        return None
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
