"""How much of a file is believed: what is larger, deeper or elsewhere is refused unread.

Files come from anywhere. A header of a hundred bytes can ask for a terabyte, a megabyte of gzip can
hold a gigabyte, and a name in a header can lead to any file of the machine. Readers ask here before
they take memory or follow a name; the limits are far above what any scan needs.
"""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError

__all__ = [
    "LARGEST_TEXT",
    "LONGEST_AXIS",
    "MOST_CELLS",
    "MOST_NUMBERS",
    "MOST_VOXELS",
    "belongs",
    "can_unzip_to",
    "check_shape",
    "is_affine",
    "lies_in",
    "parse_json",
    "read_text",
    "read_toml",
    "refuse_strangers",
]

LARGEST_TEXT = 16 << 20
"""Of a table, a sidecar or a header [bytes]."""

MOST_CELLS = 2_000_000
"""Of a table."""

LONGEST_AXIS = (1 << 15) - 1
"""Voxels along an axis, as in NIfTI-1."""

MOST_VOXELS = 1 << 30
"""Of a volume, or numbers of a frame."""

MOST_NUMBERS = 1 << 36
"""Of a whole data set: 256 GiB as float32."""

_DEEPEST = 64  # levels of a JSON
_FURTHEST = 1e6  # mm: of a voxel from the origin
_LEAST_VOLUME = 1e-12  # mm3: of a voxel
_DEFLATE = 1032  # times smaller than its content a gzip file can be, at most (RFC 1951)
_GZIP_HEADER = 1 << 10  # bytes


def check_shape(shape: Sequence[int], name: str) -> None:
    """Refuse an image that no scanner makes, before memory is taken for it.

    Args:
        shape: (X, Y, Z) or (X, Y, Z, T).
        name: Of the file, for the message.

    Raises:
        InputError: If an axis, a volume or all of it is over the limits.
    """
    if max(shape) > LONGEST_AXIS or math.prod(shape[:3]) > MOST_VOXELS:
        raise InputError(
            f"{name} says that it has shape {tuple(shape)}",
            f"expected at most {LONGEST_AXIS} along an axis and {MOST_VOXELS} voxels in a volume",
        )
    if math.prod(shape) > MOST_NUMBERS:
        raise InputError(
            f"{name} says that it has shape {tuple(shape)}",
            f"expected at most {MOST_NUMBERS} numbers",
        )


def is_affine(matrix: np.ndarray) -> bool:
    """Return whether a matrix from voxel to world [mm] can be inverted and is of this world."""
    if not (np.isfinite(matrix).all() and np.abs(matrix).max() <= _FURTHEST):
        return False
    return bool(abs(np.linalg.det(matrix[:3, :3])) >= _LEAST_VOLUME)


def can_unzip_to(compressed: int, needed: int) -> bool:
    """Return whether a gzip file of so many bytes can hold as many bytes as are needed."""
    return needed <= _DEFLATE * compressed + _GZIP_HEADER


def read_text(path: Path, expected: str) -> str:
    """Return a text file of up to 16 MiB.

    Args:
        path: The file; no pipe or device.
        expected: What it should be, for messages.

    Raises:
        InputError: If it is missing, no file, too large, or no UTF-8 text.
    """
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path.name} is no file", expected)
        raw = _read_up_to(path, LARGEST_TEXT)
        if len(raw) > LARGEST_TEXT:
            raise InputError(
                f"{path.name} holds over {LARGEST_TEXT >> 20} MiB",
                expected,
                "give the file that was meant",
            )
        return raw.decode("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist", expected) from error
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read as text", expected) from error


def parse_json(text: str, name: str, expected: str, *, constants: bool = True) -> Any:
    """Return what a JSON text holds.

    Args:
        text: The text.
        name: Of its file, for messages.
        expected: What it should be, for messages.
        constants: Whether NaN and Infinity are taken, which are no JSON but which many write.

    Raises:
        InputError: If it is no JSON, or one of more than 64 levels.
    """
    try:
        read = json.loads(text, parse_constant=None if constants else _refuse)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{name} is not valid JSON at line {error.lineno}, column {error.colno}", expected
        ) from error
    except RecursionError as error:
        raise _too_deep(name) from error
    except ValueError as error:  # NaN, or a number of thousands of digits
        raise InputError(f"{name} is not valid JSON: {error}", expected) from error
    level: list[Any] = [read]
    for _ in range(_DEEPEST):
        level = [child for item in level for child in _children(item)]
        if not level:
            return read
    raise _too_deep(name)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file of up to 16 MiB holds.

    Raises:
        OSError: If it cannot be read.
        UnicodeDecodeError: If it is no UTF-8 text.
        tomllib.TOMLDecodeError: If it is no TOML, too large, or one of too many levels.
    """
    raw = _read_up_to(path, LARGEST_TEXT)
    if len(raw) > LARGEST_TEXT:
        raise tomllib.TOMLDecodeError(f"over {LARGEST_TEXT >> 20} MiB")
    try:
        return tomllib.loads(raw.decode())
    except RecursionError:
        raise tomllib.TOMLDecodeError("too many levels") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise
    except ValueError as error:  # a number of thousands of digits
        raise tomllib.TOMLDecodeError(str(error)) from error


def belongs(path: Path, owner: Path) -> bool:
    """Return whether a file that another one names or implies may be read.

    It may if it lies, its links followed, in the folder of its owner (as given, or where that is a
    link to) or in their data set: the nearest folder above with a ``dataset_description.json`` or a
    ``.git``, as git-annex keeps files by links.

    Args:
        path: The file that is named or implied: the data of a header, a sidecar.
        owner: The file, or the store, that the user has named.
    """
    try:
        return lies_in(path, owner.absolute().parent) or lies_in(path, owner.resolve().parent)
    except (OSError, RuntimeError, ValueError):  # a loop of links, or no path at all
        return False


def lies_in(path: Path, home: Path) -> bool:
    """Return whether a file lies, its links followed, in a folder or in its data set."""
    try:
        target = path.resolve()
        return any(target.is_relative_to(root) for root in _roots(home.absolute()))
    except (OSError, RuntimeError, ValueError):
        return False


def refuse_strangers(path: Path, owner: Path) -> None:
    """Refuse a file that another one names or implies and that does not belong to it.

    Raises:
        InputError: If it does not (see `belongs`).
    """
    if not belongs(path, owner):
        raise InputError(
            f"{path.name[:80]}, which belongs to {owner.name}, leads out of its data set",
            "expected it in the same folder",
            "copy it there",
        )


def _read_up_to(path: Path, most: int) -> bytes:
    """Return a file, or one byte more than `most` of it; room is taken for what is there only."""
    with path.open("rb") as file:
        return file.read(min(os.fstat(file.fileno()).st_size, most) + 1)


def _roots(home: Path) -> Iterator[Path]:
    """Yield a folder and those above it that hold its data set, links followed."""
    yield home.resolve()
    for mark in ("dataset_description.json", ".git"):
        for folder in (home, *home.parents):
            if (folder / mark).exists():
                yield folder.resolve()
                break


def _children(item: Any) -> list[Any]:
    values = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return [value for value in values if isinstance(value, dict | list)]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _too_deep(name: str) -> InputError:
    return InputError(f"{name} is JSON of over {_DEEPEST} levels", "expected plain fields")
