"""The benchmark's page: Markdown becomes tables and lists, figures stand beside them."""

from __future__ import annotations

import pytest

from betaplus.pipeline.benchmark.kinetics.tracers import tracers_table
from betaplus.report.benchmark.kinetics import benchmark_report
from betaplus.report.benchmark.markdown import markdown_blocks


def test_markdown_becomes_html():
    text = "Words, 3 < 4.\n\n### Heading\n\n| a | b |\n|---|---|\n| x | 1 |\n\n- one\n- two"
    words, heading, table, items = markdown_blocks(text)
    assert words == "<p>Words, 3 &lt; 4.</p>"
    assert heading == "<h3>Heading</h3>"
    assert table.count("<tr>") == 2 and "<td" in table and ">x</th>" in table
    assert items == "<ul><li>one</li><li>two</li></ul>"


def row(subject, session, region, VT, logan, status="ok"):
    return {
        "subject": subject,
        "session": session,
        "region": region,
        "status": status,
        "VT": VT,
        "VT_sd": 0.05 * VT,
        "VT_q05": 0.9 * VT,
        "VT_q95": 1.1 * VT,
        "logan": logan,
        "whole": logan,
    }


@pytest.fixture
def found():
    rows = [
        row(subject, session, region, 2.0 + i + 0.1 * j, 2.0 + i, "misfit" if i == 2 else "ok")
        for j, (subject, session) in enumerate([("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")])
        for i, region in enumerate(("x", "y", "z"))
    ]
    entry = {
        "curves": 12, "within": 1.0, "median": -0.03, "p05": -0.09, "p95": 0.0, "outliers": [],
        "whole_within": 1.0, "whole_median": -0.03,
    }  # fmt: skip
    part = {
        "rows": rows,
        "refused": [{"subject": "c", "session": "1", "reason": "no blood"}],
        "agreement": {"all": entry, "status ok": entry},
        "retest": {
            key: {"x": {"subjects": 2, "variability": 0.05, "icc": 0.9}} for key in ("VT", "logan")
        },
        "occupancy": [],
    }
    return {"T1": part}


def test_report_of_real_tracers(found, tmp_path):
    assert "left out: c 1: no blood" in tracers_table(found)
    result = {
        "input": "simulated",
        "quick": True,
        "method": "exact",
        "machine": {"cores": 2},
        "parts": {"tracers": found},
    }
    path = benchmark_report(tmp_path / "report.html", result)
    page = path.read_text()
    assert page.count("<svg ") == 2  # agreement, and the two sessions in pairs
    assert "[11C]T1" in page and "too few curves" in page and "no blood" in page
