"""Pieces of a page: trusted HTML, tables, field lists, folded details and number formats.

Whatever has ``__html__`` is put on a page as it is; everything else is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = [
    "Html",
    "details",
    "facts",
    "field_list",
    "format_number",
    "format_unit",
    "paragraphs",
    "table",
    "to_html",
]

_UNITS = {
    "1": "",
    "mL/cm3/min": "mL/cm\u00b3/min",
    "mL/cm3": "mL/cm\u00b3",
    "sqrt(Bq/mL min)": "\u221a(Bq/mL min)",
}
_LIST_LIMIT = 24  # longer lists in settings are shortened
_WIDE, _SMALLER = 12, ' class="long"'  # letters of a large value that fit its cell


class Html(str):
    """Markup that is trusted as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return the markup itself."""
        return str(self)


def to_html(item: object) -> Html:
    """Return markup of `item`: its own where it has any, else its text, escaped."""
    own = getattr(item, "__html__", None)
    return Html(own() if own is not None else html.escape(str(item)))


def format_number(value: object, digits: int = 3) -> str:
    """Return a number with `digits` significant digits and no exponent where it can be helped."""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        return "n/a" if math.isnan(number) else ("inf" if number > 0 else "-inf")
    if number == 0:
        return "0"
    if 1e-4 <= abs(number) < 1e6:
        whole = math.floor(math.log10(abs(number))) + 1
        text = f"{number:.{max(digits - whole, 0)}f}"
        return f"{float(text):,.0f}" if abs(float(text)) >= 10_000 else text
    return f"{number:.{digits - 1}e}"


def format_unit(unit: str) -> str:
    """Return a unit as it is printed; empty for a pure number."""
    return _UNITS.get(unit, unit)


def paragraphs(*texts: object) -> Html:
    """Return each text as a paragraph."""
    return Html("".join(f"<p>{to_html(text)}</p>" for text in texts))


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """Return a strip of a few large values, each as (value, what it is)."""
    cells = "".join(
        f"<div><dd{_SMALLER if len(str(value)) > _WIDE else ''}>{to_html(value)}</dd>"
        f"<dt>{to_html(label)}</dt></div>"
        for value, label in pairs
    )
    return Html(f'<dl class="facts">{cells}</dl>')


def table(
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    text_columns: int = 1,
    caption: object = "",
    dense: bool = False,
) -> Html:
    """Return a table; the first `text_columns` columns are text, the others numbers."""

    def cells(row: Sequence[object], tag: str) -> str:
        out = []
        for i, item in enumerate(row):
            heading = tag == "th" or i == 0
            name = "th" if heading else "td"
            scope = "" if not heading else ' scope="col"' if tag == "th" else ' scope="row"'
            kind = "" if i < text_columns else ' class="num"'
            out.append(f"<{name}{scope}{kind}>{to_html(item)}</{name}>")
        return "<tr>" + "".join(out) + "</tr>"

    body = "".join(cells(row, "td") for row in rows)
    title = f"<caption>{to_html(caption)}</caption>" if caption else ""
    kind = "table dense" if dense else "table"
    return Html(
        f'<div class="{kind}" tabindex="0"><table>{title}<thead>{cells(header, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def field_list(fields: Mapping[str, Any]) -> Html:
    """Return nested settings as a list of names and values."""
    rows = "".join(
        f"<dt>{to_html(name)}</dt><dd>{_value(value)}</dd>" for name, value in fields.items()
    )
    return Html(f'<dl class="fields">{rows}</dl>') if rows else Html("<p>None.</p>")


def details(summary: object, content: object, *, opened: bool = False) -> Html:
    """Return content folded away under a line that opens it."""
    state = " open" if opened else ""
    return Html(
        f"<details{state}><summary>{to_html(summary)}</summary>{to_html(content)}</details>"
    )


def _value(value: object) -> Html:
    if isinstance(value, Mapping):
        return field_list({str(k): v for k, v in value.items()})
    if value is None:
        return Html("n/a")
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        shown = [_value(v) for v in value[:_LIST_LIMIT]]
        more = f", \u2026 ({len(value)} in all)" if len(value) > _LIST_LIMIT else ""
        return Html(", ".join(shown) + more) if shown else Html("none")
    if isinstance(value, bool | np.bool_):
        return Html("yes" if value else "no")
    if isinstance(value, float | np.floating):
        return Html(f"{float(value):.6g}")
    return to_html(value)
