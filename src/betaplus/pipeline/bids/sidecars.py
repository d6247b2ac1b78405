"""The fields of a file by BIDS's inheritance principle, and what a derivative owes its scan.

Of the JSON files from the top of the data set down to the file's own folder those apply that have
the file's suffix and no entity that it has not; one that is nearer to the file overrules
(BIDS 1.10, "The Inheritance Principle").
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.core.limits import lies_in
from betaplus.io.jsons import read_json
from betaplus.pipeline.bids.names import BidsFile, parse_name

__all__ = ["OWED", "Fields", "inherited", "with_owed"]

OWED = (
    "TimeZero",
    "InjectionStart",
    "TracerName",
    "TracerRadionuclide",
    "RadionuclideHalfLife",
    "ImageDecayCorrected",
    "ImageDecayCorrectionTime",
    "InjectedRadioactivity",
    "InjectedRadioactivityUnits",
    "BodyWeight",
)
"""What a derivative has of the scan it was made from, where its own sidecar is silent.

Not its unit: tables are often in another one than the image.
"""


@dataclass(frozen=True)
class Fields:
    """The fields of a file, and the JSON files that they come from.

    Attributes:
        values: Field to value.
        files: The JSON files, the nearest last.
    """

    values: Mapping[str, Any]
    files: tuple[Path, ...] = ()


def inherited(root: Path, folder: Path, entities: Mapping[str, str], suffix: str) -> Fields:
    """Return the fields of a file.

    Args:
        root: Top of the data set.
        folder: The file's own, in it.
        entities: Of the file.
        suffix: Likewise.

    Raises:
        InputError: If a JSON cannot be read or leads out of the data set, or two of one folder
            apply and neither has more entities than the other.
    """
    values: dict[str, Any] = {}
    files: list[Path] = []
    for level in _levels(root, folder):
        named = [parse_name(path) for path in sorted(level.glob(f"*{suffix}.json"))]
        here = [f for f in named if f and f.suffix == suffix and f.applies_to(entities)]
        for file in _ordered(here):
            if not lies_in(file.path, root):
                raise InputError(
                    f"{file.path.name} leads out of the data set",
                    "expected a file in it",
                    "copy it there",
                )
            values |= read_json(file.path)
            files.append(file.path)
    return Fields(values, tuple(files))


def with_owed(own: Fields, scan: Fields) -> tuple[Fields, tuple[str, ...]]:
    """Return the fields of a derivative with those it owes to its scan, and their names."""
    taken = {name: scan.values[name] for name in OWED if name in scan.values}
    missing = {name: value for name, value in taken.items() if name not in own.values}
    if not missing:
        return own, ()
    return Fields({**missing, **own.values}, (*scan.files, *own.files)), tuple(missing)


def _levels(root: Path, folder: Path) -> list[Path]:
    steps = folder.relative_to(root).parts
    return [root.joinpath(*steps[:count]) for count in range(len(steps) + 1)]


def _ordered(files: list[BidsFile]) -> list[BidsFile]:
    files = sorted(files, key=lambda file: len(file.entities))
    for one, other in itertools.pairwise(files):
        if len(one.entities) == len(other.entities):
            raise InputError(
                f"{one.path.name} and {other.path.name} of one folder apply to the same file",
                "expected one of them, or one with more entities",
            )
    return files
