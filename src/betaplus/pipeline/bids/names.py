"""BIDS file names: entities, suffix and extension, and the files of a ``pet`` folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SCAN_ENTITIES", "BidsFile", "parse_name", "pet_files", "pet_folders", "subjects"]

SCAN_ENTITIES = ("sub", "ses", "task", "trc", "rec", "run")
"""What tells the PET scans of a data set apart (PET-BIDS), in the order of file names."""

_EXTENSIONS = (".nii.gz", ".nii", ".zarr", ".tsv", ".json", ".hs", ".l")
_ENTITY = re.compile(r"([a-zA-Z]+)-([0-9a-zA-Z]+)")


@dataclass(frozen=True)
class BidsFile:
    """A file that has a BIDS name.

    Attributes:
        path: Where it is.
        entities: Key and label, in the order of the name.
        suffix: What stands last, for example ``pet``.
        extension: For example ``.nii.gz``.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str

    def applies_to(self, entities: Mapping[str, str], free: tuple[str, ...] = ()) -> bool:
        """Return whether all entities of this file, but those that are free, are among others."""
        return all(
            entities.get(key) == label for key, label in self.entities.items() if key not in free
        )


def parse_name(path: Path) -> BidsFile | None:
    """Return what a file's name says, or None where it is no BIDS name."""
    extension = next((e for e in _EXTENSIONS if path.name.endswith(e)), None)
    if extension is None:
        return None
    *parts, suffix = path.name.removesuffix(extension).split("_")
    found = [_ENTITY.fullmatch(part) for part in parts]
    if not suffix.isalnum() or not all(found):
        return None
    entities = {match[1]: match[2] for match in found if match is not None}
    if len(entities) != len(parts):
        return None
    return BidsFile(path, entities, suffix, extension)


def subjects(root: Path) -> list[str]:
    """Return the labels of the ``sub-`` folders of a data set, sorted."""
    return sorted(p.name.removeprefix("sub-") for p in root.glob("sub-*") if p.is_dir())


def pet_folders(root: Path, subject: str) -> Iterator[tuple[str | None, Path]]:
    """Yield (session or None, folder) of the ``pet`` folders of a subject, sorted."""
    home = root / f"sub-{subject}"
    if (home / "pet").is_dir():
        yield None, home / "pet"
    for session in sorted(home.glob("ses-*")):
        if (session / "pet").is_dir():
            yield session.name.removeprefix("ses-"), session / "pet"


def pet_files(folder: Path) -> list[BidsFile]:
    """Return the files of a ``pet`` folder that have a BIDS name with a subject, sorted."""
    found = [parse_name(path) for path in sorted(folder.iterdir())]
    return [file for file in found if file is not None and "sub" in file.entities]
