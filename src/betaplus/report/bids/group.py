"""The report of a verb on all scans of a data set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from betaplus import __version__
from betaplus.pipeline.bids.group import GroupResult, Row
from betaplus.report.bids.strips import strip_panel
from betaplus.report.bids.summaries import parameters_of, retest, spreads, standing_out
from betaplus.report.elements import (
    Html,
    details,
    facts,
    field_list,
    format_number,
    format_unit,
    table,
    to_html,
)
from betaplus.report.page import Page

__all__ = ["group_report"]

_MAIN = ("VT", "Ki", "BPND", "K1", "R1", "V0")
"""Parameters that are drawn first."""

_DRAWN = 4
_ROW_LIMIT = 120
_MOST_SESSIONS = 4
_SUMMARY_NOTE = (
    "Of posterior medians, or of estimates. SD is that between scans; the SD of a scan is the root"
    " mean square of those that the method gives. Where the two are alike, scans differ no more"
    " than noise makes them."
)
_STRIPS_NOTE = (
    "A point is a scan: its posterior median, or the estimate of a method without one; its line the"
    " 5 to 95 % interval where there is one; the bar the median over scans. Colours are sessions."
)
_SCANS_NOTE = "The report of a scan is among its files, in its folder pet."
_RETEST_NOTE = (
    "Of participants with two scans a and b: 200 (b \u2212 a) / (a + b), its mean and the mean of"
    " its absolute value."
)


def group_report(path: str | Path, result: GroupResult) -> Path:
    """Write the report of a group; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.bids.run_group`.

    Raises:
        OutputError: If the file cannot be written.
    """
    people = len({record.participant for record in result.records})
    regions = len({row.value.region for row in result.rows})
    page = Page(
        f"Group: {result.verb}",
        f"{len(result.records)} scans of {people} participants.",
        header={
            "Verb": f"bids, {result.verb}",
            "Date": result.run["date"][:16].replace("T", " "),
            "Version": __version__,
        },
        warnings=_warnings(result),
        remarks=result.run["checks"],
    )
    numbers = [(f"{people}", "participants"), (f"{len(result.records)}", "scans"),
               (f"{regions}", "regions"), (f"{len(result.rows):,}", "numbers")]  # fmt: skip
    page.add_section("Scans", [facts(numbers), _scans(result)], _SCANS_NOTE)
    drawn = _drawn(result)
    pictures = [strip_panel(result.rows, name) for name in drawn]
    page.add_section("Values", pictures, _STRIPS_NOTE)
    tables = [part for name in drawn for part in _summaries(result, name)]
    page.add_section("Summary", tables, _SUMMARY_NOTE)
    repeated = [piece for name in drawn if (piece := _retest(result, name)) is not None]
    if repeated:
        page.add_section("Two scans of one participant", repeated, _RETEST_NOTE)
    page.add_section("Methods", _markdown(result.methods))
    page.add_section("Settings", details("Run", field_list(result.run)))
    return page.write(path)


def _drawn(result: GroupResult) -> list[str]:
    found = parameters_of(result.rows)
    first = [name for name in _MAIN if name in found]
    return [*first, *(name for name in found if name not in first)][:_DRAWN]


def _warnings(result: GroupResult) -> list[str]:
    said = []
    for name in _drawn(result):
        total = len({r.value.region for r in result.rows if r.value.parameter == name})
        for scan, count in sorted(standing_out(result.rows, name).items(), key=lambda i: -i[1]):
            if count > max(1, 0.2 * total):
                said.append(
                    f"{scan}: {name} is over 3.5 robust SDs off the median of the scans in"
                    f" {count} of {total} regions"
                )
    return said


def _scans(result: GroupResult) -> Html:
    several = any("ses" in record.entities for record in result.records)
    rows = []
    for record in result.records:
        mine = [row.value for row in result.rows if row.record is record]
        fields = record.fields
        checks = fields.get("checks")
        row: list[object] = [record.stem]
        row += [record.entities.get("ses", "")] if several else []
        row += [
            len({value.region for value in mine}),
            _misfits([value.status for value in mine]),
            len(checks) if isinstance(checks, list) else 0,
            format_number((fields.get("timings_s") or {}).get("total", float("nan"))),
        ]
        rows.append(row)
    header = ["scan", *(["session"] if several else []), "regions", "misfit", "remarks", "time [s]"]
    return table(header, rows, text_columns=2 if several else 1, dense=True)


def _misfits(status: Sequence[int | None]) -> str:
    known = [code for code in status if code is not None]
    return f"{100 * sum(code == 4 for code in known) / len(known):.0f} %" if known else "n/a"


def _summaries(result: GroupResult, name: str) -> list[Html]:
    """Return a table of the regions; of a few sessions one for each: they may be of two states."""
    sessions = sorted({record.entities.get("ses", "") for record in result.records})
    if not 1 < len(sessions) <= _MOST_SESSIONS:
        return [_summary(result, result.rows, name, "")]
    tables = []
    for session in sessions:
        mine = [row for row in result.rows if row.record.entities.get("ses", "") == session]
        if name in parameters_of(mine):
            tables.append(_summary(result, mine, name, f", session {session or 'not named'}"))
    return tables


def _summary(result: GroupResult, rows: Sequence[Row], name: str, which: str) -> Html:
    found = spreads(rows, name)
    unit = format_unit(next(row.value.unit for row in rows if row.value.parameter == name))
    cells = [
        [
            s.region,
            s.count,
            *(format_number(v) for v in (s.mean, s.sd)),
            format_number(100 * s.sd / abs(s.mean)) if s.mean else "n/a",
            *(format_number(v) for v in (s.low, s.high, s.sd_within)),
        ]
        for s in found[:_ROW_LIMIT]
    ]
    header = ["region", "n", "mean", "SD", "SD [% of mean]", "smallest", "largest", "SD of a scan"]
    caption = (f"{name} [{unit}]" if unit else name) + which
    if len(found) > _ROW_LIMIT:
        caption += f"; the first {_ROW_LIMIT} of {len(found)} regions, {result.table.name} has all"
    return table(header, cells, caption=caption, dense=True)


def _retest(result: GroupResult, name: str) -> Html | None:
    found = retest(result.rows, name)
    if not found:
        return None
    rows = [
        [region, count, f"{change:+.1f}".replace("-", "\u2212"), f"{size:.1f}"]
        for region, count, change, size in found[:_ROW_LIMIT]
    ]
    header = ["region", "participants", "mean change [%]", "mean absolute change [%]"]
    return table(header, rows, caption=name, dense=True)


def _markdown(text: str) -> list[Html]:
    """Return the few kinds of Markdown that the methods text has as HTML."""
    pieces: list[Html] = []
    items: list[str] = []
    for line in text.splitlines():
        body = re.sub(r"`([^`]*)`", r"<code>\1</code>", to_html(line))
        if re.match(r"\d+\. ", line):
            items.append(f"<li>{body.partition('. ')[2]}</li>")
        elif line.startswith("## "):
            pieces.append(Html(f"<h3>{to_html(line[3:])}</h3>"))
        elif line and not line.startswith("# "):
            pieces.append(Html(f"<p>{body}</p>"))
    return [*pieces, Html(f"<ol>{''.join(items)}</ol>")]
