"""The site builds without a warning, its links lead somewhere, and formulas are drawn."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "generated_pages"


class Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.ids |= {given[key] for key in ("id", "name") if key in given}
        if tag == "a" and "href" in given:
            self.found.append(given["href"])
        if tag in ("script", "img", "iframe") and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect"):
            self.loaded.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="needs the docs extra")
    out = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(out)],
        cwd=ROOT, text=True, capture_output=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return out


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.resolve(): Links(path.read_text()) for path in site.rglob("*.html")}
    assert len(pages) > 25
    wrong = []
    for path, page in pages.items():
        if path.name == "404.html":  # its links are from the root of a server
            continue
        for link in page.found + page.loaded:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append((path.name, link))
            elif parts.fragment and target in pages:
                known = pages[target].ids | {"__top", ""}
                wrong += [(path.name, link)] * (unquote(parts.fragment) not in known)
    assert wrong == []


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        page = Links(path.read_text())
        assert not [link for link in page.loaded if urlsplit(link).scheme not in ("", "data")]


def test_formulas_are_drawn(site: Path) -> None:
    text = (site / "methods.html").read_text()
    assert text.count("<math") > 40 and "arithmatex" not in text
    assert "<math" in (site / "reference" / "verbs.html").read_text()
    assert ".. math::" not in (site / "reference" / "verbs.html").read_text()


def test_all_commands_and_bundles_and_examples_are_shown(site: Path) -> None:
    from betaplus.generative.bundle import list_bundles

    cli = (site / "reference" / "cli.html").read_text()
    assert all(f"<code>{option}</code>" in cli for option in ("--t-star", "--samples", "--verb"))
    zoo = (site / "model_zoo.html").read_text()
    names = [f"{b.task}-{b.name}-v{b.version}" for b in list_bundles()]
    assert names and all(name in zoo for name in names)
    gallery = (site / "gallery.html").read_text()
    examples = [path.stem for path in (ROOT / "docs" / "examples").glob("[0-9]*.py")]
    assert len(examples) >= 10 and all(f'id="{name}"' in gallery for name in examples)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_pages_in_the_root(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert not [one for one in links if "://" not in one and not (ROOT / one).exists()]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PAGES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_formulas_of_docstrings_become_those_of_pages() -> None:
    pytest.importorskip("griffe", reason="needs the docs extra")
    rewritten = _load("docstring_math").rewritten
    text = (
        "A :math:`x^2`.\n\n.. math::\n    a = b, \\quad\n    c\n\nEnd.\n\n.. math:: d = 1\n\nLast."
    )
    assert (
        rewritten(text) == "A $x^2$.\n\n$$\na = b, \\quad\nc\n$$\n\nEnd.\n\n$$\nd = 1\n$$\n\nLast."
    )


def test_benchmarks_that_have_ended_are_on_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "benchmark_toy_part.md").write_text("# A toy\n\n| a |\n|---|\n| 1 |\n")
    (tmp_path / "benchmark_toy_part.json").write_text('{"command": "betaplus x", "seed": 3}')
    (tmp_path / "benchmark_toy_other.md").write_text("The benchmark has not ended.\n")
    monkeypatch.setenv("BETAPLUS_BENCHMARKS", str(tmp_path))
    text = _load("validation").page(tmp_path)
    assert "## toy part: A toy" in text and "`betaplus x`; seed 3" in text
    assert "other" not in text.partition("## toy part")[2]
