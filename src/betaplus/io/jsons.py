"""JSON sidecars: read with plain errors, written atomically, numbers checked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.limits import parse_json, read_text, refuse_strangers
from betaplus.io.atomic import atomic_path

__all__ = [
    "file_stem",
    "number",
    "number_list",
    "plain",
    "read_json",
    "read_sidecar",
    "sidecar_path",
    "write_json",
]

_EXTENSIONS = (".nii.gz", ".nii", ".tsv", ".json", ".zarr", ".html")


def file_stem(path: str | Path) -> str:
    """Return the file's name without its extension (``.nii.gz`` counts as one)."""
    name = Path(path).name
    for extension in _EXTENSIONS:
        if name.lower().endswith(extension):
            return name[: -len(extension)]
    return name


def sidecar_path(path: str | Path) -> Path:
    """Return the path of the JSON beside a file: ``x.nii.gz`` -> ``x.json``."""
    return Path(path).with_name(file_stem(path) + ".json")


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        InputError: If the file cannot be read, is over the limits of `betaplus.core.limits`, or
            does not hold one JSON object.
    """
    path = Path(path)
    fields = parse_json(
        read_text(path, "expected a JSON file"), path.name, "expected a PET-BIDS sidecar"
    )
    if not isinstance(fields, dict):
        raise InputError(f"{path.name} holds no JSON object", "expected fields in braces")
    return fields


def read_sidecar(path: str | Path) -> tuple[dict[str, Any], str, list[str]]:
    """Return the fields of the JSON beside a file, its name for messages, and remarks.

    A missing sidecar is an empty one: what is needed of it comes from options or is an error.

    Raises:
        InputError: If the sidecar is there but is no JSON object, or a link out of the data set.
    """
    path = Path(path)
    beside = sidecar_path(path)
    if not beside.exists():
        return {}, f"{beside.name} (not there)", [f"no {beside.name} beside {path.name}"]
    refuse_strangers(beside, path)
    return read_json(beside), beside.name, []


def write_json(path: str | Path, fields: Mapping[str, Any]) -> None:
    """Write an object as JSON; numpy values become plain ones, NaN and infinity become null.

    Raises:
        OutputError: If the file cannot be written.
    """
    text = json.dumps(plain(fields), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def number(fields: Mapping[str, Any], name: str, where: str, what: str = "seconds") -> float | None:
    """Return a field as a float, or None where it is missing, null or ``n/a``.

    Raises:
        InputError: If the field is there but is no finite number.
    """
    value = fields.get(name)
    if value is None or value == "n/a":
        return None
    if not _is_number(value):
        raise InputError(f"{name} is {_short(value)} in {where}", f"expected a number of {what}")
    return float(value)


def number_list(fields: Mapping[str, Any], name: str, where: str) -> np.ndarray | None:
    """Return a field as a float64 array, or None where it is missing; one number is a list of one.

    Raises:
        InputError: If the field is there but holds anything but finite numbers.
    """
    value = fields.get(name)
    if value is None or value == "n/a":
        return None
    values = value if isinstance(value, list) else [value]
    for item in values:
        if not _is_number(item):
            raise InputError(
                f"{name} holds {_short(item)} in {where}", "expected a list of seconds"
            )
    return np.array(values, dtype=np.float64)


def plain(value: Any) -> Any:
    """Return a value as JSON knows it: numpy values become plain ones, NaN and infinity None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return value.name
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
