"""The page that every report is: a header, remarks and sections, in one file without links out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import OutputError
from betaplus.io.atomic import atomic_path
from betaplus.report.elements import Html, paragraphs, to_html

__all__ = ["Page"]


class Page:
    """A report that grows section by section and is written as one HTML file.

    Args:
        title: What the report is about.
        subtitle: One sentence beneath it; text or a piece of HTML.
        header: Label and value of each item of the header strip: verb, model, method, date ...
        warnings: What makes results doubtful; shown first.
        remarks: What was found untidy in the input and what was done about it.

    Text is escaped; only objects with ``__html__`` (`betaplus.report.elements`, figures) are put
    on the page as they are.
    """

    def __init__(
        self,
        title: str,
        subtitle: object = "",
        *,
        header: Mapping[str, object] | None = None,
        warnings: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        self.title = title
        self.subtitle = subtitle
        self.header = dict(header or {})
        self.warnings = list(warnings)
        self.remarks = list(remarks)
        self._sections: list[dict[str, Any]] = []

    def add_section(self, title: str, content: object, note: object = "") -> None:
        """Add a section.

        Args:
            title: Its heading.
            content: A piece of HTML, a figure, a text, or a sequence of those.
            note: What the reader should know about it, set small beneath the heading.
        """
        several = isinstance(content, Iterable) and not isinstance(content, str)
        several = several and not hasattr(content, "__html__")
        pieces = list(content) if several else [content]  # type: ignore[call-overload]
        self._sections.append(
            {
                "title": title,
                "anchor": self._anchor(title),
                "note": note,
                "content": Html("".join(_block(piece) for piece in pieces)),
            }
        )

    def html(self) -> str:
        """Return the page."""
        import jinja2

        from betaplus import __version__

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("betaplus.report", "templates"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        return environment.get_template("page.html").render(
            title=self.title,
            subtitle=self.subtitle,
            header=self.header,
            warnings=self.warnings,
            remarks=self.remarks,
            sections=self._sections,
            widgets=self._widgets(),
            version=__version__,
        )

    def write(self, path: str | Path) -> Path:
        """Write the page to `path`, complete or not at all.

        Raises:
            OutputError: If the file cannot be written.
        """
        path = Path(path)
        if path.is_dir():
            raise OutputError(f"{path} is a folder", "expected the name of an HTML file")
        text = self.html()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return path

    def _widgets(self) -> list[str]:
        """Return the names of the scripts that parts of the page need."""
        text = "".join(section["content"] for section in self._sections)
        return [name for name in ("slices", "curves") if f'data-widget="{name}"' in text]

    def _anchor(self, title: str) -> str:
        base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        taken = {section["anchor"] for section in self._sections}
        names = [base, *(f"{base}-{i}" for i in range(2, len(taken) + 3))]
        return next(name for name in names if name not in taken)


def _block(piece: object) -> str:
    return to_html(piece) if hasattr(piece, "__html__") else paragraphs(piece)
