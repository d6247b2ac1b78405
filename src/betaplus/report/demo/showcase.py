"""The demo's picture: a map, its uncertainty and the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from betaplus.io.atomic import atomic_path
from betaplus.report.figures.canvas import style
from betaplus.report.figures.slices import centre

__all__ = ["write_showcase"]

_INK, _PAPER, _SOFT = "#e8e6e1", "#0e1113", "#9aa4aa"
_ROBUST = 99.5
_MARGIN = 1
_DPI = 200


def write_showcase(
    path: Path,
    truth: np.ndarray,
    median: np.ndarray,
    sd: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    name: str,
    unit: str,
    note: str,
) -> None:
    """Write a PNG of axial and coronal slices of truth, median and SD.

    Args:
        path: The PNG.
        truth: True map, shape (X, Y, Z), RAS.
        median: Posterior median, likewise.
        sd: Posterior SD, likewise.
        mask: Voxels that were fitted.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        name: The parameter.
        unit: Its unit as printed.
        note: A line beneath.
    """
    import matplotlib
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    at = np.linalg.solve(affine[:3, :3], centre(mask, affine) - affine[:3, 3])
    index = np.clip(np.rint(at).astype(int), 0, np.array(mask.shape) - 1)
    box = _box(mask)
    size = [(part.stop - part.start) * v for part, v in zip(box, voxel, strict=True)]
    planes = [(2, 0, 1), (1, 0, 2)]  # cut, across, up
    planes = [p for p in planes if size[p[2]] > 6 * voxel[p[2]]]
    top = float(np.percentile(truth[mask], _ROBUST))
    columns = (
        ("truth", truth, "inferno", top),
        ("posterior median", median, "inferno", top),
        ("posterior SD", sd, "viridis", float(np.percentile(sd[mask], _ROBUST))),
    )
    with style():
        wide = 2.9
        heights = [wide * size[v] / size[0] for _, _, v in planes]
        head, foot, gap = 0.5, 0.85, 0.1
        width = 3 * wide + 4 * gap
        height = head + sum(heights) + gap * (len(planes) - 1) + foot
        figure = Figure(figsize=(width, height), facecolor=_PAPER)
        for c, (title, volume, colours, high) in enumerate(columns):
            x = gap + c * (wide + gap)
            y = height - head
            norm, image = Normalize(0, high), None
            for (cut, h, v), tall in zip(planes, heights, strict=True):
                y -= tall
                part: list[Any] = list(box)
                part[cut] = index[cut]
                plane = tuple(part)
                axes = figure.add_axes((x / width, y / height, wide / width, tall / height))
                image = axes.imshow(
                    np.where(mask[plane], volume[plane], np.nan).T,
                    origin="lower",
                    extent=(0, size[h], 0, size[v]),
                    cmap=matplotlib.colormaps[colours],
                    norm=norm,
                    interpolation="nearest",
                )
                axes.axis("off")
                y -= gap
            figure.text(
                (x + 0.5 * wide) / width, 1 - 0.3 / height, title, color=_INK, fontsize=11,
                ha="center", va="center", weight="bold",
            )  # fmt: skip
            bar_axes = figure.add_axes(
                ((x + 0.2 * wide) / width, 0.62 / height, 0.6 * wide / width, 0.09 / height)
            )
            bar = figure.colorbar(image, cax=bar_axes, orientation="horizontal", extend="max")
            bar.outline.set_visible(False)
            bar.ax.locator_params(nbins=4)
            bar.ax.tick_params(colors=_SOFT, labelcolor=_SOFT, labelsize=8, length=2)
        line = f"{name} [{unit}]. {note}"
        figure.text(0.5, 0.14 / height, line, color=_SOFT, fontsize=8.5, ha="center", va="center")
        with atomic_path(path) as temporary:
            figure.savefig(
                temporary, format="png", dpi=_DPI, facecolor=_PAPER, metadata={"Software": None}
            )


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    """Return the box around a mask, with a margin."""
    out = []
    for axis in range(3):
        line = mask.any(axis=tuple(a for a in range(3) if a != axis))
        where = np.flatnonzero(line)
        out.append(
            slice(max(int(where[0]) - _MARGIN, 0), min(int(where[-1]) + 1 + _MARGIN, line.size))
        )
    return tuple(out)
