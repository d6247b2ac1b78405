"""What the tests of the reports share: made-up posteriors and a reader of pages."""

from __future__ import annotations

import importlib.util
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest

VOID = {"meta", "img", "br", "hr", "link", "input"}


class PageReader(HTMLParser):
    """Reads a page; fails on tags that do not match, on clashing ids and on links to elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.tables: list[list[list[list[str]]]] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)
        anchors = {f"#{name}" for name in self.ids}
        assert not [link for link in self.links if link not in anchors]
        assert all(image.startswith("data:image/png;base64,") for image in self.images)
        assert not {"link", "iframe", "object", "embed", "base"} & set(self.tags)
        assert not re.search(r"@import|url\((?!#)", text)
        assert "http:" not in text and "https:" not in text and "file:" not in text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} is given twice"
        assert not [name for name in given if name.startswith("on")]
        if tag == "script":
            assert "src" not in given
        if given.get("id"):
            self.ids.append(given["id"])
        self.links += [v for k, v in attrs if k in ("href", "xlink:href") and v]
        if given.get("src"):
            self.images.append(given["src"])
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append([])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip() and not {"style", "script"} & set(self.open):
            self.texts.append((tuple(self.open), data.strip()))
            if {"td", "th"} & set(self.open):
                self.tables[-1][-1][-1].append(data.strip())

    def text(self, within: str | None = None) -> str:
        """Return the visible text, or that within a kind of element."""
        return " ".join(t for where, t in self.texts if within is None or within in where)


@pytest.fixture(scope="session")
def read_page() -> type[PageReader]:
    """The reader of pages."""
    return PageReader


@pytest.fixture(scope="session")
def synthetic() -> ModuleType:
    """The module of made-up posteriors."""
    name = "betaplus_synthetic_posteriors"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("synthetic.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
