"""How the run of a verb begins and ends: its journal, and its report and record."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from betaplus.engine import Journal, Key, work_folder
from betaplus.io.derivatives import write_json
from betaplus.pipeline.dicom_files import dicom_paths, write_dicom
from betaplus.pipeline.run_names import RunNames
from betaplus.pipeline.run_record import Stopwatch, run_record
from betaplus.pipeline.run_request import RunRequest

__all__ = ["finish", "open_journal", "sweep"]


class _Result(Protocol):
    """What a run found: a dataclass with a record, names and the files that were written."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def run(self) -> dict[str, Any]: ...

    @property
    def names(self) -> RunNames: ...

    @property
    def paths(self) -> tuple[Path, ...]: ...


Result = TypeVar("Result", bound=_Result)


def open_journal(
    request: RunRequest, names: RunNames, key: Key, outputs: Iterable[Path]
) -> Journal:
    """Open the journal of a run.

    Args:
        request: What is asked.
        names: Where the outputs go.
        key: What the result depends on.
        outputs: Every file that will be written, without the record.

    Raises:
        InputError: As `betaplus.pipeline.dicom_files.dicom_paths` does.
        OutputError: As `betaplus.engine.Journal.open` does.
        UsageError: As `betaplus.pipeline.dicom_files.dicom_paths` does.
    """
    files = list(outputs)
    return Journal.open(
        work_folder(names.out, names.src, names.verb),
        key,
        resume=request.resume,
        overwrite=request.overwrite,
        outputs=[*files, *dicom_paths(request, files)],
        record=names.record,
    )


def sweep(names: RunNames) -> None:
    """Remove what a kill left of outputs that were being written."""
    for path in names.out.glob(f".tmp-*-{names.src}_*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def finish(
    request: RunRequest,
    result: Result,
    journal: Journal,
    watch: Stopwatch,
    report: Callable[[Path, Result], None] | None,
) -> Result:
    """Write what is wanted as DICOM, the report and then the record, and close the journal.

    Args:
        request: What was asked.
        result: What was found; its paths are those of all files but the record.
        journal: Of the run.
        watch: Its time.
        report: Writes the HTML report to a path, or None.

    Returns:
        The result with the whole record and the path of it.

    Raises:
        OutputError: If a file cannot be written.
    """
    names = result.names
    if request.dicom:
        with watch.stage("dicom"):
            twins = write_dicom(request, names.verb, result.paths)
        result = dataclasses.replace(result, paths=(*result.paths, *twins))
    if report is not None:
        with watch.stage("report"):
            report(names.report, result)
    run = {
        **result.run,
        **run_record(names.verb, request.command, request.seed, watch),
        "outputs": [path.name for path in result.paths],
        "key": journal.key.digest,
    }
    write_json(names.record, run)
    journal.complete()
    return dataclasses.replace(result, run=run, paths=(*result.paths, names.record))
