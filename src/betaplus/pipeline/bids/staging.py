"""A scan as a verb wants it: a folder with links to its files, and a whole sidecar to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError
from betaplus.io.jsons import sidecar_path, write_json
from betaplus.io.labels import label_table
from betaplus.pipeline.bids.placeholders import filled
from betaplus.pipeline.bids.request import BidsRequest, BidsVerb
from betaplus.pipeline.bids.scan_files import BloodFile, ScanFiles, gather
from betaplus.pipeline.bids.scans import Scan
from betaplus.pipeline.bids.sidecars import Fields

__all__ = ["Staged", "stage"]

_PERSON = ("participants.tsv", "participants.json")


@dataclass(kw_only=True)
class Staged:
    """The files of a scan where the verb finds them.

    Attributes:
        source: The input.
        options: Options of the verb that name files of this scan.
        origin: Name of a file to the file it stands for.
        sidecars: JSON files that fields came from, besides those beside the files.
        owed: Fields that a derivative was given from its scan.
    """

    source: Path
    options: dict[str, Any]
    origin: dict[str, Path] = field(default_factory=dict)
    sidecars: tuple[Path, ...] = ()
    owed: tuple[str, ...] = ()


def stage(
    scan: Scan, request: BidsRequest, verb: BidsVerb, options: Mapping[str, Any], folder: Path
) -> Staged:
    """Link the files of a scan into a folder, and write the sidecars that they inherit.

    Args:
        scan: The scan.
        request: What the app is asked to do.
        verb: What the verb takes.
        options: Of the verb, as they were given for all scans.
        folder: Where to; it must not exist.

    Raises:
        InputError: If the verb needs blood and there is none, an option asks for an entity that
            the scan has not, or the files of the scan are ambiguous.
    """
    mine = {name: filled(value, scan.file.entities, scan.stem) for name, value in options.items()}
    files = gather(scan, request, verb)
    if verb.raw:
        return Staged(
            source=scan.file.path.absolute(),
            options=mine,
            origin={scan.file.path.name: scan.file.path},
        )
    home = folder / scan.home
    home.mkdir(parents=True)
    for name in _PERSON:
        person = Path(request.bids_dir) / name
        if person.is_file():
            (folder / name).symlink_to(person.absolute())
    staged = Staged(source=_link(scan.file.path, home, files.fields), options=mine, owed=files.owed)
    staged.origin[scan.file.path.name] = scan.file.path
    used = list(files.fields.files)
    for option, given in _blood_options(scan, files, verb, mine).items():
        staged.options[option] = [str(_link(b.file.path, home, b.fields)) for b in given]
        staged.origin |= {blood.file.path.name: blood.file.path for blood in given}
        used += [path for blood in given for path in blood.fields.files]
    if files.labels and "regions" in mine and mine["regions"] is None:
        staged.options["regions"] = _link(_one(files.labels, scan), home, None)
        staged.origin[files.labels[0].name] = files.labels[0]
        table = label_table(files.labels[0])
        if table.is_file():
            _link(table, home, None)
    beside = {sidecar_path(path) for path in staged.origin.values()}
    staged.sidecars = tuple(dict.fromkeys(path for path in used if path not in beside))
    return staged


def _one(labels: Sequence[Path], scan: Scan) -> Path:
    if len(labels) > 1:
        raise InputError(
            f"{labels[0].name} and {labels[1].name} are both label images of {scan.file.path.name}",
            "expected one",
            "name it with --regions",
        )
    return labels[0]


def _blood_options(
    scan: Scan, files: ScanFiles, verb: BidsVerb, options: Mapping[str, Any]
) -> dict[str, Sequence[BloodFile]]:
    """Return option to the blood files for it, of the options that were not given."""
    if options.get("reference") is not None:
        return {}
    tracers: Sequence[str | None] = [None] * len(verb.blood)
    if len(verb.blood) > 1:
        names = [part.partition(":")[0].strip() for part in str(options["tracers"]).split(",")]
        tracers = [*names, "", ""][: len(verb.blood)]
    found: dict[str, Sequence[BloodFile]] = {}
    for option, tracer in zip(verb.blood, tracers, strict=True):
        if options.get(option):
            continue
        blood = files.blood_of(tracer)
        if blood:
            found[option] = blood
        elif verb.needs_blood:
            raise InputError(
                f"no blood for {scan.file.path.name}",
                "expected a *_blood.tsv beside it, or an *_inputfunction.tsv in --derivatives",
                "add it, or give --blood",
            )
    return found


def _link(path: Path, folder: Path, fields: Fields | None) -> Path:
    """Link a file into a folder; a JSON with its fields goes beside it, where there are any."""
    link = folder / path.name
    link.symlink_to(path.absolute(), target_is_directory=path.is_dir())
    if fields is not None and fields.files and path.suffix != ".zarr":
        write_json(sidecar_path(link), fields.values)
    return link
