"""NIfTI files read lazily, float32 on read, streamed frame by frame."""

from __future__ import annotations

import contextlib
import logging
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import can_unzip_to, check_shape, is_affine
from betaplus.io.lazy_voxels import LazyVoxels

__all__ = ["LazyNifti", "NiftiHeader", "full_key", "open_nifti"]

_MILLIMETRES = {"meter": 1e3, "micron": 1e-3}
_NIFTI2 = 540  # bytes of a header of NIfTI-2, and what it begins with; NIfTI-1 has 348
_WRONG = 40  # how bad a header must be, on nibabel's scale, not to be used
_SILENT = logging.Logger("betaplus", logging.CRITICAL)
_LARGEST_OFFSET = 64 << 20  # bytes: of extensions before the voxels


class NiftiHeader:
    """What is needed of a NIfTI header, without an open file.

    Attributes:
        path: The file.
        shape: Shape, (X, Y, Z) or (X, Y, Z, T); trailing dimensions of length 1 beyond the
            fourth are gone.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        dtype: Type on disk.
        offset: First byte of the data.
        slope: Scale of the stored numbers.
        intercept: Offset of the stored numbers.
        space_code: NIfTI code of the space that the affine leads to.
        remarks: What was untidy.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.remarks: tuple[str, ...] = ()
        header = _read_header(self.path)
        self.dtype = np.dtype(header.get_data_dtype())
        if self.dtype.kind not in "iuf":
            raise InputError(f"{self.path.name} holds {self.dtype} voxels", "expected real numbers")
        self.offset = self._checked_offset(header)
        with _plain_errors(self.path):
            slope, intercept = header.get_slope_inter()
            shape = tuple(int(n) for n in header.get_data_shape())
        self.slope = 1.0 if slope is None else float(slope)
        self.intercept = 0.0 if intercept is None else float(intercept)
        self.shape = self._checked_shape(shape)
        self.affine = self._checked_affine(header)
        self.space_code = int(header["sform_code"]) or int(header["qform_code"]) or 1
        self._check_size()

    def _check_size(self) -> None:
        """Refuse a file that cannot hold its voxels, before memory is taken for them."""
        needed = self.offset + math.prod(self.shape) * self.dtype.itemsize
        found = self.path.stat().st_size
        zipped = self.path.suffix.lower() == ".gz"
        if not (can_unzip_to(found, needed) if zipped else found >= needed):
            raise InputError(
                f"{self.path.name} is truncated: {found} bytes",
                f"expected {needed}{' when unzipped' if zipped else ''}",
                "copy or convert the file again",
            )

    def _checked_offset(self, header: Any) -> int:
        offset = float(header["vox_offset"])
        least = header.single_vox_offset
        if not (offset == 0.0 or least <= offset <= _LARGEST_OFFSET):
            raise InputError(
                f"the voxels of {self.path.name} begin at byte {offset:g}",
                f"expected {least} to {_LARGEST_OFFSET}",
            )
        return int(offset) or least

    def _checked_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        found = shape
        while len(shape) > 4 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) not in (3, 4) or min(shape) < 1:
            raise InputError(
                f"{self.path.name} has shape {found}", "expected (X, Y, Z) or (X, Y, Z, T)"
            )
        check_shape(shape, self.path.name)
        return shape

    def _checked_affine(self, header: Any) -> np.ndarray:
        with _plain_errors(self.path):
            affine = np.array(header.get_best_affine(), dtype=np.float64)
            unit = header.get_xyzt_units()[0]
        if not is_affine(affine):
            raise InputError(
                f"the affine of {self.path.name} is singular", "expected a voxel size above 0"
            )
        if header["sform_code"] == 0 and header["qform_code"] == 0:
            self.remarks += (
                f"{self.path.name} says nothing of its orientation: axes taken as they are stored",
            )
        if unit in _MILLIMETRES:
            affine[:3] *= _MILLIMETRES[unit]
            self.remarks += (f"affine of {self.path.name} converted from {unit} to mm",)
        return affine


class LazyNifti(LazyVoxels):
    """The voxels of a NIfTI file: slices like an array, reads float32, holds no open file.

    Args:
        header: The file.
        keep: Index of the frames that count, shape (T,), or None for all of them.
        shape: Shape to show where it is not that of the file (a fourth dimension of 1 dropped).
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        header: NiftiHeader,
        keep: np.ndarray | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.header = header
        stored = header.shape[3] if len(header.shape) == 4 else 1
        self._keep = np.arange(stored) if keep is None else np.asarray(keep, dtype=np.intp)
        if shape is None:
            shape = (*header.shape[:3], self._keep.size) if len(header.shape) == 4 else header.shape
        self.shape = shape

    def with_frames(self, keep: np.ndarray | None) -> LazyNifti:
        """Return the same file with the frames of an index only; None makes one frame a volume."""
        return LazyNifti(self.header, keep, self.header.shape[:3] if keep is None else None)

    def __getitem__(self, key: Any) -> np.ndarray:
        full = full_key(key, self.ndim)
        space = full[:3]
        if self.header.path.suffix.lower() == ".nii":
            return self._mapped(space, full[3:])
        if self.ndim == 3:
            for _, frame in self.stream():
                return np.array(frame[space], order="C")
        chosen = np.arange(self.shape[3])[full[3]]
        if chosen.ndim > 1:
            raise IndexError("frames are chosen by a number, a slice or a list")
        which = np.atleast_1d(chosen)
        template = np.empty(self.shape[:3], dtype=np.bool_)[space]
        out = np.empty((*template.shape, which.size), dtype=np.float32)
        for position, frame in self.stream(which):
            out[..., position] = frame[space]
        return out if chosen.ndim else out[..., 0]

    def _mapped(self, space: tuple, frames: tuple) -> np.ndarray:
        """Read an uncompressed file through a memory map: only what is asked for."""
        header = self.header
        shape = (*header.shape, 1)[:4]
        with _plain_errors(header.path):
            stored = np.memmap(
                header.path, header.dtype, "r", offset=header.offset, shape=shape, order="F"
            )
        chosen = self._keep[frames] if frames else self._keep[0]
        return np.array(self._scaled(stored[(*space, slice(None))][..., chosen]), order="C")

    def read(self, frames: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return all or the given frames as float32, time-contiguous, shape (X, Y, Z[, T]).

        Raises:
            InputError: If the file is truncated or corrupt.
        """
        if self.ndim == 3:
            return self[...]
        which = np.arange(self.shape[3]) if frames is None else np.asarray(frames, dtype=np.intp)
        return self[:, :, :, which]

    def stream(self, frames: Sequence[int] | np.ndarray | None = None) -> Iterator[tuple]:
        """Yield (position in `frames`, frame of shape (X, Y, Z) float32) in one pass of the file.

        Raises:
            InputError: If the file is truncated or corrupt.
        """
        from nibabel.openers import ImageOpener

        stored = self._keep if frames is None else self._keep[np.asarray(frames, dtype=np.intp)]
        wanted: dict[int, list[int]] = {}
        for position, index in enumerate(stored.tolist()):
            wanted.setdefault(index, []).append(position)
        header = self.header
        total = header.shape[3] if len(header.shape) == 4 else 1
        size = math.prod(header.shape[:3]) * header.dtype.itemsize
        with _plain_errors(header.path), ImageOpener(str(header.path), "rb") as file:
            at = 0
            for index in sorted(wanted):
                begin = header.offset + index * size
                if begin != at:
                    file.seek(begin)
                raw = file.read(size)
                at = begin + size
                if len(raw) < size:
                    raise EOFError
                if index == total - 1:
                    file.read(1)  # makes gzip check what it read
                stored_frame = np.frombuffer(raw, dtype=header.dtype)
                frame = self._scaled(stored_frame).reshape(header.shape[:3], order="F")
                for position in wanted[index]:
                    yield position, frame

    def slabs(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield (planes, frames, their voxels of shape (X, Y, planes, frames)): frame by frame.

        Raises:
            InputError: If the file is truncated or corrupt.
        """
        for t, frame in self.stream():
            yield slice(0, self.shape[2]), slice(t, t + 1), frame[..., None]

    def _scaled(self, stored: np.ndarray) -> np.ndarray:
        header = self.header
        if header.slope != 1.0 or header.intercept != 0.0:
            stored = stored.astype(np.float64) * header.slope + header.intercept
        with np.errstate(over="ignore"):
            return np.asarray(stored, dtype=np.float32)


def open_nifti(path: str | Path) -> LazyNifti:
    """Open a NIfTI-1 or NIfTI-2 file; only the header is read.

    Raises:
        InputError: If the file is missing, is no NIfTI, or its header is corrupt.
    """
    return LazyNifti(NiftiHeader(path))


def _read_header(path: Path) -> Any:
    """Return nibabel's header of a file, without the extensions behind it.

    They are of any length and of no use here.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist", "expected a NIfTI file")
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        raise InputError(f"{path.name} is no NIfTI file by its name", "expected .nii or .nii.gz")
    from nibabel import Nifti1Header, Nifti2Header
    from nibabel.openers import ImageOpener

    with _plain_errors(path):
        with ImageOpener(str(path), "rb") as file:
            block = file.read(_NIFTI2)
        kind = Nifti2Header if _starts_with(block, _NIFTI2) else Nifti1Header
        size = kind.template_dtype.itemsize
        if len(block) < size or not _starts_with(block, size):
            raise ValueError("no NIfTI header")
        header = kind(block[:size], check=False)
        header.check_fix(logger=_SILENT, error_level=_WRONG)
        if not bytes(header["magic"]).startswith((b"n+1", b"n+2")):
            raise ValueError("voxels are in another file")
    return header


def _starts_with(block: bytes, size: int) -> bool:
    return block[:4] in (size.to_bytes(4, "little"), size.to_bytes(4, "big"))


@contextlib.contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Turn what gzip, nibabel and the system raise into one line about the file."""
    import gzip

    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    try:
        yield
    except EOFError as error:
        raise InputError(
            f"{path.name} is truncated", "expected all voxels", "copy or convert the file again"
        ) from error
    except (zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path.name} is a damaged gzip file: {error}", todo="copy or convert the file again"
        ) from error
    except (ImageFileError, HeaderDataError, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is not a readable NIfTI file", "expected NIfTI") from error
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror or error}", "expected a readable file"
        ) from error


def full_key(key: Any, ndim: int) -> tuple:
    """Return an index of an image with an entry for every dimension.

    Raises:
        IndexError: If there are too many entries, or a voxel is chosen by a list.
    """
    key = key if isinstance(key, tuple) else (key,)
    dots = [i for i, item in enumerate(key) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can hold one ellipsis")
    if any(item is None for item in key) or len(key) - len(dots) > ndim:
        raise IndexError(f"too many indices for {ndim} dimensions")
    if dots:
        fill = (slice(None),) * (ndim - len(key) + 1)
        key = key[: dots[0]] + fill + key[dots[0] + 1 :]
    key = key + (slice(None),) * (ndim - len(key))
    for item in key[:3]:
        if not isinstance(item, (int, np.integer, slice)):
            raise IndexError("voxels are chosen by numbers and slices")
    return key
