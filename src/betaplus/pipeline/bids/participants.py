"""The participant level: the verb on each scan, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from betaplus.core.errors import BetaplusError, InputError, OutputError
from betaplus.io.jsons import sidecar_path
from betaplus.pipeline.bids.dataset import data_sets, sweep_data_set, write_data_set
from betaplus.pipeline.bids.methods_text import write_methods
from betaplus.pipeline.bids.request import BidsRequest, BidsVerb, check_request
from betaplus.pipeline.bids.scan_files import gather
from betaplus.pipeline.bids.scans import Scan, find_scans
from betaplus.pipeline.bids.staging import stage
from betaplus.pipeline.bids.workplace import Workplace

__all__ = ["RunVerb", "Say", "run_participants"]

RunVerb = Callable[[Mapping[str, Any]], str]
"""Runs the verb with all its options, by their names in Python; returns what it told."""

Say = Callable[[str], None]

_FLAGS = "give --resume to leave finished scans as they are or --overwrite to make them again"
_NAMED = 12  # scans that a message names
_TOLD = 2  # reasons that a message tells


@dataclass
class _Outcome:
    done: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    defects: list[Exception] = field(default_factory=list)


def run_participants(
    request: BidsRequest,
    options: Mapping[str, Any],
    run: RunVerb,
    say: Say,
    *,
    dry: bool = False,
) -> list[str]:
    """Run a verb on every scan that is asked for.

    A scan that fails does not stop the others. Each appears whole or not at all; what was stopped
    goes on where it was with `request.resume`.

    Args:
        request: What is asked of the app.
        options: All options of the verb by name, but those that the app sets for each scan.
        run: Runs the verb.
        say: Is told how it goes.
        dry: Whether only to say what would be done.

    Returns:
        Names of the scans that are finished.

    Raises:
        UsageError: If options are wrong.
        InputError: If there is nothing to do, or if scans failed: the message names them.
        OutputError: If there are outputs and no flag says what becomes of them.
    """
    verb = check_request(request)
    scans = find_scans(request, verb)
    places = [Workplace(Path(request.out), request.verb, scan) for scan in scans]
    if dry:
        for scan in scans:
            say(_plan(scan, request, verb))
        return [scan.stem for scan in scans]
    _refuse_leftovers(request, scans, places)
    existed = Path(request.out).exists()
    sweep_data_set(Path(request.out))
    outcome = _Outcome()
    try:
        for number, (scan, place) in enumerate(zip(scans, places, strict=True), start=1):
            say(f"{scan.stem} ({number} of {len(scans)})")
            _try(request, verb, options, run, say, scan, place, outcome)
    finally:
        if not existed:
            with contextlib.suppress(OSError):
                Path(request.out).rmdir()
    if outcome.done:
        write_methods(Path(request.out), request.verb)
    _raise_failures(outcome, len(scans))
    return [*outcome.done, *outcome.kept]


def _try(
    request: BidsRequest,
    verb: BidsVerb,
    options: Mapping[str, Any],
    run: RunVerb,
    say: Say,
    scan: Scan,
    place: Workplace,
    outcome: _Outcome,
) -> None:
    """Run the verb on one scan, and note what became of it."""
    try:
        done = place.complete() if request.resume else False
        if done:
            write_data_set(request)
        if done or _run(request, verb, options, run, say, scan, place):
            outcome.done.append(scan.stem)
        else:
            say("finished already, nothing to do")
            outcome.kept.append(scan.stem)
    except BetaplusError as error:
        text = _in_place(str(error), place, scan)
        say(f"failed: {text}")
        outcome.failed[scan.stem] = text
        place.close(keep=True)
    except Exception as error:
        say(f"failed by a defect: {type(error).__name__}: {error}")
        error.add_note(f"while betaplus {request.verb} was at work on {scan.file.path}")
        outcome.defects.append(error)
        place.close(keep=True)


def _run(
    request: BidsRequest,
    verb: BidsVerb,
    options: Mapping[str, Any],
    run: RunVerb,
    say: Say,
    scan: Scan,
    place: Workplace,
) -> bool:
    """Run the verb on one scan; return False if it was finished already."""
    place.prepare(resume=request.resume)
    staged = stage(scan, request, verb, options, place.inputs)
    told = run(
        {
            **staged.options,
            "source": staged.source,
            "out": place.made,
            "resume": request.resume,
            "overwrite": False,
        }
    )
    if place.unchanged:
        place.close()
        return False
    write_data_set(request)
    place.publish(staged, data_sets(request), {"command": request.command})
    for line in _in_place(told, place, scan).splitlines():
        say(f"  {line}")
    return True


def _plan(scan: Scan, request: BidsRequest, verb: BidsVerb) -> str:
    """Return a line on what would be done with which files."""
    try:
        files = gather(scan, request, verb)
    except BetaplusError as error:
        return f"{scan.stem}: {error}"
    parts = [str(scan.file.path)]
    if verb.blood:
        names = ", ".join(blood.file.path.name for blood in files.blood)
        parts.append(f"blood {names or 'none'}")
    if files.labels:
        parts.append(f"regions {', '.join(path.name for path in files.labels)}")
    own = sidecar_path(scan.file.path)
    others = [path.name for path in files.fields.files if path != own]
    if others:
        parts.append(f"fields of {', '.join(others)}")
    return f"{scan.stem}: {'; '.join(parts)}"


def _refuse_leftovers(request: BidsRequest, scans: list[Scan], places: list[Workplace]) -> None:
    """Refuse outputs and unfinished work, unless a flag says what becomes of them."""
    if request.resume or request.overwrite:
        return
    held = [s.stem for s, p in zip(scans, places, strict=True) if p.record.exists() or p.begun]
    if held:
        raise OutputError(
            f"{request.out} holds {request.verb} of {_few(held)} already", todo=_FLAGS
        )


def _in_place(text: str, place: Workplace, scan: Scan) -> str:
    """Return what a verb said, with the places of inputs and outputs for the folders at work."""
    text = text.replace(str(place.made), str(place.final))
    return text.replace(str(place.inputs), str(scan.root))


def _raise_failures(outcome: _Outcome, count: int) -> None:
    if outcome.defects:
        raise outcome.defects[0]
    if not outcome.failed:
        return
    failed = outcome.failed
    reasons: dict[str, list[str]] = {}
    for name, text in failed.items():
        reasons.setdefault(text, []).append(name)
    said = [f"{_few(names)}: {text}" for text, names in list(reasons.items())[:_TOLD]]
    if len(reasons) > _TOLD:
        rest = [name for names in list(reasons.values())[_TOLD:] for name in names]
        said.append(f"and {_few(rest)}")
    todo = "the others are done: mend these and give --resume" if len(failed) < count else ""
    raise InputError(f"{len(failed)} of {count} scans failed: {'; '.join(said)}", todo=todo)


def _few(names: list[str]) -> str:
    """Return names in a row; of many scans the participants, each once."""
    if len(names) > _NAMED:
        names = list(dict.fromkeys(name.partition("_")[0] for name in names))
    return ", ".join(names)
