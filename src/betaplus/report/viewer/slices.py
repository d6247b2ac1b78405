"""A viewer of volumes: three linked slices of each, with sliders, values and curves of voxels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from betaplus.report.elements import Html, format_unit
from betaplus.report.figures.curves import display_unit
from betaplus.report.figures.volumes import bounding_box, canonical, colour_range
from betaplus.report.viewer.encoding import packed, rounded, widget
from betaplus.report.viewer.levels import to_levels
from betaplus.report.viewer.reduction import Reduction
from betaplus.report.viewer.voxel_curves import VoxelCurves

__all__ = ["Layer", "slice_viewer"]

_BUDGET = 6_000_000  # voxels of all volumes of a viewer together
_COLOURS = {"value": "inferno", "sd": "viridis", "uptake": "gray_r", "signed": "RdBu_r"}
_OTHERWISE = "The viewer of slices needs JavaScript; the pictures show the same volumes."


@dataclass(frozen=True, eq=False)
class Layer:
    """One volume of the viewer.

    Attributes:
        label: What it is, for example ``mean``.
        volume: Shape (X, Y, Z).
        unit: Its unit; ``1`` for a pure number.
        kind: Chooses colours: ``value``, ``sd``, ``uptake`` (dark is much), ``signed`` (around 0).
        ends: Where colours begin and end; from the volume by default.
    """

    label: str
    volume: np.ndarray
    unit: str
    kind: Literal["value", "sd", "uptake", "signed"] = "value"
    ends: tuple[float, float] | None = None


def slice_viewer(
    groups: Mapping[str, Sequence[Layer]],
    affine: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    at: np.ndarray | None = None,
    curves: VoxelCurves | None = None,
    named: bool = True,
) -> Html:
    """Return the viewer. Volumes that are too many for a page are shown in coarser voxels.

    Args:
        groups: What is shown together, side by side; the reader chooses one by its name.
        affine: Voxel to world matrix of all volumes, shape (4, 4) [mm].
        mask: Voxels to draw, shape (X, Y, Z); by default all that are numbers.
        at: Where the slices meet at first, shape (3,) [mm]; the middle of the mask by default.
        curves: Curves of voxels, drawn for where the slices meet.
        named: Whether the name of a group stands before the labels of its volumes.
    """
    layers = [layer for members in groups.values() for layer in members]
    first, axes = canonical(layers[0].volume, affine)
    keep = np.isfinite(first) if mask is None else canonical(mask, affine)[0].astype(bool)
    box = bounding_box(keep & (first != 0) if mask is None else keep)
    smaller = Reduction.of(box, axes, _BUDGET // len(layers))
    kept, inside = smaller.fractions(keep)
    if at is None:
        index = [line @ np.arange(line.size) / max(line.sum(), 1e-9) for line in _lines(kept)]
    else:
        index = list(
            np.linalg.solve(smaller.affine[:3, :3], np.asarray(at) - smaller.affine[:3, 3])
        )
    data: dict[str, Any] = {
        "shape": list(inside.shape),
        "affine": rounded(smaller.affine[:3]),
        "voxel": rounded(smaller.voxel),
        "at": [int(np.clip(round(i), 0, n - 1)) for i, n in zip(index, inside.shape, strict=True)],
        "coarser": smaller.coarser,
        "colours": {name: _table(name) for name in {_COLOURS[layer.kind] for layer in layers}},
        "groups": [
            {
                "name": name,
                "prefix": named and len(groups) > 1,
                "layers": [_layer(one, affine, keep, smaller) for one in members],
            }
            for name, members in groups.items()
        ],
    }
    if curves is not None:
        data["curves"] = curves.as_data(smaller.affine)
    return widget("slices", data, _OTHERWISE)


def _layer(
    layer: Layer, affine: np.ndarray, keep: np.ndarray, smaller: Reduction
) -> dict[str, Any]:
    volume = canonical(layer.volume, affine)[0]
    if layer.ends is not None:
        low, high = layer.ends
    elif layer.kind == "signed":
        high = colour_range(np.abs(volume[keep]))[1]
        low = -high
    else:
        low, high = colour_range(volume[keep], 0.0 if layer.kind == "sd" else None)
    values, inside = smaller.means(volume, keep)
    codes, levels = to_levels(values, inside, low, high)
    factor, unit = display_unit(high, layer.unit)
    return {
        "label": layer.label,
        "unit": format_unit(unit),
        "colours": _COLOURS[layer.kind],
        "low": rounded(factor * low),
        "high": rounded(factor * high),
        "levels": rounded(factor * levels),
        "codes": packed(codes),
    }


def _lines(weight: np.ndarray) -> list[np.ndarray]:
    return [weight.sum(axis=tuple(a for a in range(3) if a != axis)) for axis in range(3)]


def _table(name: str) -> str:
    """Return the 256 colours of a scale as bytes, red, green and blue of each."""
    import base64

    import matplotlib

    colours = matplotlib.colormaps[name](np.linspace(0.0, 1.0, 256))[:, :3]
    return base64.b64encode(np.rint(255 * colours).astype(np.uint8).tobytes()).decode()
