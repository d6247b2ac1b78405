"""Names of the files that every verb writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from betaplus.io.derivatives import bids_name

__all__ = ["RunNames"]


@dataclass(frozen=True)
class RunNames:
    """Where the outputs of a run go.

    Attributes:
        verb: What it is called on the command line.
        out: The folder.
        src: The input's name up to its suffix.
    """

    verb: ClassVar[str]
    out: Path
    src: str

    def path(self, entities: dict[str, str], suffix: str, extension: str) -> Path:
        """Return the path of a derivative of the input."""
        return self.out / bids_name(self.src, entities, suffix, extension)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.out / f"{self.src}_{self.verb}_report.html"

    @property
    def record(self) -> Path:
        """The run record, which is written last."""
        return self.out / f"{self.src}_{self.verb}_run.json"
