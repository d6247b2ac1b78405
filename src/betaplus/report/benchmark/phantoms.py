"""Contact sheets of `betaplus benchmark phantoms`: many people at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.result_files import read_arrays, result_file
from betaplus.report.benchmark.figure_files import write_figure
from betaplus.report.figures.canvas import COLOURS, style

__all__ = ["phantoms_sheets"]

_COLUMNS = 8
_INCHES = {"brain": 2.1, "body": 1.9}  # width of a person's two views
_VIEWS = {"brain": ("axial", "coronal"), "body": ("projection", "coronal")}
_LABEL = 0.2  # inches above a person's views
_GAP = 2  # voxels on either side of a view


def phantoms_sheets(folder: Path, result: Mapping[str, Any]) -> list[Path]:
    """Draw a sheet of the brains and one of the bodies; return their paths.

    Args:
        folder: Where `benchmark_phantoms` wrote its images.
        result: What it returned.

    Raises:
        OutputError: If a sheet cannot be written.
    """
    stored = read_arrays(result_file(folder, "phantoms_images", "npz"))
    images = {name: image.astype(np.float32) for name, image in stored.items()}
    paths = []
    for kind, views in _VIEWS.items():
        people = [person for person in result["shown"] if person["kind"] == kind]
        tiles = [
            _tile([images[f"{kind} {p['seed']} {view}"] for view in views], p["window"])
            for p in people
        ]
        path = result_file(folder, f"phantoms_{kind}", "png")
        with style():
            figure = _sheet(tiles, [_label(p) for p in people], _INCHES[kind])
            write_figure(path, figure, dpi=120)
        paths.append(path)
    return paths


def _label(person: Mapping[str, Any]) -> str:
    count = person["lesions"]
    lesions = f" \u00b7 {count} lesion{'s' if count > 1 else ''}" if count else ""
    return f"{person['seed']} \u00b7 {person['tracer']}{lesions}"


def _tile(views: Sequence[np.ndarray], window: float) -> np.ndarray:
    """Return views side by side, from 0 (white) to 1 (black); left is left."""
    height = max(view.shape[1] for view in views)
    parts = []
    for view in views:
        below = (height - view.shape[1]) // 2
        above = height - view.shape[1] - below
        parts.append(np.pad(view, ((_GAP, _GAP), (below, above))))
    return np.clip(np.concatenate(parts) / window, 0.0, 1.0)


def _sheet(tiles: Sequence[np.ndarray], labels: Sequence[str], inches: float) -> Any:
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    wide = max(tile.shape[0] for tile in tiles)
    high = max(tile.shape[1] for tile in tiles)
    tall = inches * high / wide
    figure = Figure(figsize=(columns * inches, rows * (tall + _LABEL)))
    for n, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        row, column = divmod(n, columns)
        bottom = 1.0 - ((row + 1) * tall + (row + 1) * _LABEL) / (rows * (tall + _LABEL))
        axes = figure.add_axes(
            (column / columns, bottom, 1.0 / columns, tall / (rows * (tall + _LABEL)))
        )
        axes.imshow(
            tile.T, origin="lower", cmap="gray_r", vmin=0.0, vmax=1.0, interpolation="bicubic"
        )
        spare = wide - tile.shape[0]
        axes.set_xlim(-0.5 - spare / 2, tile.shape[0] - 0.5 + spare / 2)
        axes.set_ylim(-0.5, high - 0.5)
        axes.set_axis_off()
        axes.set_title(label, fontsize=7, color=COLOURS["ink"], pad=2)
    return figure
