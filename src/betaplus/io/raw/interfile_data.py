"""The numbers beside an Interfile header: their type, byte order, place and scale."""

from __future__ import annotations

import gzip
import math
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import MOST_NUMBERS, belongs, can_unzip_to
from betaplus.io.raw.interfile_header import InterfileHeader

__all__ = ["NumberFormat", "data_file", "describe_type", "number_format", "read_numbers"]

_KINDS = {
    "float": "f",
    "short float": "f",
    "long float": "f",
    "double": "f",
    "signed integer": "i",
    "short": "i",
    "integer": "i",
    "unsigned integer": "u",
    "unsigned short": "u",
}
_SIZES = {"short float": 4, "long float": 8, "double": 8, "short": 2, "unsigned short": 2}
_ORDERS = {"littleendian": "<", "bigendian": ">"}
_NAMES = {"f": "float", "i": "signed integer", "u": "unsigned integer"}
_AT_A_TIME = 16 << 20  # bytes


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """How numbers are stored.

    Attributes:
        dtype: Type with its byte order.
        offset: Bytes before the first.
        scale: By which they are multiplied.
    """

    dtype: np.dtype
    offset: int
    scale: float


def number_format(header: InterfileHeader) -> NumberFormat:
    """Return how a header says that its numbers are stored.

    Raises:
        InputError: If it does not say, or the type is not known.
    """
    name = header.required("number format").lower()
    size = header.whole("number of bytes per pixel") or _SIZES.get(name, 0)
    kind = _KINDS.get(name)
    if kind is None or size not in ((4, 8) if kind == "f" else (1, 2, 4)):
        raise header.wrong(
            f"numbers are of format {name!r} with {size} bytes",
            "expected float of 4 or 8 bytes, or signed or unsigned integer of 1, 2 or 4",
        )
    order = header.text("imagedata byte order", "image data byte order")
    if order is None and size > 1:
        raise header.wrong(
            "'imagedata byte order' is missing", "expected LITTLEENDIAN or BIGENDIAN"
        )
    mark = _ORDERS.get((order or "littleendian").lower())
    if mark is None:
        raise header.wrong(f"byte order {order!r}", "expected LITTLEENDIAN or BIGENDIAN")
    offset = header.whole("data offset in bytes", "data offset in bytes [1]") or 0
    scales = set(header.texts("image scaling factor", "image scaling factor [1]") or ["1"])
    scale = math.nan
    if len(scales) == 1:
        try:
            scale = float(scales.pop())
        except ValueError:
            scale = math.nan
    if not math.isfinite(scale) or scale == 0.0:
        raise header.wrong("'image scaling factor' is not one number", "expected one for all data")
    if offset < 0:
        raise header.wrong(f"'data offset in bytes' is {offset}", "expected 0 or more")
    return NumberFormat(dtype=np.dtype(f"{mark}{kind}{size}"), offset=offset, scale=scale)


def describe_type(dtype: np.dtype) -> tuple[str, int]:
    """Return Interfile's name and the bytes of a type."""
    return _NAMES[dtype.kind], dtype.itemsize


def data_file(header: InterfileHeader) -> Path:
    """Return the file that a header names, or that file with ``.gz``.

    Raises:
        InputError: If neither is there, or the name leads out of the data set of the header.
    """
    name = header.required("name of data file").strip("\"'")
    path = os.path.join(header.path.parent, name.replace("\\", "/"))
    for candidate in map(Path, (path, path + ".gz")):
        if not belongs(candidate, header.path):
            raise header.wrong(
                f"'name of data file' is {name[:80]!r}, which leads out of the folder",
                f"expected a file in {header.path.parent}",
                "put the data beside the header and correct the name",
            )
        if os.path.isfile(candidate):
            return candidate
    raise InputError(
        f"{name[:80]}, which {header.path.name} names as its data, does not exist",
        f"expected it in {header.path.parent}",
        "put it there or correct 'name of data file'",
    )


def read_numbers(header: InterfileHeader, count: int) -> np.ndarray:
    """Return the numbers of a header as stored, shape (count,); of a plain file, without a copy.

    Raises:
        InputError: If there are more or fewer.
    """
    form, path = number_format(header), data_file(header)
    if count > MOST_NUMBERS:
        raise header.wrong(f"{count} numbers", f"expected at most {MOST_NUMBERS}")
    expected = form.offset + count * form.dtype.itemsize
    try:
        if path.suffix == ".gz" and not can_unzip_to(path.stat().st_size, expected):
            raise InputError(
                f"{path.name} of {path.stat().st_size} bytes cannot hold {expected}",
                f"expected so many as {header.path.name} says",
            )
        if path.suffix == ".gz":
            raw = _unzipped(path, expected)
            found = len(raw)
        else:
            raw, found = b"", path.stat().st_size
        if found != expected:
            more = "more than " if path.suffix == ".gz" and found > expected else ""
            raise InputError(
                f"{path.name} holds {more}{min(found, expected) if more else found} bytes",
                f"expected {expected} as {header.path.name} says ({count} numbers of"
                f" {form.dtype.itemsize} bytes after {form.offset})",
            )
        if path.suffix == ".gz":
            return np.frombuffer(raw, form.dtype, count, form.offset)
        mapped: Any = np.memmap(path, form.dtype, "r", form.offset, (count,))
        return mapped
    except OSError as error:
        raise InputError(f"{path.name} cannot be read: {error.strerror or error}") from error


def _unzipped(path: Path, most: int) -> bytes:
    """Return what a gzip file holds, up to one byte more than it should."""
    parts, size = [], 0
    try:
        with gzip.open(path) as file:
            while size <= most:
                part = file.read(min(_AT_A_TIME, most + 1 - size))
                if not part:
                    break
                parts.append(part)
                size += len(part)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path.name} is damaged: {error}", "expected a gzip file") from error
    return b"".join(parts)
