"""What `betaplus bids` is asked to do, and the checks of it that look at folders only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from betaplus.core.errors import InputError, OutputError, UsageError
from betaplus.io.jsons import read_json

__all__ = ["FILTERS", "LEVELS", "VERBS", "BidsRequest", "check_request", "find_verb"]

LEVELS = ("participant", "group")
FILTERS = ("task", "trc", "rec", "run", "desc")
"""Entities that scans can be chosen by, besides subject and session."""

_DESCRIPTION = "dataset_description.json"


@dataclass(frozen=True)
class BidsVerb:
    """What a verb takes of a data set.

    Attributes:
        raw: Whether it begins with raw data; else with an image.
        curves: Whether it takes tables of curves too.
        blood: Options that its blood goes to: none, one, or one a tracer.
        needs_blood: Whether it does nothing without.
    """

    raw: bool = False
    curves: bool = False
    blood: tuple[str, ...] = ()
    needs_blood: bool = False


VERBS: Mapping[str, BidsVerb] = {
    "kinetics": BidsVerb(curves=True, blood=("blood",), needs_blood=True),
    "patlak": BidsVerb(blood=("blood",), needs_blood=True),
    "denoise": BidsVerb(),
    "separate": BidsVerb(blood=("blood_a", "blood_b")),
    "reconstruct": BidsVerb(raw=True),
}
"""The verbs that can be run on a data set."""


@dataclass(frozen=True, kw_only=True)
class BidsRequest:
    """The options of the app itself.

    Attributes:
        bids_dir: The data set.
        out: Folder to write to: a derivative data set.
        level: ``participant`` or ``group``.
        verb: What is run.
        participants: Labels, without ``sub-``; empty for all.
        sessions: Labels, without ``ses-``; empty for all.
        filters: Entity to the labels wanted; one that is missing is not asked for.
        derivatives: Derivative data sets with images, curves, label images or input functions.
        curves: Whether to work on tables of curves in place of images.
        resume: Continue: finished scans are left as they are.
        overwrite: Replace earlier outputs.
        command: The command line, for the record.
    """

    bids_dir: Path
    out: Path
    level: str
    verb: str
    participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    derivatives: tuple[Path, ...] = ()
    curves: bool = False
    resume: bool = False
    overwrite: bool = False
    command: str = ""


def find_verb(name: str | None) -> BidsVerb:
    """Return what a verb takes.

    Raises:
        UsageError: If it is none of those that can be run on a data set.
    """
    listed = ", ".join(VERBS)
    if not name:
        raise UsageError("no verb", f"expected --verb with one of {listed}")
    if name not in VERBS:
        raise UsageError(f"--verb is {name!r}", f"expected {listed}")
    return VERBS[name]


def check_request(request: BidsRequest) -> BidsVerb:
    """Check folders and options against each other; return what the verb takes.

    Raises:
        UsageError: If an option is unknown or contradicts another.
        InputError: If a folder to read is no BIDS data set.
        OutputError: If the folder to write to is none for derivatives.
    """
    verb = find_verb(request.verb)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError(
            "bids in processes of torchrun",
            "expected one process",
            "spread participants over jobs by --participant-label",
        )
    if request.level not in LEVELS:
        raise UsageError(f"level is {request.level!r}", f"expected {' or '.join(LEVELS)}")
    if request.resume and request.overwrite:
        raise UsageError("--resume and --overwrite are both given", "they exclude each other")
    if request.curves and not verb.curves:
        able = ", ".join(name for name, other in VERBS.items() if other.curves)
        raise UsageError(f"--curves with --verb {request.verb}", f"expected it with {able}")
    if verb.raw and (request.derivatives or request.filters.get("desc")):
        raise UsageError(f"--derivatives or --desc with --verb {request.verb}", "expected raw data")
    if request.filters.get("desc") and not request.derivatives:
        raise UsageError("--desc without --derivatives", "expected the data set that has it")
    for folder in (request.bids_dir, *request.derivatives):
        _check_data_set(Path(folder))
        source_description(Path(folder))
    _check_out(request)
    return verb


def _check_data_set(folder: Path) -> None:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{folder} {what}", "expected the folder of a BIDS data set")
    if not (folder / _DESCRIPTION).is_file() and not any(folder.glob("sub-*")):
        raise InputError(
            f"{folder} holds no {_DESCRIPTION} and no folder sub-*",
            "expected the top folder of a BIDS data set",
        )


def _check_out(request: BidsRequest) -> None:
    out, source = Path(request.out).resolve(), Path(request.bids_dir).resolve()
    if Path(request.out).exists() and not Path(request.out).is_dir():
        raise OutputError(f"{request.out} is a file", "expected a folder", "choose another")
    if out == source:
        raise OutputError(
            f"{request.out} is the data set itself",
            "expected another folder, or one in its derivatives/",
        )
    inside = out.relative_to(source).parts if out.is_relative_to(source) else ()
    if inside and (inside[0] != "derivatives" or len(inside) < 2):
        raise OutputError(
            f"{request.out} is inside the data set",
            f"expected a folder of its own, or {Path(request.bids_dir) / 'derivatives' / 'NAME'}",
        )
    description = Path(request.out) / _DESCRIPTION
    if description.exists():
        kind = read_json(description).get("DatasetType")
        if kind != "derivative":
            raise OutputError(
                f"DatasetType is {kind!r} in {description}",
                "expected a folder for derivatives",
                "choose another",
            )


def source_description(folder: Path) -> dict[str, Any]:
    """Return the description of a data set; empty where it has none.

    Raises:
        InputError: If it is no JSON.
    """
    path = Path(folder) / _DESCRIPTION
    return read_json(path) if path.is_file() else {}
