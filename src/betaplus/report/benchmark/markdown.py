"""The Markdown that benchmarks write, as pieces of a page: tables, lists, paragraphs, headings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from betaplus.report.elements import Html, paragraphs, table, to_html

__all__ = ["markdown_blocks"]


def markdown_blocks(text: str) -> Iterator[Html]:
    """Yield the blocks of a Markdown text; what is no table, list or heading is a paragraph.

    An empty line ends a block.
    """
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if lines and (not line.strip() or _kind(line) != _kind(lines[0])):
            yield _block(lines)
            lines = []
        if line.strip():
            lines.append(line)


def _kind(line: str) -> str:
    return next((mark for mark in ("|", "- ", "#") if line.startswith(mark)), "")


def _block(lines: list[str]) -> Html:
    kind = _kind(lines[0])
    if kind == "|":
        rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
        body = [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
        return table(rows[0], [row + [""] * (len(rows[0]) - len(row)) for row in body], dense=True)
    if kind == "- ":
        return Html("<ul>" + "".join(f"<li>{to_html(line[2:])}</li>" for line in lines) + "</ul>")
    if kind == "#":
        return Html("".join(f"<h3>{to_html(line.lstrip('# '))}</h3>" for line in lines))
    return paragraphs(" ".join(lines))
