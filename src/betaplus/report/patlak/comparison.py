"""Maps of a method beside those of weighted least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.report.elements import Html, format_unit, to_html
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["beside_wls"]

_WIDTH = 9.2  # in
_TALLEST = 3.6  # in: of a slice
_MARGIN = 2  # voxels around the mask
_ROBUST = 99.5  # percentile at which colours end
_BINS = 90
_LEFT, _RIGHT, _TOP, _GAP, _BAR = 0.1, 0.12, 0.45, 0.08, 0.5  # in


def beside_wls(
    wls: np.ndarray,
    found: np.ndarray,
    mask: np.ndarray,
    affine: np.ndarray,
    name: str,
    unit: str,
    method: str,
) -> Picture:
    """Return a coronal slice of both and of their difference, and the joint histogram.

    Args:
        wls: Map by weighted least squares, shape (X, Y, Z).
        found: By the method, likewise.
        mask: Voxels that were wanted, likewise.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        name: Of the map.
        unit: Likewise.
        method: Its name.
    """
    from matplotlib.figure import Figure

    low, high = _ends(found[mask])
    spread = float(np.percentile(np.abs((found - wls)[mask]), _ROBUST)) or 1.0
    planes, size, where = _coronal(wls, found, mask, affine)
    columns = (
        ("wls", planes[0], "inferno", low, high),
        (method, planes[1], "inferno", low, high),
        (f"{method} \u2212 wls", planes[1] - planes[0], "RdBu_r", -spread, spread),
    )
    square = 2.4
    wide = (_WIDTH - _LEFT - _RIGHT - 3 * _GAP - square - 0.55) / 3
    tall = min(_TALLEST, wide * size[1] / size[0])
    broad = tall * size[0] / size[1]
    height = _TOP + max(tall, square) + _BAR
    suffix = f"{name} [{format_unit(unit)}]"
    with style():
        figure = Figure(figsize=(_WIDTH, height))
        for i, (title, plane, colours, a, b) in enumerate(columns):
            x = _LEFT + i * (wide + _GAP) + 0.5 * (wide - broad)
            box = (x / _WIDTH, (height - _TOP - tall) / height, broad / _WIDTH, tall / height)
            axes = figure.add_axes(box)
            image = axes.imshow(
                plane.T, origin="lower", cmap=colours, vmin=a, vmax=b, interpolation="nearest",
                aspect="auto",
            )  # fmt: skip
            axes.set(xticks=[], yticks=[])
            axes.set_facecolor("#0e1113" if i < 2 else "white")
            axes.spines[:].set_visible(False)
            axes.set_title(title, weight="bold")
            bar_axes = figure.add_axes(
                ((x + 0.06 * broad) / _WIDTH, (height - _TOP - tall - 0.14) / height,
                 0.88 * broad / _WIDTH, 0.08 / height)
            )  # fmt: skip
            bar = figure.colorbar(image, cax=bar_axes, orientation="horizontal", extend="both")
            bar.ax.locator_params(nbins=3)
            plain_numbers(bar.ax.xaxis)
            bar.ax.tick_params(labelsize=7)
            bar.set_label(suffix, fontsize=7)
            bar.outline.set_visible(False)
        left = _WIDTH - _RIGHT - square
        box = (left / _WIDTH, (height - _TOP - square) / height, square / _WIDTH, square / height)
        _joint(figure.add_axes(box), wls[mask], found[mask], name, method)
        place = f"coronal, y = {where:.0f} mm".replace("-", "\u2212")
        caption = Html(f"<b>{to_html(name)}</b> {to_html(place)}")
        alt = f"{name} by weighted least squares and by {method}, difference, joint histogram"
        return picture(figure, "png", alt, caption)


def _joint(axes: Any, wls: np.ndarray, found: np.ndarray, name: str, method: str) -> None:
    from matplotlib.colors import LogNorm

    low = min(float(np.percentile(wls, 100 - _ROBUST)), 0.0)
    high = max(float(np.percentile(x, _ROBUST)) for x in (wls, found)) or 1.0
    low, high = low - 0.02 * (high - low), high + 0.05 * (high - low)
    counts, edges, _ = np.histogram2d(wls, found, bins=_BINS, range=[[low, high], [low, high]])
    axes.pcolormesh(
        edges, edges, np.where(counts > 0, counts, np.nan).T, cmap="viridis",
        norm=LogNorm(1, max(float(counts.max()), 2.0)), rasterized=True,
    )  # fmt: skip
    axes.plot([low, high], [low, high], color=COLOURS["red"], lw=0.8)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    axes.set_xlabel(f"{name}, wls", labelpad=1)
    axes.set_ylabel(f"{name}, {method}", labelpad=4)
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=7)
    plain_numbers(axes.xaxis)
    plain_numbers(axes.yaxis)


def _coronal(
    wls: np.ndarray, found: np.ndarray, mask: np.ndarray, affine: np.ndarray
) -> tuple[list[np.ndarray], tuple[float, float], float]:
    """Return a slice of each, NaN outside the mask, its size [mm], and where it is [mm]."""
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    turn = io_orientation(affine)
    turned = np.asarray(affine, np.float64) @ inv_ornt_aff(turn, mask.shape)
    inside = apply_orientation(mask, turn).astype(bool)
    weight = (apply_orientation(np.abs(found), turn) * inside).sum((0, 2), dtype=np.float64)
    cut = round(float(weight @ np.arange(weight.size) / max(weight.sum(), 1e-30)))
    box = []
    for axis in (0, 2):
        line = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(line[0] - _MARGIN, 0), line[-1] + 1 + _MARGIN))
    at = (box[0], cut, box[1])
    planes = [np.where(inside[at], apply_orientation(x, turn)[at], np.nan) for x in (wls, found)]
    voxel = np.linalg.norm(turned[:3, :3], axis=0)
    n, m = planes[0].shape
    middle = turned[:3, :3] @ (0.5 * (np.array(mask.shape) - 1)) + turned[:3, 3]
    place = float(middle[1] + (cut - 0.5 * (mask.shape[1] - 1)) * turned[1, 1])
    return planes, (n * float(voxel[0]), m * float(voxel[2])), place


def _ends(values: np.ndarray) -> tuple[float, float]:
    low = min(float(np.percentile(values, 100 - _ROBUST)), 0.0)
    high = float(np.percentile(values, _ROBUST))
    return low, high if high > low else low + 1.0
