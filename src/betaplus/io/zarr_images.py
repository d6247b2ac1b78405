"""PET images as zarr v3 stores: read lazily, float32 on read, time-contiguous.

A store ``sub-01_pet.zarr`` is a group with one array ``data`` of shape (X, Y, Z) or (X, Y, Z, T).
Its attributes are ``affine`` (4 x 4, voxel to world [mm]) and ``pet`` (the PET-BIDS fields; where
they are not there, the JSON beside the store has them).
"""

from __future__ import annotations

import contextlib
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.io.atomic import atomic_path
from betaplus.io.image_fields import image_fields
from betaplus.io.images import make_image
from betaplus.io.jsons import plain
from betaplus.io.lazy_voxels import LazyVoxels
from betaplus.io.nifti import LazyNifti, full_key
from betaplus.io.zarr_chunks import open_array
from betaplus.io.zarr_header import ZarrHeader

__all__ = ["LazyZarr", "load_zarr_image", "open_zarr", "write_zarr_image"]

_EDGE = 32  # voxels: edge of a chunk, which holds all frames
_AT_A_TIME = 256 << 20  # bytes: voxels held while a store is read or written
_IN_FLIGHT = 2  # chunks decompressed at a time: each is held beside the voxels it goes to


class LazyZarr(LazyVoxels):
    """The voxels of a zarr store: slices like an array, reads float32, holds no open file.

    Args:
        header: The store.
        keep: Index of the frames that count, shape (T,), or None for all of them.
        shape: Shape to show where it is not that of the store (a fourth dimension of 1 dropped).
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        header: ZarrHeader,
        keep: np.ndarray | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        self.header = header
        stored = header.shape[3] if len(header.shape) == 4 else 1
        self._keep = np.arange(stored) if keep is None else np.asarray(keep, dtype=np.intp)
        if shape is None:
            shape = (*header.shape[:3], self._keep.size) if len(header.shape) == 4 else header.shape
        self.shape = shape

    def with_frames(self, keep: np.ndarray | None) -> LazyZarr:
        """Return the same file with the frames of an index only; None makes one frame a volume."""
        return LazyZarr(self.header, keep, self.header.shape[:3] if keep is None else None)

    def __getitem__(self, key: Any) -> np.ndarray:
        full = full_key(key, self.ndim)
        pairs = [_bounds(item, n) for item, n in zip(full[:3], self.shape, strict=False)]
        box, inner = tuple(p[0] for p in pairs), tuple(p[1] for p in pairs)
        chosen = self._keep[full[3]] if self.ndim == 4 else self._keep[0]
        if np.ndim(chosen) > 1:
            raise IndexError("frames are chosen by a number, a slice or a list")
        which = np.atleast_1d(chosen)
        low, high = (int(which.min()), int(which.max()) + 1) if which.size else (0, 0)
        values = self._read(self._open(), box, slice(low, high))
        return np.array(values[(*inner, slice(None))][..., chosen - low], order="C")

    def read(self, frames: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Return all or the given frames as float32, time-contiguous, shape (X, Y, Z[, T]).

        Raises:
            InputError: If a chunk is damaged.
        """
        if self.ndim == 3:
            return self[...]
        which = np.arange(self.shape[3]) if frames is None else np.asarray(frames, dtype=np.intp)
        return self[:, :, :, which]

    def stream(self, frames: Sequence[int] | np.ndarray | None = None) -> Iterator[tuple]:
        """Yield (position in `frames`, frame of shape (X, Y, Z) float32).

        Several frames are read at a time, as many as fit into 256 MiB; a store that holds all
        frames in one chunk is read faster by `slabs`.

        Raises:
            InputError: If a chunk is damaged.
        """
        stored = self._keep if frames is None else self._keep[np.asarray(frames, dtype=np.intp)]
        array = self._open()
        space = tuple(slice(0, n) for n in self.header.shape[:3])
        group = max(1, _AT_A_TIME // (4 * math.prod(self.header.shape[:3])))
        chunk = (*self.header.chunks, 1)[3]
        group -= group % chunk if group > chunk else 0
        order = np.argsort(stored, kind="stable")
        for first in range(0, order.size, group):
            positions = order[first : first + group]
            low, high = int(stored[positions[0]]), int(stored[positions[-1]]) + 1
            values = self._read(array, space, slice(low, high))
            for position in positions.tolist():
                yield position, values[..., int(stored[position]) - low]

    def slabs(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield (planes, frames, their voxels of shape (X, Y, planes, frames) float32).

        A slab is a layer of chunks, so that every chunk is read once; where a layer is over
        256 MiB it is cut, and its chunks are read more than once. The planes of a frame come in
        ascending order.

        Raises:
            InputError: If a chunk is damaged.
        """
        x, y, z, stored = (*self.header.shape, 1)[:4]
        depth, length = min(self.header.chunks[2], z), min((*self.header.chunks, 1)[3], stored)
        while depth > 1 and 4 * x * y * depth * length > _AT_A_TIME:
            depth = -(-depth // 2)
        while length > 1 and 4 * x * y * depth * length > _AT_A_TIME:
            length = -(-length // 2)
        array = self._open()
        for first in range(0, stored, length):
            inside = (self._keep >= first) & (self._keep < first + length)
            if not inside.any():
                continue
            at = np.flatnonzero(inside)
            kept = self._keep[at] - first
            frames = slice(int(at[0]), int(at[-1]) + 1)
            for low in range(0, z, depth):
                planes = slice(low, min(low + depth, z))
                space = (slice(0, x), slice(0, y), planes)
                last = min(first + length, stored)
                which = None if kept.size == last - first else kept
                # A slab has no name here: it is gone when its user reads the next one.
                yield planes, frames, self._read(array, space, slice(first, last), which)

    def _open(self) -> Any:
        with _plain_errors(self.header.path):
            return open_array(self.header.path, "data")

    def _read(
        self,
        array: Any,
        space: tuple[slice, ...],
        frames: slice,
        which: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return a box of stored voxels as float32, with an axis of frames, or of some of them."""
        import zarr

        four = len(self.header.shape) == 4
        shape = [part.stop - part.start for part in (*space, frames)]
        if 0 in shape:
            return np.empty(shape, dtype=np.float32)
        few = zarr.config.set({"async.concurrency": _IN_FLIGHT})
        with few, _plain_errors(self.header.path), np.errstate(over="ignore"):
            values = np.asarray(array[(*space, frames) if four else space])
            values = values.reshape(shape).astype(np.float32, copy=False)
        return values if which is None else values[..., which]


def open_zarr(path: str | Path) -> LazyZarr:
    """Open a zarr store of an image; only its metadata are read.

    Raises:
        InputError: If it is missing, is no zarr v3 group with an array ``data`` of numbers and an
            affine, holds links, or needs a codec that is not known to be harmless.
    """
    return LazyZarr(ZarrHeader(path))


def load_zarr_image(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> PetImage:
    """Load a zarr store of an image; voxels are read when they are used.

    Args:
        path: The ``.zarr`` folder.
        unit: Activity unit, where the fields lack ``Units``.
        radionuclide: Radionuclide, where the fields lack ``TracerRadionuclide``.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from TimeZero, where the
            fields do not say.

    Raises:
        InputError: If the store or a field that is needed is missing or wrong.
        UsageError: If an option contradicts the fields.
    """
    data = open_zarr(path)
    return make_image(data, data.header.sidecar(), unit, radionuclide, decay_corrected_to)


def write_zarr_image(
    path: str | Path, image: PetImage, sidecar: Mapping[str, Any] | None = None
) -> None:
    """Write an image as a zarr store; `load` reads voxels and frame times bit-equal.

    Chunks are 32 x 32 x 32 voxels with all their frames. A lazy image is read in slabs of whole
    chunks of up to 256 MiB (or one layer of chunks, if that is more), and never held whole; from
    a ``.nii.gz`` every slab is one pass through the file.

    Args:
        path: The ``.zarr`` folder to write.
        image: The image; its own attributes overrule its metadata.
        sidecar: More fields that change; None removes one.

    Raises:
        InputError: If the image is a file that is truncated or corrupt.
        OutputError: If it cannot be written.
    """
    import zarr
    from zarr.codecs import BloscCodec

    shape = image.shape
    chunks = (*(min(n, _EDGE) for n in shape[:3]), *shape[3:])
    layer = 4 * math.prod(shape) * chunks[2] // shape[2]
    depth = chunks[2] * max(1, _AT_A_TIME // layer)
    code = image.data.header.space_code if isinstance(image.data, LazyNifti | LazyZarr) else 1
    with atomic_path(path) as temporary:
        group = zarr.open_group(str(temporary), mode="w", zarr_format=3)
        group.attrs.update(
            {
                "affine": np.asarray(image.affine, dtype=np.float64).tolist(),
                "space_code": code,
                "pet": plain(image_fields(image, sidecar)),
            }
        )
        array = group.create_array(
            "data",
            shape=shape,
            chunks=chunks,
            dtype=np.float32,
            fill_value=0.0,
            compressors=BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle"),
            config={"write_empty_chunks": True},  # so that a missing one is known to be lost
        )
        for low in range(0, shape[2], depth):
            planes = slice(low, min(low + depth, shape[2]))
            array[:, :, planes] = np.asarray(image.data[:, :, planes], dtype=np.float32)


def _bounds(item: int | slice, n: int) -> tuple[slice, int | slice]:
    """Return the range of an axis that an index needs, and the index inside it."""
    if not isinstance(item, slice):
        at = int(item) + (n if item < 0 else 0)
        if not 0 <= at < n:
            raise IndexError(f"index {item} is out of bounds for an axis of {n}")
        return slice(at, at + 1), 0
    chosen = range(n)[item]
    if not chosen:
        return slice(0, 0), slice(None)
    low, high = min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1])
    return slice(low, high + 1), slice(None, None, chosen.step)


@contextlib.contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    """Turn what zarr and its codecs raise into one line about the store."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path.name} cannot be read: {error.strerror or error}", "expected a readable store"
        ) from error
    except (
        ArithmeticError,
        EOFError,
        LookupError,
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise InputError(
            f"{path.name} is damaged: {str(error).splitlines()[0][:120] if str(error) else ''}",
            "expected whole chunks",
            "copy or convert it again",
        ) from error
