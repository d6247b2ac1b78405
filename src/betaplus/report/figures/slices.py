"""Orthogonal slices of maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.posterior import STATUS
from betaplus.report.elements import Html, format_unit, to_html
from betaplus.report.figures.canvas import (
    COLOURS,
    STATUS_COLOURS,
    Picture,
    picture,
    plain_numbers,
    style,
)
from betaplus.report.figures.volumes import bounding_box, canonical, colour_range

__all__ = ["centre", "orthogonal_slices", "status_slices"]

_BACKGROUND = "#0e1113"
_WIDTH = 7.4  # in
_TALLEST = 4.0  # in: of a row
_ALONE = 2.6  # in: of a plane by itself
_THINNEST = 0.3  # of its longer edge: planes that are thinner are left to the viewer
_PLANES = (  # name, axis cut, horizontal axis, vertical axis, labels left, right, bottom, top
    ("axial", 2, 0, 1, "LRPA"),
    ("coronal", 1, 0, 2, "LRIS"),
    ("sagittal", 0, 1, 2, "PAIS"),
)


@dataclass(frozen=True, eq=False)
class _Row:
    label: str
    volume: np.ndarray
    colours: Any
    norm: Any
    bar: str
    extend: str = "neither"
    ticks: Sequence[int] | None = None


def centre(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Return the centre of mass of a map or mask, shape (3,) [mm]; its middle if it is empty."""
    weight = np.nan_to_num(np.abs(np.asarray(volume)), posinf=0)
    lines = [
        weight.sum(axis=tuple(a for a in range(3) if a != axis), dtype=np.float64)
        for axis in range(3)
    ]
    if lines[0].sum() > 0:
        index = np.array([line @ np.arange(line.size) / line.sum() for line in lines])
    else:
        index = 0.5 * (np.array(weight.shape) - 1)
    return np.asarray(affine)[:3, :3] @ index + np.asarray(affine)[:3, 3]


def orthogonal_slices(
    volume: np.ndarray,
    affine: np.ndarray,
    title: str,
    unit: str,
    sd: np.ndarray | None = None,
    *,
    median: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    at: np.ndarray | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
) -> Picture:
    """Return three slices of a map, with its median and its SD beneath where given.

    Voxels are drawn as they are, without smoothing; left is left.

    Args:
        volume: The map (posterior mean), shape (X, Y, Z).
        affine: Voxel to world matrix, shape (4, 4) [mm].
        title: What the map shows.
        unit: Its unit; ``1`` for a pure number.
        sd: Posterior standard deviation, likewise; drawn in its own colours.
        median: Posterior median, likewise; it sets the colours of the mean too.
        mask: Voxels to draw and to take the range of colours from, shape (X, Y, Z).
        at: Where the slices meet, shape (3,) [mm]; the centre of mass by default.
        vmin: Lower end of the colours; 0, or the 0.5th percentile of a map that goes below 0.
        vmax: Upper end; the 99.5th percentile by default.
    """
    import matplotlib
    from matplotlib.colors import Normalize

    mean, axes = canonical(volume, affine)
    keep = np.isfinite(mean) if mask is None else canonical(mask, affine)[0].astype(bool)
    at = centre(np.where(keep, mean, 0.0), axes) if at is None else np.asarray(at)
    crop = keep & (mean != 0) if mask is None else keep
    reference = mean if median is None else canonical(median, affine)[0]
    low, high = colour_range(reference[keep], vmin, vmax)
    suffix = f" [{format_unit(unit)}]" if format_unit(unit) else ""
    several = sd is not None or median is not None
    rows = []
    for label, values in (("mean", mean), ("median", median), ("SD", sd)):
        if values is None:
            continue
        values = values if label == "mean" else canonical(values, affine)[0]
        kept = values[keep]
        a, b = colour_range(kept, 0.0, None) if label == "SD" else (low, high)
        above, below = (kept > b).any(), (kept < a).any()
        extend = "both" if above and below else "max" if above else "min" if below else "neither"
        colours = matplotlib.colormaps["viridis" if label == "SD" else "inferno"]
        bar = f"{label if several else title}{suffix}"
        rows.append(_Row(label if several else "", values, colours, Normalize(a, b), bar, extend))
    caption = Html(f"<b>{to_html(title)}</b>{to_html(suffix)}")
    return _draw(rows, axes, keep, crop, at, f"Orthogonal slices of {title}", caption)


