"""Pictures of images, curves and posteriors for notebooks: those of the reports."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.posterior import Marginal
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import format_unit
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style
from betaplus.report.figures.curves import display_unit
from betaplus.report.figures.distributions import marginals
from betaplus.report.figures.slices import orthogonal_slices

__all__ = ["mean_of", "plot_curves", "plot_image", "plot_map", "plot_marginal"]

_MOST = 8  # curves of a picture
_COLOURS = ("blue", "amber", "teal", "red", "ink", "soft")


def mean_of(image: PetImage, frame: int | None) -> tuple[np.ndarray, str]:
    """Return a volume of an image, shape (X, Y, Z), and what it is.

    Args:
        image: The image.
        frame: Index of a frame, or None for the mean over time of a dynamic image.

    Raises:
        UsageError: If there is no such frame.
    """
    if len(image.shape) == 3 or frame is not None:
        if frame is not None and not 0 <= frame < image.n_frames:
            raise UsageError(f"frame {frame}", f"expected 0 to {image.n_frames - 1}")
        data = image.data[...] if len(image.shape) == 3 else image.data[..., frame]
        return np.asarray(data, np.float32), "image" if frame is None else f"frame {frame}"
    weights = np.ones(image.n_frames) if image.frames is None else image.frames.duration
    volume = np.zeros(image.shape[:3])
    for t, weight in enumerate(weights / weights.sum()):
        volume += weight * np.asarray(image.data[..., t], np.float64)
    return volume.astype(np.float32), "mean over time"


def plot_image(image: PetImage, frame: int | None = None) -> Picture:
    """Return three slices of an image, as `betaplus.core.image.PetImage.plot`."""
    volume, title = mean_of(image, frame)
    factor, unit = display_unit(float(np.nanmax(volume, initial=0.0)), image.unit)
    return orthogonal_slices(factor * volume, np.asarray(image.affine), title, unit)


def plot_curves(curves: TacTable, names: tuple[str, ...] = ()) -> Picture:
    """Return time-activity curves, as `betaplus.core.tacs.TacTable.plot`.

    Raises:
        UsageError: If there is no such region.
    """
    from matplotlib.figure import Figure

    known = curves.names or tuple(f"curve {i + 1}" for i in range(len(curves)))
    for name in names:
        if name not in known:
            raise UsageError(f"no region {name!r}", f"expected one of {', '.join(known)}")
    chosen = names or known[:_MOST]
    values = np.stack([curves.values[known.index(name)] for name in chosen])
    factor, unit = display_unit(float(np.nanmax(values, initial=0.0)), curves.unit)
    minutes = curves.frames.mid / 60.0
    with style():
        figure = Figure(figsize=(6.4, 3.2), layout="constrained")
        axes = figure.subplots()
        for i, (name, line) in enumerate(zip(chosen, factor * values, strict=True)):
            colour = COLOURS[_COLOURS[i % len(_COLOURS)]]
            kind = "-" if i < len(_COLOURS) else "--"
            axes.plot(minutes, line, kind, marker=".", ms=3, lw=1, color=colour, label=name)
        axes.set(xlabel="time [min]", ylabel=f"activity [{unit}]")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        plain_numbers(axes.yaxis)
        return picture(figure, "svg", f"Time-activity curves of {', '.join(chosen)}")


def plot_marginal(marginal: Marginal) -> Picture:
    """Return a posterior of one parameter, as `betaplus.core.posterior.Marginal.plot`."""
    unit = PARAMETER_UNITS.get(marginal.name, "1")
    shape = np.shape(marginal.mean)
    if len(shape) == 3:
        affine = np.eye(4) if marginal.affine is None else np.asarray(marginal.affine)
        mask = np.isfinite(marginal.mean) & (np.asarray(marginal.mean) != 0)
        return orthogonal_slices(
            marginal.mean, affine, marginal.name, unit, marginal.std,
            median=np.asarray(marginal.median), mask=mask if mask.any() else None,
        )  # fmt: skip
    if marginal.samples is not None and np.size(marginal.mean) == 1:
        name = marginal.regions[0] if marginal.regions else ""
        return marginals({marginal.name: np.ravel(marginal.samples)}, {marginal.name: unit}, name)
    return _intervals(marginal, unit)


def plot_map(fit: Any, name: str = "Ki") -> Picture:
    """Return slices of a map of `betaplus.patlak.fit`, as `PatlakFit.plot`.

    Raises:
        UsageError: If there is no such map.
    """
    if name not in fit.maps:
        raise UsageError(f"no map {name!r}", f"expected one of {', '.join(fit.maps)}")
    volume, sd = fit.maps[name], None if fit.std is None else fit.std[name]
    return orthogonal_slices(
        volume, np.asarray(fit.study.image.affine), name, PARAMETER_UNITS[name], sd,
        mask=volume != 0,
    )  # fmt: skip


def _intervals(marginal: Marginal, unit: str) -> Picture:
    from matplotlib.figure import Figure

    low, middle, high = (
        np.atleast_1d(np.asarray(marginal.quantiles[q], dtype=float)) for q in (0.05, 0.5, 0.95)
    )
    rows: Any = np.arange(middle.size)
    names = marginal.regions or tuple(f"curve {i + 1}" for i in rows)
    with style():
        figure = Figure(figsize=(5.6, 0.8 + 0.24 * rows.size), layout="constrained")
        axes = figure.subplots()
        axes.hlines(rows, low, high, color=COLOURS["blue"], lw=1.6)
        axes.plot(middle, rows, "o", ms=3.6, color=COLOURS["blue"])
        axes.set_yticks(rows, names)
        axes.set_ylim(rows.size - 0.4, -0.6)
        shown = format_unit(unit)
        label = f"{marginal.name} [{shown}]" if shown else marginal.name
        axes.set_xlabel(f"{label}, median and 5 to 95 %")
        axes.margins(x=0.06)
        plain_numbers(axes.xaxis)
        return picture(figure, "svg", f"{marginal.name} of {rows.size} curves with intervals")
