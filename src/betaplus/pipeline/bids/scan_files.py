"""The files that belong to a scan: sidecars that it inherits, blood, and label images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import InputError
from betaplus.pipeline.bids.names import SCAN_ENTITIES, BidsFile, parse_name
from betaplus.pipeline.bids.request import BidsRequest, BidsVerb
from betaplus.pipeline.bids.scans import Scan
from betaplus.pipeline.bids.sidecars import Fields, inherited, with_owed

__all__ = ["BloodFile", "ScanFiles", "gather"]

_SAID_OF_LABELS = ("label", "seg", "desc", "atlas", "space")
"""What a label image may say of itself that its scan does not."""

_OWN_SPACE = ("pet", "orig")


@dataclass(frozen=True)
class BloodFile:
    """A blood file and the fields of its sidecar."""

    file: BidsFile
    fields: Fields


@dataclass(frozen=True, kw_only=True)
class ScanFiles:
    """What belongs to a scan.

    Attributes:
        fields: Of its sidecar and those it inherits.
        owed: Names of those that a derivative was given from the scan it was made from.
        blood: Files that apply to it.
        labels: Label images of it, the one that says most first; several if they say as much.
    """

    fields: Fields
    owed: tuple[str, ...] = ()
    blood: tuple[BloodFile, ...] = ()
    labels: tuple[Path, ...] = ()

    def blood_of(self, tracer: str | None) -> list[BloodFile]:
        """Return its blood; of two tracers that of one, by the label of its entity trc."""
        if tracer is None:
            return list(self.blood)
        return [blood for blood in self.blood if blood.file.entities.get("trc") == tracer]


def gather(scan: Scan, request: BidsRequest, verb: BidsVerb) -> ScanFiles:
    """Return the files that belong to a scan.

    Raises:
        InputError: If the scan lies in another's folder, or a sidecar cannot be used.
    """
    file, root = scan.file, Path(request.bids_dir)
    _check_place(scan)
    fields = inherited(scan.root, file.path.parent, file.entities, file.suffix)
    owed: tuple[str, ...] = ()
    entities = {key: label for key, label in file.entities.items() if key in SCAN_ENTITIES}
    if scan.root != root or request.curves:
        fields, owed = with_owed(fields, inherited(root, root / scan.home, entities, "pet"))
    roots = [root, *(Path(folder) for folder in request.derivatives)]
    return ScanFiles(
        fields=fields,
        owed=owed,
        blood=tuple(_blood(roots, scan.home, entities, verb)) if verb.blood else (),
        labels=() if verb.raw or request.curves else _labels(roots, scan),
    )


def _check_place(scan: Scan) -> None:
    """Refuse a file whose name says another subject or session than its folder."""
    entities, parts = scan.file.entities, scan.home.parts[:-1]
    said = [f"{key}-{entities[key]}" for key in ("sub", "ses") if key in entities]
    if said != list(parts):
        raise InputError(
            f"{scan.file.path.name} lies in {scan.home}",
            "expected files of that subject and session",
            "move it or give it its name",
        )


def _blood(
    roots: Sequence[Path], home: Path, entities: Mapping[str, str], verb: BidsVerb
) -> list[BloodFile]:
    """Return the blood of a scan: input functions of a derivative, or else raw samples.

    Of files of one recording (and, of two tracers, of one tracer) that with the most entities.
    """
    two = len(verb.blood) > 1
    free = ("recording", "desc", *(("trc",) if two else ()))
    for suffix, places in (("inputfunction", roots[1:]), ("blood", roots)):
        best: dict[tuple[str | None, str | None], BloodFile] = {}
        for root in places:
            for file in _named(root / home, suffix, (".tsv",)):
                if not file.applies_to(entities, free):
                    continue
                key = (file.entities.get("recording"), file.entities.get("trc") if two else None)
                if key in best and len(best[key].file.entities) >= len(file.entities):
                    continue
                fields = inherited(root, root / home, file.entities, suffix)
                best[key] = BloodFile(file, fields)
        if best:
            return [best[key] for key in sorted(best, key=str)]
    return []


def _labels(roots: Sequence[Path], scan: Scan) -> tuple[Path, ...]:
    """Return the label images of a scan: those beside it first, those with the most entities."""
    for root in sorted(roots, key=lambda root: root != scan.root):
        found = [
            file
            for file in _named(root / scan.home, "dseg", (".nii.gz", ".nii"))
            if file.applies_to(scan.file.entities, _SAID_OF_LABELS)
            and file.entities.get("space", "pet").lower() in _OWN_SPACE
        ]
        most = max((len(file.entities) for file in found), default=0)
        if found:
            return tuple(file.path for file in found if len(file.entities) == most)
    return ()


def _named(folder: Path, suffix: str, extensions: tuple[str, ...]) -> list[BidsFile]:
    if not folder.is_dir():
        return []
    found = [parse_name(path) for path in sorted(folder.glob(f"*_{suffix}.*"))]
    return [
        file for file in found if file and file.suffix == suffix and file.extension in extensions
    ]
