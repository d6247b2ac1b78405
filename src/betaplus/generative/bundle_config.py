"""`config.json` of a weight bundle: what the weights are of, and where they hold."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.core.limits import parse_json, read_text

__all__ = [
    "SCHEMA_VERSION",
    "BundleConfig",
    "Range",
    "check_config",
    "outside",
    "parse_folder",
    "read_config",
]

SCHEMA_VERSION = 1

Range = list[float] | list[str]
"""[lowest, highest], or the names that are known."""

_FOLDER = re.compile(r"([a-z][a-z0-9_]*)-([a-z0-9][a-z0-9_.-]*)-v([1-9][0-9]*)")
_KINDS = {str: "text", int: "a whole number", dict: "an object"}


@dataclass(frozen=True, kw_only=True)
class BundleConfig:
    """What is known of a bundle's weights.

    Attributes:
        task: Whose they are: ``kinetics``.
        name: Which of the task's networks.
        version: Counts from 1.
        architecture: What the network is built from.
        validity: Ranges of the training data, by the name of a quantity with its unit.
        settings: What a method needs beside the weights.
        sha256: Of ``model.safetensors``.
        schema_version: Of this file.
    """

    task: str
    name: str
    version: int
    architecture: dict[str, Any]
    validity: dict[str, Range]
    settings: dict[str, Any]
    sha256: str
    schema_version: int = SCHEMA_VERSION

    @property
    def folder(self) -> str:
        """Name of the bundle's folder."""
        return f"{self.task}-{self.name}-v{self.version}"


def parse_folder(folder: str) -> tuple[str, str, int] | None:
    """Return the task, name and version in the name of a folder; None if it is not a bundle's."""
    match = _FOLDER.fullmatch(folder)
    return (match[1], match[2], int(match[3])) if match else None


def outside(
    validity: Mapping[str, Range], values: Mapping[str, float | tuple[float, float] | str]
) -> list[str]:
    """Return what of the values lies outside the ranges, one sentence each; none where all is well.

    Args:
        validity: Of a bundle.
        values: Numbers, (lowest, highest) or names, by quantity. What the bundle has no range for
            is outside too: nothing says that it was trained on.
    """
    said = []
    for name, value in values.items():
        known = validity.get(name)
        if known is None:
            said.append(f"{name} is {value}, of which the weights say nothing")
        elif isinstance(value, str):
            if value not in known:
                said.append(f"{name} is {value}, trained on {', '.join(map(str, known))}")
        else:
            low, high = value if isinstance(value, tuple) else (value, value)
            bounds = [bound for bound in known if not isinstance(bound, str)]
            # NaN is inside nothing, and so is a number among names.
            if not (bounds and bounds[0] <= low <= high <= bounds[1]):
                shown = f"{low:g}" if low == high else f"{low:g} to {high:g}"
                said.append(f"{name} is {shown}, trained on {' to '.join(map(str, known))}")
    return said


def read_config(path: Path) -> BundleConfig:
    """Read and check a ``config.json``.

    Raises:
        InputError: If it is not JSON, or for what `check_config` refuses.
    """
    try:
        text = read_text(path, "expected a JSON file")
        read = parse_json(text, path.name, "expected an object", constants=False)
    except InputError as error:
        raise InputError(
            f"{path} cannot be read as JSON: {error.found}", error.expected, "get the bundle again"
        ) from error
    return check_config(read, path)


def check_config(read: Any, path: Path) -> BundleConfig:
    """Return the configuration in what JSON holds.

    Args:
        read: Parsed JSON.
        path: Where it is from.

    Raises:
        InputError: If it is of another schema version, or has a field missing, too many or of the
            wrong type.
    """
    if not isinstance(read, dict):
        raise InputError(
            f"{path} holds {type(read).__name__}", "expected an object", "get the bundle again"
        )
    version = read.get("schema_version")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise InputError(
            f"{path} has schema version {version}",
            f"expected {SCHEMA_VERSION}, which this version of betaplus reads",
            "use a bundle made for this version",
        )
    kinds = {f.name: _KIND_OF[str(f.type).partition("[")[0]] for f in _FIELDS}
    for name, kind in kinds.items():
        if type(read.get(name)) is not kind:
            found = f"is {json.dumps(read[name])[:60]}" if name in read else "is missing"
            raise InputError(
                f"{path}: {name} {found}", f"expected {_KINDS[kind]}", "get the bundle again"
            )
    unknown = sorted(read.keys() - kinds.keys())
    if unknown:
        raise InputError(f"{path}: unknown field {unknown[0]}", f"expected only {', '.join(kinds)}")
    for name, known in read["validity"].items():
        if not _is_range(known):
            raise InputError(
                f"{path}: validity of {name} is {json.dumps(known)[:60]}",
                "expected [lowest, highest] or a list of names",
            )
    config = BundleConfig(**read)
    if parse_folder(config.folder) is None:
        raise InputError(
            f"{path}: {config.folder} does not name a bundle",
            "expected lower case <task>-<name>-v<N>",
        )
    return config


_FIELDS = dataclasses.fields(BundleConfig)
_KIND_OF = {"str": str, "int": int, "dict": dict}


def _is_range(known: Any) -> bool:
    if not isinstance(known, list) or not known:
        return False
    if all(isinstance(item, str) for item in known):
        return True
    numbers = all(type(item) in (int, float) and abs(item) <= sys.float_info.max for item in known)
    return numbers and len(known) == 2 and known[0] <= known[1]
