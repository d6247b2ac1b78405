"""Group summaries against numbers worked out by hand or by numpy, and the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from betaplus.pipeline.bids.group import GroupResult, Row
from betaplus.pipeline.bids.group_values import Value
from betaplus.pipeline.bids.records import ScanRecord
from betaplus.report.bids import group_report
from betaplus.report.bids.summaries import parameters_of, retest, spreads, standing_out


def rows(values: dict[tuple[str, str], float], region: str = "putamen", sd: float = 0.1):
    return [
        Row(
            ScanRecord(f"sub-{person}_ses-{session}", Path(), {"checks": []}),
            Value(
                region=region, parameter="VT", unit="mL/cm3", value=value, sd=sd, median=value,
                q05=value - 0.2, q95=value + 0.2, status=1,
            ),
        )
        for (person, session), value in values.items()
    ]  # fmt: skip


TWICE = {("01", "a"): 2.0, ("01", "b"): 3.0, ("02", "a"): 5.0, ("02", "b"): 5.0, ("03", "a"): 4.0}


def test_spread_is_that_of_numpy() -> None:
    (found,) = spreads(rows(TWICE, sd=0.3), "VT")
    values = np.array(list(TWICE.values()))
    assert (found.region, found.count) == ("putamen", 5)
    assert found.mean == values.mean() and found.sd == pytest.approx(np.std(values, ddof=1))
    assert (found.low, found.high) == (2.0, 5.0) and found.sd_within == pytest.approx(0.3)


def test_spread_of_one_scan_has_no_sd() -> None:
    (found,) = spreads(rows({("01", "a"): 2.0}, sd=np.nan), "VT")
    assert np.isnan(found.sd) and np.isnan(found.sd_within)


def test_retest_is_of_those_with_two_scans() -> None:
    """From 2 to 3 is 200 / 5 = 40 %, from 5 to 5 is 0 %."""
    ((region, count, change, size),) = retest(rows(TWICE), "VT")
    assert (region, count) == ("putamen", 2)
    assert change == pytest.approx(20.0) and size == pytest.approx(20.0)
    swapped = {("01", "a"): 3.0, ("01", "b"): 2.0, ("02", "a"): 1.0, ("02", "b"): 1.5}
    ((_, _, change, size),) = retest(rows(swapped), "VT")
    assert change == pytest.approx(0.0) and size == pytest.approx(40.0)


def test_a_scan_far_from_the_others_stands_out() -> None:
    """Off the median 4 by 0, 1, 1, 2 and 96: the median is 1, and 1.4826 x 3.5 = 5.2."""
    values = {(f"0{i}", "a"): v for i, v in enumerate((2.0, 3.0, 4.0, 5.0, 100.0))}
    assert standing_out(rows(values), "VT") == {"sub-04_ses-a": 1}
    assert standing_out(rows({**values, ("04", "a"): 9.0}), "VT") == {}
    few = dict(list(values.items())[1:])
    assert standing_out(rows(few), "VT") == {}


def test_what_has_no_number_is_left_out() -> None:
    assert parameters_of(rows({("01", "a"): np.nan})) == []
    assert spreads(rows({("01", "a"): np.nan}), "VT") == []


def test_the_page_shows_scans_values_and_methods(tmp_path: Path, read_page) -> None:
    values = {(f"0{i}", s): 2.0 + 0.1 * i + (s == "b") for i in range(6) for s in "ab"}
    values["05", "b"] = 60.0
    some = [*rows(values), *rows(values, region="<thalamus>")]
    result = GroupResult(
        verb="kinetics",
        records=tuple(row.record for row in some[: len(values)]),
        rows=tuple(Row(some[i % len(values)].record, row.value) for i, row in enumerate(some)),
        methods="# Methods\n\nDone by `nlls`.\n\n## References\n\n1. Someone <x>. 2001.\n",
        run={"date": "2026-01-02T03:04:05", "checks": ["sub-09 holds no numbers"]},
        out=tmp_path,
    )
    page = read_page(group_report(tmp_path / "g.html", result).read_text(encoding="utf-8"))
    assert page.text("h1") == "Group: kinetics"
    assert "sub-05_ses-b: VT is over 3.5 robust SDs" in page.text("aside")
    assert "sub-09 holds no numbers" in page.text("aside")
    assert any("Someone <x>. 2001." in text for _, text in page.texts)
    assert any("<thalamus>" in text for _, text in page.texts)
    assert page.tags.count("svg") == 1
