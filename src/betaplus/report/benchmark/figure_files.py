"""Figures as files of their own."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

from betaplus.io.atomic import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from betaplus.report.figures.canvas import Picture

__all__ = ["write_figure", "write_picture"]


def write_figure(path: Path, figure: Figure, dpi: int = 110) -> None:
    """Write a figure as PNG, complete or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format="png")


def write_picture(path: Path, made: Picture) -> None:
    """Write the picture of a page as it is there, complete or not at all.

    Raises:
        OutputError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(base64.b64decode(made.data))