def status_slices(
    status: np.ndarray, affine: np.ndarray, *, at: np.ndarray | None = None
) -> Picture:
    """Return three slices of a map of status codes (`betaplus.core.posterior.STATUS`)."""
    from matplotlib.colors import BoundaryNorm, ListedColormap

    codes, axes = canonical(status, affine)
    keep = codes > 0
    at = centre(keep, axes) if at is None else np.asarray(at)
    ticks = [code for code in sorted(STATUS) if code > 0]
    colours = ListedColormap([STATUS_COLOURS[code] for code in ticks])
    norm = BoundaryNorm([code - 0.5 for code in (*ticks, ticks[-1] + 1)], len(ticks))
    row = _Row("", codes, colours, norm, "", ticks=ticks)
    return _draw([row], axes, keep, keep, at, "Orthogonal slices of status", Html("<b>Status</b>"))


def _draw(
    rows: Sequence[_Row],
    affine: np.ndarray,
    keep: np.ndarray,
    crop: np.ndarray,
    at: np.ndarray,
    alt: str,
    caption: object,
) -> Picture:
    from matplotlib.figure import Figure

    box = bounding_box(crop)
    voxel = np.linalg.norm(affine[:3, :3], axis=0)
    index = np.rint(np.linalg.solve(affine[:3, :3], at - affine[:3, 3])).astype(int)
    index = np.clip(index, 0, np.array(crop.shape) - 1)
    where = affine[:3, :3] @ index + affine[:3, 3]
    size = [(part.stop - part.start) * v for part, v in zip(box, voxel, strict=True)]
    left, right, gap, top, between = 0.3, 1.05, 0.08, 0.42, 0.12  # in
    thick = [
        p for p in _PLANES if min(size[p[2]], size[p[3]]) > _THINNEST * max(size[p[2]], size[p[3]])
    ]
    planes = thick or list(_PLANES)
    ratios = [size[h] / size[v] for _, _, h, v, _ in planes]
    tall = (
        min(_TALLEST, (_WIDTH - left - right - 2 * gap) / sum(ratios))
        if len(planes) > 1
        else _ALONE
    )
    width = left + right + 2 * gap + tall * sum(ratios)
    height = top + len(rows) * tall + (len(rows) - 1) * between + 0.08
    with style():
        figure = Figure(figsize=(width, height))
        for r, row in enumerate(rows):
            bottom = height - top - (r + 1) * tall - r * between
            x = left
            for (name, cut, h, v, letters), ratio in zip(planes, ratios, strict=True):
                axes = figure.add_axes(
                    (x / width, bottom / height, tall * ratio / width, tall / height)
                )
                x += tall * ratio + gap
                picked: list[Any] = list(box)
                picked[cut] = index[cut]
                plane = tuple(picked)
                axes.set_facecolor(_BACKGROUND)
                image = axes.imshow(
                    np.where(keep[plane], row.volume[plane], np.nan).T,
                    origin="lower",
                    cmap=row.colours,
                    norm=row.norm,
                    interpolation="nearest",
                    aspect="auto",
                    extent=(0, size[h], 0, size[v]),
                )
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
                _letters(axes, letters)
                if r == 0:
                    title = f"{name}\n{'xyz'[cut]} = {where[cut]:.0f} mm"
                    axes.set_title(title.replace("-", "\u2212"), fontsize=8, color=COLOURS["soft"])
            if row.label:
                figure.text(
                    0.12 / width,
                    (bottom + 0.5 * tall) / height,
                    row.label,
                    rotation=90,
                    ha="center",
                    va="center",
                    weight="bold",
                )
            bar_axes = figure.add_axes(
                ((width - right + 0.13) / width, (bottom + 0.06) / height, 0.11 / width,
                 (tall - 0.12) / height)
            )  # fmt: skip
            _bar(figure, image, bar_axes, row)
        return picture(figure, "png", alt, caption)


def _bar(figure: Any, image: Any, axes: Any, row: _Row) -> None:
    if row.ticks is not None:
        bar = figure.colorbar(image, cax=axes, ticks=row.ticks)
        bar.ax.set_yticklabels([STATUS[code] for code in row.ticks])
        bar.ax.tick_params(length=0)
    else:
        bar = figure.colorbar(image, cax=axes, extend=row.extend)
        plain_numbers(bar.ax.yaxis)
        bar.set_label(row.bar)
    bar.outline.set_visible(False)


def _letters(axes: Any, letters: str) -> None:
    from matplotlib.patheffects import withStroke

    places = ((0.02, 0.5, "left", "center"), (0.98, 0.5, "right", "center"),
              (0.5, 0.02, "center", "bottom"), (0.5, 0.98, "center", "top"))  # fmt: skip
    outline = [withStroke(linewidth=1.6, foreground=_BACKGROUND)]
    for letter, (x, y, ha, va) in zip(letters, places, strict=True):
        axes.text(
            x,
            y,
            letter,
            ha=ha,
            va=va,
            transform=axes.transAxes,
            color="white",
            fontsize=7,
            path_effects=outline,
        )
