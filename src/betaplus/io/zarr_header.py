"""What is needed of a zarr store of a PET image, checked before a chunk is read.

Only plain zarr v3 is taken: numbers in a regular grid of chunks through codecs that decode bytes to
numbers. Codecs of objects, which could run code, and links, which could lead elsewhere, are
refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import check_shape, is_affine, refuse_strangers
from betaplus.io.jsons import read_json, read_sidecar, sidecar_path
from betaplus.io.zarr_chunks import COMPRESSORS, check_chunks

__all__ = ["ZarrHeader"]

_ARRAY = "data"
_TYPES = frozenset(("float32", "float64", "int8", "int16", "int32", "uint8", "uint16", "uint32"))
_CODECS = COMPRESSORS | {"bytes", "crc32c", "transpose"}
_MOST_CODECS = 5
_SCALES = {"scale_factor": 1, "add_offset": 0, "scl_slope": 1, "scl_inter": 0}


class ZarrHeader:
    """Shape, affine and sidecar of a zarr store, without an open file.

    Attributes:
        path: The folder.
        shape: Shape, (X, Y, Z) or (X, Y, Z, T).
        chunks: Shape of what is read at a time, likewise.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        dtype: Type in the store.
        space_code: NIfTI code of the space that the affine leads to.
        fields: PET-BIDS fields of the store, or None where it holds none.
        remarks: What was untidy.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.remarks: tuple[str, ...] = ()
        if not self.path.is_dir():
            raise InputError(f"{self.path} does not exist", "expected a zarr store (a folder)")
        stored, self._largest = self._checked_files()
        group = self._metadata(self.path, "group")
        array = self._metadata(self.path / _ARRAY, "array")
        self.shape = self._checked_shape(array)
        self.dtype = self._checked_type(array)
        grid = self._checked_grid(array.get("chunk_grid"), "chunk_shape")
        self.chunks = self._checked_codecs(array.get("codecs"), grid)
        if array.get("storage_transformers") or not _is_plain_key(array.get("chunk_key_encoding")):
            raise self._refused("its chunks are stored in an unknown way")
        attributes = _mapping(group.get("attributes"))
        self.affine = self._checked_affine(attributes.get("affine"))
        code = attributes.get("space_code", 1)
        self.space_code = code if isinstance(code, int) and 1 <= code <= 5 else 1
        fields = attributes.get("pet")
        if fields is not None and not isinstance(fields, dict):
            raise self._refused("its attribute pet holds no fields", "PET-BIDS fields by name")
        self.fields: dict[str, Any] | None = fields
        chunks = math.prod(-(-n // c) for n, c in zip(self.shape, grid, strict=True))
        if stored < chunks:
            fill = array.get("fill_value")
            self.remarks += (
                f"{chunks - stored} of {chunks} chunks of {self.path.name} are not stored:"
                f" read as {fill}",
            )

    def sidecar(self) -> tuple[dict[str, Any], str, list[str]]:
        """Return the PET-BIDS fields, where they stand, and remarks.

        They are those of the attribute ``pet``, or of the JSON beside the store where there is no
        such attribute.

        Raises:
            InputError: If the JSON is needed and is no JSON object.
        """
        if self.fields is None:
            return read_sidecar(self.path)
        beside, remarks = sidecar_path(self.path), []
        if beside.exists():
            refuse_strangers(beside, self.path)
            fields = read_json(beside)
            differ = [k for k, v in self.fields.items() if fields.get(k, v) != v]
            if differ:
                remarks.append(
                    f"{beside.name} differs from the fields in {self.path.name} in"
                    f" {', '.join(differ)}: those in the store are used"
                )
        return dict(self.fields), self.path.name, remarks

    def _refused(self, what: str, expected: str = "", todo: str = "") -> InputError:
        return InputError(f"{self.path.name} cannot be used: {what}", expected, todo)

    def _checked_files(self) -> tuple[int, int]:
        """Refuse links and what is no file; return the number of chunks and the largest's bytes."""
        stored = largest = 0

        def fail(error: OSError) -> None:
            raise self._refused(f"it cannot be read: {error.strerror}") from error

        for folder, names, files in os.walk(self.path, onerror=fail):
            for name in (*names, *files):
                path = Path(folder) / name
                if path.is_symlink():
                    where = path.relative_to(self.path).as_posix()
                    raise self._refused(
                        f"{where} is a link", "expected files inside the folder", "copy it whole"
                    )
                if name in files and not path.is_file():
                    raise self._refused(f"{name} is neither a file nor a folder")
            inside = Path(folder).relative_to(self.path).parts
            if inside[:1] == (_ARRAY,):
                chunks = [Path(folder) / name for name in files if name != "zarr.json"]
                stored += len(chunks)
                largest = max(largest, *(chunk.stat().st_size for chunk in chunks), 0)
        return stored, largest

    def _metadata(self, folder: Path, kind: str) -> dict[str, Any]:
        path = folder / "zarr.json"
        if not path.is_file():
            if (folder / ".zgroup").is_file() or (folder / ".zarray").is_file():
                raise self._refused("it is zarr version 2", "expected version 3")
            if kind == "array":
                raise self._refused(f"there is no array {_ARRAY} in it", "expected one")
            raise self._refused("there is no zarr.json in it", "expected a zarr group")
        fields = read_json(path)
        if fields.get("zarr_format") != 3:
            raise self._refused(f"zarr_format is {fields.get('zarr_format')!r}", "expected 3")
        if fields.get("node_type") != kind:
            found = str(fields.get("node_type"))
            what = f"a group with an array {_ARRAY}" if kind == "group" else f"{_ARRAY} as an array"
            raise self._refused(f"its zarr.json describes {found!r}", f"expected {what}")
        return fields

    def _checked_shape(self, array: Mapping[str, Any]) -> tuple[int, ...]:
        shape = self._whole_numbers(array.get("shape"), "shape")
        if len(shape) not in (3, 4):
            raise self._refused(f"shape {shape}", "expected (X, Y, Z) or (X, Y, Z, T)")
        check_shape(shape, self.path.name)
        return shape

    def _checked_type(self, array: Mapping[str, Any]) -> np.dtype:
        name = array.get("data_type")
        if not isinstance(name, str) or name not in _TYPES:
            found = name if isinstance(name, str) else _mapping(name).get("name")
            raise self._refused(f"it holds {found} voxels", f"expected {', '.join(sorted(_TYPES))}")
        attributes = _mapping(array.get("attributes"))
        for key, plain in _SCALES.items():
            if attributes.get(key, plain) != plain:
                raise self._refused(
                    f"its numbers are scaled ({key} {attributes[key]})",
                    "expected them as they are meant",
                    "store them as float32",
                )
        dtype, fill = np.dtype(name), array.get("fill_value")
        if dtype.kind == "f" and isinstance(fill, int | float) and abs(fill) > _largest(dtype):
            raise self._refused(f"its fill value {str(fill)[:20]} is no {name}", "expected 0")
        return dtype

    def _checked_grid(self, grid: Any, name: str) -> tuple[int, ...]:
        grid = _mapping(grid)
        chunks = self._whole_numbers(_mapping(grid.get("configuration")).get(name), name)
        if grid.get("name") not in ("regular", "sharding_indexed") or len(chunks) != len(
            self.shape
        ):
            raise self._refused(
                f"chunks {chunks} for shape {self.shape}", "expected a regular grid"
            )
        # A file is a shard: it holds many of the chunks inside it.
        largest = self._largest if grid.get("name") == "regular" else 0
        wrong = check_chunks(self.shape, chunks, self.dtype.itemsize, largest)
        if wrong:
            raise self._refused(wrong)
        return chunks

    def _checked_codecs(self, codecs: Any, grid: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse codecs that are not known to be harmless; return the shape read at a time."""
        chunks = grid
        if not isinstance(codecs, list) or not codecs:
            raise self._refused("it says nothing of its codecs", "expected a list")
        if len(codecs) > _MOST_CODECS:
            raise self._refused(f"{len(codecs)} codecs", f"expected at most {_MOST_CODECS}")
        for codec in codecs:
            name = codec if isinstance(codec, str) else _mapping(codec).get("name")
            if name == "sharding_indexed":
                inner = _mapping(_mapping(codec).get("configuration"))
                chunks = self._checked_grid(codec, "chunk_shape")
                self._checked_codecs(inner.get("codecs"), chunks)
                self._checked_codecs(inner.get("index_codecs"), chunks)
            elif not isinstance(name, str) or name not in _CODECS:
                raise self._refused(
                    f"codec {str(name)[:60]}",
                    f"expected {', '.join(sorted(_CODECS))}",
                    "store it again",
                )
        return chunks

    def _checked_affine(self, value: Any) -> np.ndarray:
        if value is None:
            raise self._refused(
                "its attributes hold no affine", "expected 4 rows of 4 numbers [mm]"
            )
        try:
            affine = np.array(value, dtype=np.float64)
        except (OverflowError, TypeError, ValueError):
            affine = np.zeros(0)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise self._refused("its affine is no matrix", "expected 4 rows of 4 numbers [mm]")
        if (affine[3] != (0, 0, 0, 1)).any() or not is_affine(affine):
            raise self._refused("its affine is singular", "expected a voxel size above 0")
        return affine

    def _whole_numbers(self, value: Any, name: str) -> tuple[int, ...]:
        found = value if isinstance(value, list) else []
        if not found or any(type(n) is not int or n < 1 for n in found):
            raise self._refused(f"its {name} is {str(value)[:60]}", "expected numbers above 0")
        return tuple(found)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_plain_key(encoding: Any) -> bool:
    name = encoding if isinstance(encoding, str) else _mapping(encoding).get("name")
    return name in ("default", "v2")


def _largest(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).max)
