"""ECAT 7 files: main header, directory of matrices, and a subheader for each frame.

All numbers are big-endian. A file is made of blocks of 512 bytes: the main header, then directory
blocks that are a list (each names the next), and for every frame a subheader with the voxels after
it. Where a field stands is as in nibabel; of a damaged or hostile file nothing is believed that the
file cannot hold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import check_shape

__all__ = ["EcatFile", "EcatFrame", "is_ecat", "read_ecat"]

_BLOCK = 512
_MAGIC = b"MATRIX7"
_MOST_DIRECTORIES = 1024  # blocks of 31 entries
_DELETED = 3  # status of a matrix
_VOLUMES = (6, 7)  # file_type: volumes of 8 and 16 bits
_KINDS = {1: "2-D sinograms", 2: "single slices", 3: "an attenuation map", 4: "a normalisation",
          8: "projections", 9: "projections", 11: "3-D sinograms", 12: "3-D sinograms",
          13: "a normalisation", 14: "3-D sinograms"}  # fmt: skip
_TYPES = {1: "u1", 2: "<i2", 5: ">f4", 6: ">i2", 7: ">i4"}


@dataclass(frozen=True, kw_only=True)
class EcatFrame:
    """One volume of a file.

    Attributes:
        number: Of the frame, from 1.
        offset: First byte of its voxels.
        scale: Factor from stored to calibrated values, without the calibration.
        start: Of the frame [s from the start of the scan].
        duration: Of it [s].
        decay_factor: What the voxels were multiplied by for decay.
        corrections: Bits of the corrections that were made.
        shape: (X, Y, Z).
        dtype: Of the stored numbers.
        size: Of a voxel [mm].
        centre: Of the volume [mm], along the axes of the file.
    """

    number: int
    offset: int
    scale: float
    start: float
    duration: float
    decay_factor: float
    corrections: int
    shape: tuple[int, int, int]
    dtype: np.dtype
    size: tuple[float, float, float]
    centre: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class EcatFile:
    """What the headers of a file say.

    Attributes:
        path: The file.
        main: Fields of the main header, by nibabel's names.
        frames: In order of their numbers.
    """

    path: Path
    main: dict[str, Any]
    frames: tuple[EcatFrame, ...]


def is_ecat(path: str | Path) -> bool:
    """Return whether a file begins as ECAT 7 does."""
    try:
        with Path(path).open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def read_ecat(path: str | Path) -> EcatFile:
    """Read the headers of an ECAT 7 file of volumes.

    Raises:
        InputError: If it is damaged, gated or of several beds, or holds no volumes; the message
            names the field.
    """
    from nibabel.ecat import hdr_dtype

    path = Path(path)
    try:
        whole = path.stat().st_size
        with path.open("rb") as file:
            block = file.read(_BLOCK)
            if len(block) < _BLOCK or not block.startswith(_MAGIC):
                raise _damaged(path, "its main header is cut short")
            record = np.frombuffer(block, hdr_dtype.newbyteorder(">"))[0]
            main = {name: _plain(record[name]) for name in hdr_dtype.names or ()}
            _refuse(main, path)
            frames = [_frame(file, entry, whole, path) for entry in _entries(file, path)]
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror or error}", "expected an ECAT 7 file"
        ) from error
    if not frames:
        raise _damaged(path, "its directory lists no frame")
    frames.sort(key=lambda frame: frame.number)
    for a, b in pairwise(frames):
        if a.number == b.number:
            raise _damaged(path, f"frame {a.number} is listed twice")
        if (a.shape, a.size, a.centre) != (b.shape, b.size, b.centre):
            raise _damaged(path, f"frames {a.number} and {b.number} are not on one grid")
    check_shape((*frames[0].shape, len(frames)), path.name)
    return EcatFile(path=path, main=main, frames=tuple(frames))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.split(b"\0")[0].decode("latin-1").strip()
    return value.item() if np.ndim(value) == 0 else None


def _refuse(main: dict[str, Any], path: Path) -> None:
    kind = main["file_type"]
    if kind not in _VOLUMES:
        raise InputError(
            f"{path.name} holds {_KINDS.get(kind, 'no volumes')} (file_type {kind})",
            "expected an ECAT 7 image: file_type 7",
        )
    for name, least, what in (("num_gates", 1, "gated"), ("num_bed_pos", 0, "of several beds")):
        if main[name] > least:
            raise InputError(
                f"{path.name} is {what} ({name} is {main[name]})",
                "expected frames of one bed without gates",
                "take the image that is put together, or convert it to PET-BIDS",
            )


def _entries(file: BinaryIO, path: Path) -> list[tuple[int, int]]:
    """Return number and first block of every frame that the directory lists."""
    found: list[tuple[int, int]] = []
    block, seen = 2, set[int]()
    while block > 1:
        if block in seen or len(seen) >= _MOST_DIRECTORIES:
            raise _damaged(path, "its directory goes in a circle")
        seen.add(block)
        file.seek((block - 1) * _BLOCK)
        raw = file.read(_BLOCK)
        if len(raw) < _BLOCK:
            raise _damaged(path, "its directory is cut short")
        rows = np.frombuffer(raw, ">i4").reshape(32, 4)
        used = int(rows[0, 3])
        if not 0 <= used <= 31:
            raise _damaged(path, f"its directory lists {used} frames in a block")
        for ident, first, _, status in rows[1 : used + 1].tolist():
            if ident != 0 and status != _DELETED:
                found.append((ident & 0x1FF, first))
        block = int(rows[0, 1])
        if block == 2:  # the last names the first
            break
    return found


def _frame(file: BinaryIO, entry: tuple[int, int], whole: int, path: Path) -> EcatFrame:
    from nibabel.ecat import subhdr_dtype

    number, block = entry
    start = (block - 1) * _BLOCK
    if block < 2 or start + _BLOCK > whole:
        raise _damaged(path, f"frame {number} lies outside of it")
    file.seek(start)
    record = np.frombuffer(
        file.read(_BLOCK)[: subhdr_dtype.itemsize], subhdr_dtype.newbyteorder(">")
    )
    sub = {name: _plain(record[0][name]) for name in subhdr_dtype.names or ()}
    if sub["data_type"] not in _TYPES:
        raise InputError(
            f"data_type is {sub['data_type']} in frame {number} of {path.name}",
            f"expected one of {', '.join(map(str, _TYPES))}",
        )
    dtype = np.dtype(_TYPES[sub["data_type"]])
    shape = (sub["x_dimension"], sub["y_dimension"], sub["z_dimension"])
    needed = math.prod(shape) * dtype.itemsize
    if min(shape) < 1:
        raise InputError(f"frame {number} of {path.name} has shape {shape}", "expected a volume")
    if start + _BLOCK + needed > whole:
        raise InputError(
            f"{path.name} is truncated: {max(whole - start - _BLOCK, 0)} bytes of frame {number}",
            f"expected {needed}",
            "copy the file again",
        )
    size, centre = (
        tuple(10.0 * sub[f"{axis}_{what}"] for axis in "xyz") for what in ("pixel_size", "offset")
    )
    for name in ("scale_factor", "decay_corr_fctr"):
        if not (math.isfinite(sub[name]) and sub[name] >= 0.0):
            raise InputError(
                f"{name} is {sub[name]:g} in frame {number} of {path.name}", "expected a number"
            )
    return EcatFrame(
        number=number,
        offset=start + _BLOCK,
        scale=sub["scale_factor"],
        start=1e-3 * sub["frame_start_time"],
        duration=1e-3 * sub["frame_duration"],
        decay_factor=sub["decay_corr_fctr"],
        corrections=sub["corrections_applied"],
        shape=shape,
        dtype=dtype,
        size=(size[0], size[1], size[2]),
        centre=(centre[0], centre[1], centre[2]),
    )


def _damaged(path: Path, what: str) -> InputError:
    return InputError(
        f"{path.name} is a damaged ECAT 7 file: {what}", "expected headers and frames",
        "copy the file again",
    )  # fmt: skip
