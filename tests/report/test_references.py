"""The section of citations: each work once, in the order of what was used."""

from __future__ import annotations

from betaplus.report.page import Page
from betaplus.report.references import add_reference_list, add_references


def test_a_work_is_listed_once() -> None:
    page = Page("p")
    add_reference_list(page, [("kinetics", "exact", "2TCM"), ("kinetics", "exact", "SRTM")])
    text = page.html()
    assert text.count("Innis et al.") == 1 and text.count("Lammertsma and Hume") == 1
    assert text.index("Gunn, Gunn") < text.index("Cappe et al.") < text.index("Lammertsma")
    assert "doi:10.1006/nimg.1996.0066" in text


def test_nothing_to_cite_is_no_section() -> None:
    page = Page("p")
    add_references(page, "denoise", "gaussian")
    assert "Citations" not in page.html()
