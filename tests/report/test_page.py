from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import betaplus
from betaplus.core.errors import OutputError
from betaplus.report.elements import Html
from betaplus.report.page import Page

NASTY = "<script>alert('x')</script> & \"co\""


def test_everything_given_as_text_is_escaped(tmp_path: Path, read_page) -> None:
    page = Page(NASTY, NASTY, header={NASTY: NASTY}, warnings=[NASTY], remarks=[NASTY])
    page.add_section(NASTY, NASTY, NASTY)
    page.add_section("list", [NASTY, Html("<em>kept</em>")])
    text = page.write(tmp_path / "r.html").read_text(encoding="utf-8")
    read = read_page(text)
    assert read.tags.count("script") == 1  # the page's own
    assert read.tags.count("em") == 1
    # title, h1, subtitle, header label and value, warning, remark, navigation, heading, note, text
    # in two sections
    assert sum(t == NASTY for _, t in read.texts) == 12


def test_sections_are_linked_and_in_order(read_page) -> None:
    page = Page("t")
    for title in ("Maps", "Maps", "\u03b2", "\u03b3"):
        page.add_section(title, "x")
    read = read_page(page.html())
    assert read.ids == ["maps", "maps-2", "section", "section-2"]
    assert read.links == ["#maps", "#maps-2", "#section", "#section-2"]


def test_page_without_anything_is_valid(read_page) -> None:
    read = read_page(Page("Only a title").html())
    assert read.text("h1") == "Only a title"
    assert "aside" not in read.tags and "nav" not in read.tags


def test_warnings_and_remarks_are_visible(read_page) -> None:
    read = read_page(Page("t", warnings=["mind this"], remarks=["was mended"]).html())
    assert "mind this" in read.text("aside") and "was mended" in read.text("aside")
    assert "details" not in read.tags


def test_pages_follow_the_colour_scheme_and_print() -> None:
    text = Page("t").html()
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    class Broken:
        def __html__(self) -> str:
            raise RuntimeError("no picture")

    target = tmp_path / "r.html"
    target.write_text("as it was")
    page = Page("t")
    with pytest.raises(RuntimeError):
        page.add_section("s", Broken())
    page.subtitle = Broken()
    with pytest.raises(RuntimeError):
        page.write(target)
    assert target.read_text() == "as it was"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_folder_as_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        Page("t").write(tmp_path)
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OutputError):
        Page("t").write(blocked / "r.html")


def test_missing_folders_are_made(tmp_path: Path) -> None:
    assert Page("t").write(tmp_path / "a" / "b" / "r.html").is_file()


def test_importing_reports_loads_nothing_heavy() -> None:
    code = (
        "import sys, betaplus.report.kinetics, betaplus.report.figures\n"
        "heavy = {'matplotlib', 'jinja2', 'nibabel', 'torch', 'numba', 'PIL', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    source = str(Path(betaplus.__file__).parents[1])
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
