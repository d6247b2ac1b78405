"""The project's container of raw data, ``<src>_raw.zarr``: written frame by frame, read lazily."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.raw import RawScan
from betaplus.io.atomic import atomic_path
from betaplus.io.raw.store_arrays import StoredArray, check_values
from betaplus.io.raw.store_header import ARRAYS, NAME, StoreHeader, attributes_of

__all__ = ["read_raw", "write_raw"]

_COUNTS = frozenset(("prompts", "delayeds"))
_STATIC = frozenset(("efficiency", "attenuation"))
_CHUNK = 2 << 20  # numbers
_INTEGERS = (np.uint8, np.uint16, np.uint32)


def write_raw(path: str | Path, scan: RawScan) -> None:
    """Write raw data; `read_raw` gives the same numbers and fields again.

    A frame is read and held at a time. Counts are stored as the smallest of 8, 16 and 32 bits that
    holds them; counts that are not whole (means, for tests) and all else as float32. Every chunk
    has a checksum.

    Args:
        path: The folder to write, ``<src>_raw.zarr``.
        scan: What to write; its arrays may be lazy.

    Raises:
        UsageError: If the name is another.
        InputError: If a number is negative, NaN or infinite, or an attenuation over 1.
        OutputError: If it cannot be written.
    """
    import zarr

    path = Path(path)
    if not path.name.endswith("_raw.zarr"):
        raise UsageError(f"{path.name} as a container of raw data", "expected <name>_raw.zarr")
    with atomic_path(path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        group.attrs[NAME] = attributes_of(
            scan.scanner,
            scan.frames,
            scan.tracer,
            scan.injection,
            scan.sensitivity,
            scan.metadata,
            scan.remarks,
        )
        for name in ARRAYS:
            array = getattr(scan, name)
            if array is not None:
                _write(temporary, name, array, path.name)


def read_raw(path: str | Path) -> RawScan:
    """Open a container of raw data; numbers are read, and checked, when they are used.

    Raises:
        InputError: If it is missing, damaged, of another layout, or its parts disagree.
    """
    header = StoreHeader(path)
    arrays = {name: StoredArray(header.path, name, shape) for name, shape in header.shapes.items()}
    return RawScan(
        scanner=header.scanner,
        frames=header.frames,
        tracer=header.tracer,
        injection=header.injection,
        sensitivity=header.sensitivity,
        metadata=header.metadata,
        remarks=header.remarks,
        source=header.path,
        prompts=arrays["prompts"],
        delayeds=arrays.get("delayeds"),
        randoms=arrays.get("randoms"),
        scatter=arrays.get("scatter"),
        efficiency=arrays.get("efficiency"),
        attenuation=arrays.get("attenuation"),
    )


def _write(folder: Path, name: str, source: Any, where: str) -> None:
    """Write an array part by part: frames, or views of what has no frames."""
    shape = tuple(int(n) for n in source.shape)
    chunks = _chunks(shape, name)
    kind = np.dtype(np.uint8 if name in _COUNTS else np.float32)
    stored = _create(folder, name, shape, chunks, kind)
    for low in range(0, shape[0], chunks[0]):
        part = slice(low, min(low + chunks[0], shape[0]))
        values = np.asarray(source[part] if name in _STATIC else source[low])
        check_values(values, name, where)
        if name in _COUNTS:
            needed = np.promote_types(_smallest(values), kind)
            needed = np.dtype(np.float32) if needed.kind == "f" else needed
            if needed != kind:
                stored = _widen(folder, name, needed, low)
                kind = needed
        with np.errstate(over="raise"):
            try:
                stored[part if name in _STATIC else low] = values.astype(kind, copy=False)
            except FloatingPointError as error:
                raise InputError(
                    f"{name} in {where} are over the range of float32", "expected smaller numbers"
                ) from error


def _smallest(counts: np.ndarray) -> np.dtype:
    """Return the smallest type that holds counts."""
    if counts.dtype.kind == "f" and not np.array_equal(counts, np.rint(counts)):
        return np.dtype(np.float32)
    most = int(counts.max(initial=0))
    for kind in _INTEGERS:
        if most <= np.iinfo(kind).max:
            return np.dtype(kind)
    return np.dtype(np.float32)


def _widen(folder: Path, name: str, kind: np.dtype, done: int) -> Any:
    """Replace an array by one of a wider type, with the frames that are written already."""
    import zarr

    old = f"{name}-narrow"
    os.rename(folder / name, folder / old)
    narrow: Any = zarr.open_array(str(folder), path=old, mode="r", zarr_format=3)
    wide = _create(folder, name, narrow.shape, narrow.chunks, kind)
    for t in range(done):
        wide[t] = narrow[t].astype(kind)
    shutil.rmtree(folder / old)
    return wide


def _create(
    folder: Path, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], kind: np.dtype
) -> Any:
    import zarr
    from zarr.codecs import BloscCodec, Crc32cCodec

    group = zarr.open_group(str(folder), mode="r+", zarr_format=3)
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=kind,
        fill_value=0,
        compressors=(BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"), Crc32cCodec()),
        config={"write_empty_chunks": True},  # so that a missing one is known to be lost
    )


def _chunks(shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """Return chunks of some views of one frame, or of some radial bins where a view is too much."""
    frames = () if name in _STATIC else (1,)
    views, radial, *rest = shape[len(frames) :]
    line = int(np.prod(rest))
    bins = max(1, min(radial, _CHUNK // line))
    some = max(1, min(views, _CHUNK // (line * radial)))
    return (*frames, some, bins, *rest)
