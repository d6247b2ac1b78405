"""The report of a benchmark in parts: the tables and figures that are in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.errors import InputError
from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_picture
from betaplus.report.benchmark.markdown import markdown_blocks
from betaplus.report.elements import Html
from betaplus.report.figures.canvas import Picture
from betaplus.report.page import Page

__all__ = ["Figure", "PartReport"]

Figure = Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], Picture | None]
"""(result of a part, its arrays) to a picture; None where there is nothing to show."""

_EMPHASIS = re.compile(r"\*([^*<>]+)\*")


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """How the parts of a benchmark are shown.

    Attributes:
        benchmark: Name of the benchmark, as in its files.
        title: Of the page.
        titles: Part to its heading, in the order of the page.
        figures: Part to the figures above its tables, by name.
    """

    benchmark: str
    title: str
    titles: Mapping[str, str]
    figures: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write ``benchmark_NAME_report.html`` of the parts that a folder holds, and figures.

        Raises:
            InputError: If there is no part.
            OutputError: If a file cannot be written.
        """
        results = {
            part: json.loads(path.read_text(encoding="utf-8"))
            for part in self.titles
            if (path := self._file(folder, part, "json")).is_file()
        }
        if not results:
            raise InputError(f"no part of the benchmark in {folder}", "expected one or more")
        quick = [part for part, result in results.items() if result.get("quick")]
        page = Page(
            self.title,
            "Simulation unless a section says real.",
            header={"Date": datetime.now().strftime("%Y-%m-%d %H:%M"), "Version": __version__},
            warnings=[f"Quick runs, too little to judge by: {', '.join(quick)}."] if quick else [],
        )
        for part, result in results.items():
            pictures = self._pictures(folder, part, result)
            text = self._file(folder, part, "md").read_text(encoding="utf-8")
            body = text.partition("\n")[2] if text.startswith("# ") else text
            page.add_section(self.titles[part], [*pictures, *_blocks(body)])
        return page.write(self._file(folder, "report", "html"))

    def _file(self, folder: Path, part: str, kind: str) -> Path:
        return result_file(folder, f"{self.benchmark}_{part}", kind)

    def _pictures(self, folder: Path, part: str, result: Mapping[str, Any]) -> list[Picture]:
        """Return the figures of a part, and write them as files, too."""
        arrays = read_arrays(self._file(folder, part, "npz"))
        pictures = []
        for name, draw in self.figures.get(part, {}).items():
            made = draw(result, arrays)
            if made is None:
                continue
            pictures.append(made)
            write_picture(self._file(folder, f"{part}_{name}", "png"), made)
        return pictures


def _blocks(text: str) -> Iterator[Html]:
    """Yield the blocks of a part's Markdown."""
    for piece in markdown_blocks(text):
        yield Html(_EMPHASIS.sub(r"<em>\1</em>", piece))
