"""The scans of a data set that a verb is to be run on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from betaplus.core.errors import InputError, UsageError
from betaplus.io.derivatives import source_stem
from betaplus.pipeline.bids.names import BidsFile, pet_files, pet_folders, subjects
from betaplus.pipeline.bids.request import BidsRequest, BidsVerb

__all__ = ["Scan", "find_scans"]

_IMAGES = (".nii.gz", ".nii", ".zarr")
_RAW = (".zarr", ".hs", ".l")


@dataclass(frozen=True)
class Scan:
    """One input of the verb.

    Attributes:
        file: Image, table of curves or raw data.
        root: Top of the data set it is in.
        home: The subject's or session's ``pet`` folder, from the top: outputs go there too.
    """

    file: BidsFile
    root: Path
    home: Path

    @property
    def stem(self) -> str:
        """The name up to its suffix, which outputs begin with."""
        return source_stem(self.file.path)


def find_scans(request: BidsRequest, verb: BidsVerb) -> list[Scan]:
    """Return the scans that a request asks for, by subject, session and name.

    Raises:
        UsageError: If a label is asked for that is not there.
        InputError: If there is no scan, or two would have outputs of one name.
    """
    root = Path(request.bids_dir)
    participants = _chosen(request, root)
    wanted = _Wanted(request, verb)
    scans: list[Scan] = []
    sessions: set[str] = set()
    for subject in participants:
        for home in wanted.homes:
            for session, folder in pet_folders(home, subject):
                sessions |= {session} if session else set()
                if request.sessions and session not in request.sessions:
                    continue
                files = wanted.inputs(pet_files(folder))
                scans += [Scan(file, home, folder.relative_to(home)) for file in files]
    unknown = [label for label in request.sessions if label not in sessions]
    if unknown:
        raise UsageError(
            f"no session {unknown[0]} of the participants chosen in {root}",
            f"expected {_listed(sorted(sessions))}",
        )
    if not scans:
        raise InputError(
            f"no {wanted.what} of the participants chosen in {_listed(wanted.homes)}",
            f"expected sub-<label>/[ses-<label>/]pet/sub-<label>{wanted.pattern}",
            wanted.todo,
        )
    _refuse_twins(scans)
    return scans


class _Wanted:
    """Which files a request takes as inputs."""

    def __init__(self, request: BidsRequest, verb: BidsVerb) -> None:
        root = Path(request.bids_dir)
        self._filters = dict(request.filters)
        self._raw, self._curves = verb.raw, request.curves
        described = bool(request.filters.get("desc"))
        extra = [Path(folder) for folder in request.derivatives]
        self.homes: list[Path] = [root]
        if verb.raw:
            self.homes = [root, root / "sourcedata"]
            self.what, self.pattern = "raw data", "..._raw.zarr, .hs or .l"
        elif request.curves:
            self.homes = extra if described else [root, *extra]
            self.what, self.pattern = "curves", "..._tacs.tsv"
        else:
            self.homes = extra if described else [root]
            self.what, self.pattern = "PET image", "..._pet.nii.gz"
        asked = [f"--{key}" for key, labels in self._filters.items() if labels]
        self.todo = f"look at {', '.join(asked)}" if asked else ""
        if request.curves and not extra:
            self.todo = "give --derivatives with the data set that has them"
        elif verb.curves and not request.curves and not asked:
            self.todo = "give --curves for tables of curves"

    def inputs(self, files: Sequence[BidsFile]) -> list[BidsFile]:
        """Return those of a folder's files that are inputs."""
        return [file for file in files if self._kind(file) and self._passes(file.entities)]

    def _kind(self, file: BidsFile) -> bool:
        if self._raw:
            named = file.suffix == "raw" or file.extension != ".zarr"
            return named and file.extension in _RAW
        if self._curves:
            return file.suffix == "tacs" and file.extension == ".tsv"
        plain = "desc" not in file.entities or "desc" in self._filters
        return (
            file.suffix == "pet"
            and file.extension in _IMAGES
            and "stat" not in file.entities
            and plain
        )

    def _passes(self, entities: Mapping[str, str]) -> bool:
        return all(entities.get(key) in labels for key, labels in self._filters.items() if labels)


def _chosen(request: BidsRequest, root: Path) -> list[str]:
    known = subjects(root)
    if not known:
        raise InputError(f"{root} has no folder sub-*", "expected a BIDS data set")
    unknown = [label for label in request.participants if label not in known]
    if unknown:
        raise UsageError(f"no participant {unknown[0]} in {root}", f"expected {_listed(known)}")
    return [label for label in known if not request.participants or label in request.participants]


def _refuse_twins(scans: Sequence[Scan]) -> None:
    held: dict[tuple[Path, str], Scan] = {}
    for scan in scans:
        key = (scan.home, scan.stem)
        if key in held:
            raise InputError(
                f"{held[key].file.path} and {scan.file.path} have outputs of one name",
                "expected one of them",
                "choose by --task, --trc, --rec, --run or --desc, or remove one",
            )
        held[key] = scan


def _listed(items: Sequence[object]) -> str:
    shown = ", ".join(str(item) for item in items[:12])
    return f"{shown} and {len(items) - 12} more" if len(items) > 12 else shown or "none"
