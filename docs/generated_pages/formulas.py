"""Formulas of a page as MathML."""

from __future__ import annotations

import html
import re

from latex2mathml.converter import convert

_MARKED = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)


def drawn(page: str) -> str:
    """Return a page with the formulas that arithmatex marked as MathML."""

    def one(found: re.Match[str]) -> str:
        block = found[1] == "div"
        source = html.unescape(found[2]).strip()
        formula = convert(source, display="block" if block else "inline")
        return f'<div style="overflow-x:auto">{formula}</div>' if block else formula

    return _MARKED.sub(one, page)
