"""Formulas of docstrings, which are in reStructuredText, as pages write them."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

_BLOCK = re.compile(r"^([ ]*)\.\. math::[ ]*([^\n]*)\n((?:[ ]*\n|\1[ ]+[^\n]*\n?)*)", re.MULTILINE)


def rewritten(text: str) -> str:
    """Return a docstring with ``.. math::`` and ``:math:`` as LaTeX in dollars."""

    def block(found: re.Match[str]) -> str:
        indent, first, rest = found[1], found[2], textwrap.dedent(found[3])
        lines = [line for line in (first, *rest.splitlines()) if line.strip()]
        body = "\n".join(f"{indent}{line.strip()}" for line in lines)
        return f"{indent}$$\n{body}\n{indent}$$\n\n"

    text = _BLOCK.sub(block, text + "\n").rstrip("\n")
    return re.sub(r":math:`([^`]+)`", r"$\1$", text)


class DocstringMath(griffe.Extension):
    """Rewrites every docstring that is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one."""
        if obj.docstring is not None and "math:" in obj.docstring.value:
            obj.docstring.value = rewritten(obj.docstring.value)
