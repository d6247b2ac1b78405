"""Reference, images and their differences side by side, on one colour scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["Shown", "comparison_panel", "shared_ranges"]

_BACKGROUND = "#0e1113"
_ROBUST = 99.5  # percentile at which colours end
_MARGIN = 2  # voxels around the mask
_WIDTH = 7.4  # in
_WIDEST = 2.2  # in: of a panel
_TALLEST = 2.6
_LOWEST = 0.35  # a coronal slice of fewer planes is left out
_LETTERS = 13  # of a name over a column, per in
_PLANES = (("axial", 2, 1), ("coronal", 1, 2))  # name, axis cut, vertical axis; x is across


@dataclass(frozen=True, eq=False)
class Shown:
    """An image to draw.

    Attributes:
        name: What stands above it.
        note: A line beneath the name.
        values: Its voxels, shape (X, Y, Z).
        std: Its standard deviation, likewise, or None.
    """

    name: str
    note: str
    values: np.ndarray
    std: np.ndarray | None = None


@dataclass(frozen=True)
class _Row:
    plane: tuple[str, int, int]
    kind: str  # image, difference or SD


def shared_ranges(
    reference: np.ndarray, images: Sequence[Shown], mask: np.ndarray
) -> dict[str, tuple[float, float]]:
    """Return the ends of the colours: of reference and images, of differences, of SDs.

    All come from the voxels of the mask: 0 (or the 0.5th percentile below it) to the 99.5th of the
    reference, the 99.5th percentile of absolute differences either side of 0, and 0 to the 99.5th
    of SDs, the largest of all images.
    """
    truth = reference[mask]
    low = min(0.0, float(np.percentile(truth, 100 - _ROBUST)))
    high = float(np.percentile(truth, _ROBUST))
    apart = max(float(np.percentile(np.abs(s.values[mask] - truth), _ROBUST)) for s in images)
    spread = [float(np.percentile(s.std[mask], _ROBUST)) for s in images if s.std is not None]
    return {
        "image": (low, high if high > low else low + 1.0),
        "difference": (-(apart or 1.0), apart or 1.0),
        "SD": (0.0, max(spread, default=0.0) or 1.0),
    }


def comparison_panel(
    reference: np.ndarray,
    images: Sequence[Shown],
    mask: np.ndarray,
    affine: np.ndarray,
    unit: str,
    ranges: dict[str, tuple[float, float]],
    *,
    caption: object = "",
) -> Picture:
    """Return axial and coronal slices: images in a row, differences from the reference beneath.

    Voxels are drawn as they are, all in the same colours; left is left.

    Args:
        reference: Shape (X, Y, Z).
        images: A column each, after that of the reference.
        mask: Voxels that count, likewise; slices go through its centre and are cropped to it.
        affine: Voxel to world matrix, shape (4, 4) [mm].
        unit: Unit of all of them, or "".
        ranges: From `shared_ranges`.
        caption: Line above the figure.
    """
    import matplotlib
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=1.6, foreground=_BACKGROUND)]
    turn, voxel, where = _turn(affine, mask)
    inside = turn(mask)
    box = _box(inside)
    index = _middle(inside)
    size = [(part.stop - part.start) * v for part, v in zip(box, voxel, strict=True)]
    kinds = ["image", "difference", *(["SD"] if any(s.std is not None for s in images) else [])]
    columns = [Shown("reference", "", reference), *images]
    volumes = [
        {
            "image": turn(s.values),
            "difference": turn(s.values - reference) if i else None,
            "SD": None if s.std is None else turn(s.std),
        }
        for i, s in enumerate(columns)
    ]
    colours = {"image": "inferno", "difference": "RdBu_r", "SD": "viridis"}
    left, right, top, gap = 0.32, 0.95, 0.5, 0.05  # in
    wide = min(_WIDEST, (_WIDTH - left - right - gap * len(images)) / len(columns))
    scale = min(wide / size[0], _TALLEST / max(size[v] for _, _, v in _PLANES))  # in per mm
    wide = scale * size[0]
    planes = [p for p in _PLANES if p[0] == "axial" or scale * size[p[2]] >= _LOWEST]
    rows = [_Row(plane, kind) for plane in planes for kind in kinds]
    talls = [scale * size[row.plane[2]] for row in rows]
    width = left + right + len(columns) * wide + gap * len(images)
    height = top + sum(talls) + gap * len(rows) + 0.05
    with style():
        figure = Figure(figsize=(width, height))
        y = height - top
        for r, (row, tall) in enumerate(zip(rows, talls, strict=True)):
            y -= tall
            name, cut, _ = row.plane
            norm = Normalize(*ranges[row.kind])
            drawn: Any = None
            for c, (column, held) in enumerate(zip(columns, volumes, strict=True)):
                x = left + c * (wide + gap)
                volume = held[row.kind]
                if r == 0:
                    _heading(figure, (x + 0.5 * wide) / width, 1 - 0.08 / height, column, wide)
                if volume is None:
                    continue
                panel = figure.add_axes((x / width, y / height, wide / width, tall / height))
                picked: list[Any] = list(box)
                picked[cut] = index[cut]
                drawn = panel.imshow(
                    volume[tuple(picked)].T,
                    origin="lower",
                    cmap=matplotlib.colormaps[colours[row.kind]],
                    norm=norm,
                    interpolation="nearest",
                    aspect="auto",
                )
                panel.set(xticks=[], yticks=[])
                panel.set_facecolor(_BACKGROUND if row.kind != "difference" else "white")
                panel.spines[:].set_visible(False)
                if row.kind == "image" and c == 0:
                    at = f"{name}, {'xyz'[cut]} = {where(index)[cut]:.0f} mm"
                    panel.text(
                        0.03, 0.03, at.replace("-", "\u2212"), color="white", fontsize=6.5,
                        transform=panel.transAxes, ha="left", va="bottom", path_effects=outline,
                    )  # fmt: skip
            figure.text(
                0.14 / width, (y + 0.5 * tall) / height, row.kind, rotation=90, ha="center",
                va="center", fontsize=8, color=COLOURS["soft"],
            )  # fmt: skip
            bar_axes = figure.add_axes(
                ((width - right + 0.1) / width, (y + 0.06) / height, 0.1 / width,
                 max(tall - 0.12, 0.1) / height)
            )  # fmt: skip
            extend = "both" if row.kind == "difference" else "max"
            bar = figure.colorbar(drawn, cax=bar_axes, extend=extend)
            plain_numbers(bar.ax.yaxis)
            bar.ax.tick_params(labelsize=7)
            if unit:
                bar.set_label(unit, fontsize=7)
                bar.ax.yaxis.set_label_coords(6.4, 0.5)
            bar.outline.set_visible(False)
            y -= gap
        alt = "Slices of the reference, of images and of their differences"
        return picture(figure, "png", alt, caption)


def _heading(figure: Any, x: float, y: float, column: Shown, wide: float) -> None:
    name = column.name.removesuffix(".gz").removesuffix(".nii")
    room = max(int(_LETTERS * wide), 7)
    if len(name) > room:
        half = room // 2 - 1
        name = f"{name[:half]}\u2026{name[-half:]}"
    text = f"{name}\n{column.note}"
    figure.text(x, y, text, ha="center", va="top", fontsize=7.5, linespacing=1.3)


def _turn(affine: np.ndarray, mask: np.ndarray) -> Any:
    """How volumes turn to right, anterior, superior; their voxel size; index to place [mm]."""
    from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation

    axes = io_orientation(affine)
    turned = np.asarray(affine, dtype=np.float64) @ inv_ornt_aff(axes, mask.shape)
    voxel = np.linalg.norm(turned[:3, :3], axis=0)
    return (
        lambda volume: apply_orientation(np.asarray(volume), axes),
        voxel,
        lambda index: turned[:3, :3] @ index + turned[:3, 3],
    )


def _box(mask: np.ndarray) -> list[slice]:
    box = []
    for axis, n in enumerate(mask.shape):
        line = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        box.append(slice(max(line[0] - _MARGIN, 0), min(line[-1] + 1 + _MARGIN, n)))
    return box


def _middle(mask: np.ndarray) -> np.ndarray:
    """Index of the voxel at the centre of mass of a mask, shape (3,)."""
    lines = [mask.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]
    return np.array([round(float(line @ np.arange(line.size) / line.sum())) for line in lines])
