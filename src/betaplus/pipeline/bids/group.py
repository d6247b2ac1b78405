"""The group level: one table of what a verb found in all scans, and a report of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError, InputError, OutputError
from betaplus.io.derivatives import write_json, write_table
from betaplus.pipeline.bids.dataset import data_sets, write_data_set
from betaplus.pipeline.bids.group_values import Value, scan_values
from betaplus.pipeline.bids.methods_text import methods_text, write_methods
from betaplus.pipeline.bids.records import ScanRecord, find_records
from betaplus.pipeline.bids.request import BidsRequest, check_request
from betaplus.pipeline.run_record import Stopwatch, run_record

__all__ = ["GroupResult", "Row", "run_group"]

_COLUMNS = {
    "participant_id": {"Description": "participant"},
    "session_id": {"Description": "session, where there are any"},
    "scan": {"Description": "name of the scan, which its files begin with"},
    "region": {"Description": "region; image for all voxels of an image that are not 0"},
    "parameter": {"Description": "what was measured"},
    "value": {"Description": "posterior mean or estimate"},
    "sd": {"Description": "its standard deviation, where the method has one"},
    "median": {"Description": "posterior median, likewise"},
    "q05": {"Description": "5 % quantile, likewise"},
    "q95": {"Description": "95 % quantile, likewise"},
    "unit": {"Description": "of value, sd, median, q05 and q95"},
    "status": {
        "Description": "how the fit ended, where the method says so",
        "Levels": {"1": "ok", "2": "re-weighted", "3": "refined", "4": "misfit"},
    },
}


@dataclass(frozen=True)
class Row:
    """A number of the table: the scan, and what of it."""

    record: ScanRecord
    value: Value


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupResult:
    """What was gathered and written.

    Attributes:
        verb: The verb.
        records: Of the scans.
        rows: Their numbers, scan by scan.
        methods: Text on what was done.
        run: The record of the gathering.
        out: The derivative data set.
        report: The report, or None.
    """

    verb: str
    records: tuple[ScanRecord, ...]
    rows: tuple[Row, ...]
    methods: str
    run: dict[str, Any]
    out: Path
    report: Path | None = None

    @property
    def table(self) -> Path:
        """The table."""
        return self.out / f"group_{self.verb}.tsv"

    @property
    def summary(self) -> list[str]:
        """A few plain lines."""
        people = len({record.participant for record in self.records})
        lines = [f"{len(self.records)} scans of {people} participants, {len(self.rows)} numbers"]
        lines += [f"remark: {text}" for text in self.run["checks"]]
        lines.append(f"table: {self.table}")
        return [*lines, *([f"report: {self.report}"] if self.report else [])]


def run_group(
    request: BidsRequest, report: Callable[[Path, GroupResult], Any] | None = None
) -> GroupResult:
    """Gather what a verb has found in all scans of a derivative data set.

    Args:
        request: What is asked of the app.
        report: Writes the HTML report to a path, or None for none.

    Raises:
        UsageError: If options are wrong.
        InputError: If no scan is finished, or a file of one cannot be read.
        OutputError: If there is a table already, or it cannot be written.
    """
    watch = Stopwatch()
    check_request(request)
    out, verb = Path(request.out), request.verb
    table, page = out / f"group_{verb}.tsv", out / f"group_{verb}_report.html"
    record = out / f"group_{verb}_run.json"
    held = [path for path in (table, page, record) if path.exists()]
    if held and not (request.overwrite or request.resume):
        raise OutputError(f"{held[0]} exists already", todo="give --overwrite to make it again")
    records = find_records(out, verb, request.participants, request.sessions, request.filters)
    if not records:
        raise InputError(
            f"no finished scan of {verb} in {out}",
            f"expected files sub-*_{verb}_run.json",
            "run the participant level first",
        )
    with watch.stage("read"):
        rows, remarks = _rows(records, data_sets(request))
    if not any(np.isfinite(row.value.value) for row in rows):
        raise InputError(f"the {len(records)} scans of {verb} in {out} hold no numbers")
    run = {
        "scans": [one.stem for one in records],
        "checks": remarks,
        **run_record("bids", request.command, 0, watch),
    }
    result = GroupResult(
        verb=verb,
        records=tuple(records),
        rows=tuple(rows),
        methods=methods_text(verb, records),
        run=run,
        out=out,
        report=page if report is not None else None,
    )
    write_data_set(request)
    write_methods(out, verb)
    if report is not None:
        report(page, result)
    write_table(table, _columns(rows), _COLUMNS)
    write_json(record, run)
    return result


def _rows(records: list[ScanRecord], roots: dict[str, Path]) -> tuple[list[Row], list[str]]:
    rows, remarks = [], []
    for record in records:
        try:
            values = scan_values(record, roots)
        except BetaplusError as error:
            raise InputError(f"{record.stem}: {error}") from error
        if not values:
            remarks.append(f"{record.stem} holds no numbers")
        rows += [Row(record, value) for value in values]
    return rows, remarks


def _columns(rows: list[Row]) -> dict[str, list[Any]]:
    session = [row.record.entities.get("ses") for row in rows]
    numbers = {
        name: [_known(getattr(row.value, name)) for row in rows]
        for name in ("value", "sd", "median", "q05", "q95")
    }
    return {
        "participant_id": [row.record.participant for row in rows],
        "session_id": [None if label is None else f"ses-{label}" for label in session],
        "scan": [row.record.stem for row in rows],
        "region": [row.value.region for row in rows],
        "parameter": [row.value.parameter for row in rows],
        **numbers,
        "unit": [row.value.unit or None for row in rows],
        "status": [row.value.status for row in rows],
    }


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
