"""The run records of the scans that are finished."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from betaplus.core.errors import BetaplusError
from betaplus.io.jsons import read_json
from betaplus.pipeline.bids.names import pet_folders, subjects

__all__ = ["ScanRecord", "find_records"]


@dataclass(frozen=True)
class ScanRecord:
    """What a finished scan has left.

    Attributes:
        stem: Its name.
        folder: Where its outputs are.
        fields: The run record.
    """

    stem: str
    folder: Path
    fields: Mapping[str, Any]

    @property
    def entities(self) -> dict[str, str]:
        """Key and label of each part of the name."""
        return dict(re.findall(r"(?:^|_)([a-zA-Z]+)-([0-9a-zA-Z]+)", self.stem))

    @property
    def participant(self) -> str:
        """Label of the participant, with ``sub-``."""
        return f"sub-{self.entities['sub']}"

    @property
    def outputs(self) -> list[Path]:
        """The files that are there."""
        names = self.fields.get("outputs")
        named = names if isinstance(names, list) else []
        return [self.folder / str(name) for name in named if (self.folder / str(name)).exists()]


def find_records(
    out: Path,
    verb: str,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    filters: Mapping[str, Sequence[str]] | None = None,
) -> list[ScanRecord]:
    """Return the records of a verb in a derivative data set, by participant, session and name.

    Args:
        out: The data set.
        verb: The verb.
        participants: Labels wanted; empty for all.
        sessions: Likewise.
        filters: Entity to the labels wanted.
    """
    end = f"_{verb}_run.json"
    found = []
    for subject in subjects(out):
        if participants and subject not in participants:
            continue
        for session, folder in pet_folders(out, subject):
            if sessions and session not in sessions:
                continue
            found += [_read(path, end) for path in sorted(folder.glob(f"*{end}"))]
    wanted = {key: labels for key, labels in (filters or {}).items() if labels}
    return [
        record
        for record in found
        if record is not None
        and all(record.entities.get(key) in labels for key, labels in wanted.items())
    ]


def _read(path: Path, end: str) -> ScanRecord | None:
    try:
        fields = read_json(path)
    except BetaplusError:
        return None
    return ScanRecord(path.name.removesuffix(end), path.parent, fields)
