"""What the container of raw data says of itself, checked before a count is read.

A store ``sub-01_raw.zarr`` is a zarr v3 group whose attribute ``betaplus_raw`` holds the version of
this layout (`SCHEMA`), all fields of the scanner, frames, tracer, injection, sensitivity, metadata
and remarks. Its arrays are those of `ARRAYS` that are known. Only plain zarr is taken: numbers in a
regular grid of chunks, through codecs that decode bytes to numbers, without links.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError, InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.scanner import Scanner
from betaplus.core.tracer import Tracer
from betaplus.io.jsons import plain, read_json
from betaplus.io.zarr_chunks import COMPRESSORS, check_chunks

__all__ = ["ARRAYS", "NAME", "SCHEMA", "StoreHeader", "attributes_of"]

NAME = "betaplus_raw"
SCHEMA = 1
ARRAYS = ("prompts", "delayeds", "randoms", "scatter", "efficiency", "attenuation")
_STATIC = frozenset(("efficiency", "attenuation"))
_TYPES = frozenset(("float32", "uint8", "uint16", "uint32"))
_CODECS = COMPRESSORS | {"bytes", "crc32c"}
_AGREE = 0.05  # between a half-life and the table
_MOST_RINGS = 10_000
_BEYOND = 1e15  # any number that a scanner has


def attributes_of(
    scanner: Scanner,
    frames: FrameTiming | None,
    tracer: Tracer | None,
    injection: float,
    sensitivity: float | None,
    metadata: Mapping[str, Any],
    remarks: tuple[str, ...],
) -> dict[str, Any]:
    """Return the attribute of a store."""
    return {
        "schema": SCHEMA,
        "scanner": dataclasses.asdict(scanner),
        "frames": frames and {"start": frames.start.tolist(), "duration": frames.duration.tolist()},
        "tracer": tracer and dataclasses.asdict(tracer),
        "injection": float(injection),
        "sensitivity": None if sensitivity is None else float(sensitivity),
        "metadata": plain(metadata),
        "remarks": list(remarks),
    }


class StoreHeader:
    """Everything but the numbers of a store.

    Attributes:
        path: The folder.
        scanner: Whose lines these are.
        frames: Timing, or None.
        tracer: Radionuclide and half-life, or None.
        injection: Injection start [s from TimeZero].
        sensitivity: As in `RawScan`.
        metadata: The header or sidecar that the data came with.
        remarks: What was found untidy when it was made.
        shapes: Shape of each array that is there.
        types: Likewise, the type it is stored as.

    Raises:
        InputError: If it is missing, of another layout, damaged, or its parts disagree.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise InputError(f"{self.path} does not exist", "expected raw data (a zarr folder)")
        self._largest: dict[str, int] = {}  # bytes of a chunk of an array
        stored = self._files()
        group = self._json(self.path, "group")
        fields = _mapping(_mapping(group.get("attributes")).get(NAME))
        if not fields:
            raise self.refused(f"its attributes hold no {NAME}", "expected the project's container")
        if fields.get("schema") != SCHEMA:
            raise self.refused(
                f"its layout is {str(fields.get('schema'))[:20]}",
                f"expected {SCHEMA}",
                "update betaplus",
            )
        self.scanner = self._scanner(fields.get("scanner"))
        self.frames = self._frames(fields.get("frames"))
        self.tracer = self._tracer(fields.get("tracer"))
        self.injection = self._number(fields, "injection", default=0.0) or 0.0
        self.sensitivity = self._number(fields, "sensitivity", above=0.0)
        self.metadata: dict[str, Any] = dict(_mapping(fields.get("metadata")))
        remarks = fields.get("remarks")
        self.remarks = tuple(map(str, remarks)) if isinstance(remarks, list) else ()
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, np.dtype] = {}
        for name in ARRAYS:
            if (self.path / name).is_dir():
                self._array(name, stored.get(name, 0))
        if "prompts" not in self.shapes:
            raise self.refused("there are no prompts in it", "expected an array of that name")

    def refused(self, what: str, expected: str = "", todo: str = "") -> InputError:
        """Return an error about this store."""
        return InputError(f"{self.path.name} cannot be used: {what}", expected, todo)

    def _files(self) -> dict[str, int]:
        """Refuse links and what is no file; return the number of chunks stored of each array."""
        stored: dict[str, int] = {}

        def fail(error: OSError) -> None:
            raise self.refused(f"it cannot be read: {error.strerror}") from error

        for folder, names, files in os.walk(self.path, onerror=fail):
            for name in (*names, *files):
                path = Path(folder) / name
                if path.is_symlink() or (name in files and not path.is_file()):
                    where = path.relative_to(self.path).as_posix()
                    raise self.refused(f"{where} is a link", "expected files", "copy it whole")
            inside = Path(folder).relative_to(self.path).parts
            if inside:
                chunks = [Path(folder) / name for name in files if name != "zarr.json"]
                stored[inside[0]] = stored.get(inside[0], 0) + len(chunks)
                sizes = [chunk.stat().st_size for chunk in chunks]
                self._largest[inside[0]] = max(self._largest.get(inside[0], 0), *sizes, 0)
        return stored

    def _json(self, folder: Path, kind: str) -> dict[str, Any]:
        path = folder / "zarr.json"
        if not path.is_file():
            what = "it is zarr version 2" if (folder / ".zgroup").is_file() else "no zarr.json"
            raise self.refused(what, f"expected a {kind} of zarr version 3 in {folder.name}")
        fields = read_json(path)
        if fields.get("zarr_format") != 3 or fields.get("node_type") != kind:
            raise self.refused(f"{folder.name} is no {kind} of zarr version 3", "expected one")
        return fields

    def _scanner(self, value: object) -> Scanner:
        known = {f.name: f.type for f in dataclasses.fields(Scanner)}
        fields = _mapping(value)
        if set(fields) != set(known):
            wrong = sorted(set(fields) ^ set(known))
            raise self.refused(
                f"its scanner lacks or adds {', '.join(wrong)[:80]}",
                f"expected {len(known)} fields",
            )
        for name, kind in known.items():
            item = fields[name]
            good = (
                isinstance(item, str)
                if kind == "str"
                else type(item) is int
                if kind == "int"
                else isinstance(item, int | float) and type(item) is not bool
            )
            if good and kind != "str":
                good = abs(item) < _BEYOND  # a whole number in JSON may be one that no float holds
            if not good:
                raise self.refused(
                    f"{name} of its scanner is {str(item)[:40]!r}", f"expected {kind}"
                )
        if fields["rings"] > _MOST_RINGS:
            raise self.refused(f"{fields['rings']} rings", f"expected at most {_MOST_RINGS}")
        try:
            return Scanner(**fields)
        except BetaplusError as error:
            raise self.refused(error.found, error.expected) from error

    def _frames(self, value: object) -> FrameTiming | None:
        if value is None:
            return None
        fields = _mapping(value)
        try:
            start = np.array(fields.get("start"), dtype=np.float64)
            duration = np.array(fields.get("duration"), dtype=np.float64)
        except (OverflowError, TypeError, ValueError):
            raise self.refused("its frame times are no numbers", "expected seconds") from None
        try:
            return FrameTiming(start, duration)
        except BetaplusError as error:
            raise self.refused(error.found, error.expected) from error

    def _tracer(self, value: object) -> Tracer | None:
        if value is None:
            return None
        fields = _mapping(value)
        half_life = self._number(fields, "half_life", above=0.0)
        try:
            known = Tracer.of(str(fields.get("radionuclide")), None, str(fields.get("name", "")))
        except BetaplusError as error:
            raise self.refused(error.found, error.expected) from error
        if half_life is not None and abs(half_life / known.half_life - 1.0) > _AGREE:
            raise self.refused(
                f"half_life is {half_life:g} s of {known.radionuclide}",
                f"expected about {known.half_life:g} s",
            )
        return known if half_life is None else dataclasses.replace(known, half_life=half_life)

    def _number(
        self,
        fields: Mapping[str, Any],
        name: str,
        default: float | None = None,
        above: float | None = None,
    ) -> float | None:
        value = fields.get(name)
        if value is None:
            return default
        known = isinstance(value, int | float) and type(value) is not bool
        if not known or not abs(value) <= sys.float_info.max:
            raise self.refused(f"its {name} is {str(value)[:40]!r}", "expected a number")
        if above is not None and value <= above:
            raise self.refused(f"its {name} is {value:g}", f"expected above {above:g}")
        return float(value)

    def _array(self, name: str, stored: int) -> None:
        fields = self._json(self.path / name, "array")
        shape = self._sizes(fields.get("shape"), f"shape of {name}")
        flat = self.scanner.shape[:3]
        line = flat if name in _STATIC or name == "delayeds" else self.scanner.shape
        frames = self.shapes.get("prompts", shape)[0]
        expected = flat if name in _STATIC else (frames, *line)
        if shape != expected:
            raise self.refused(
                f"{name} of shape {shape}", f"expected {expected} as {self.scanner.name} has"
            )
        if name == "prompts" and self.frames is not None and len(self.frames) != frames:
            raise self.refused(
                f"{len(self.frames)} frame times for {frames} frames", "expected one for each"
            )
        kind = fields.get("data_type")
        if not isinstance(kind, str) or kind not in _TYPES:
            raise self.refused(f"{name} of type {kind}", f"expected {', '.join(sorted(_TYPES))}")
        grid = _mapping(fields.get("chunk_grid"))
        chunks = self._sizes(_mapping(grid.get("configuration")).get("chunk_shape"), "chunks")
        if grid.get("name") != "regular" or len(chunks) != len(shape):
            raise self.refused(f"chunks {chunks} for shape {shape}", "expected a regular grid")
        largest = self._largest.get(name, 0)
        wrong = check_chunks(shape, chunks, np.dtype(kind).itemsize, largest)
        if wrong:
            raise self.refused(f"{name}: {wrong}")
        codecs = fields.get("codecs")
        for codec in codecs if isinstance(codecs, list) else [None]:
            codec_name = str(_mapping(codec).get("name"))
            if codec_name not in _CODECS:
                raise self.refused(
                    f"codec {codec_name[:40]}", f"expected {', '.join(sorted(_CODECS))}"
                )
        if fields.get("storage_transformers"):
            raise self.refused("its chunks are stored in an unknown way")
        number = math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=True))
        if stored < number:
            raise self.refused(
                f"{number - stored} of {number} chunks of {name} are missing",
                "expected all of them",
                "copy it again",
            )
        self.shapes[name] = shape
        self.types[name] = np.dtype(kind)

    def _sizes(self, value: object, name: str) -> tuple[int, ...]:
        found = value if isinstance(value, list) else []
        if not found or any(type(n) is not int or n < 1 for n in found):
            raise self.refused(f"its {name} is {str(value)[:60]}", "expected numbers above 0")
        return tuple(found)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
