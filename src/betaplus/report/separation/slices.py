"""The mixture and both tracers in one axial slice."""

from __future__ import annotations

import numpy as np

from betaplus.pipeline.separation.result import SeparateRun
from betaplus.report.elements import Html, to_html
from betaplus.report.figures.canvas import Picture, picture, plain_numbers, style
from betaplus.report.figures.curves import display_unit

__all__ = ["late_frames", "late_mean", "late_sd", "slice_row"]

_ROBUST = 99.5  # percentile at which colours end
_MARGIN = 2  # voxels around the mask
_COLUMN, _TOP, _BAR = 2.25, 0.3, 0.5  # in


def late_frames(result: SeparateRun) -> np.ndarray:
    """Return weights of frames that hold both tracers, by their duration, shape (T,)."""
    problem = result.fit.study.problem
    both = problem.seen.all(0) & ~result.fit.study.mixing.split.any(0)
    if not both.any():
        both = problem.seen[1]
    weights = problem.frames.duration * both
    return np.asarray(weights / weights.sum())


def late_mean(result: SeparateRun, index: int | None) -> np.ndarray:
    """Return the mean over those frames, shape (X, Y, Z) [Bq/mL].

    Args:
        result: Of a run.
        index: Of a tracer; None for the mixture.
    """
    fit = result.fit
    image = fit.study.problem.mixture if index is None else fit.found.x[index]
    weights = late_frames(result).astype(np.float32) * np.float32(fit.study.problem.scale)
    return np.asarray(np.tensordot(image.numpy(), weights, 1))


def late_sd(result: SeparateRun, index: int) -> np.ndarray | None:
    """Return the SD of that mean of a tracer, shape (X, Y, Z) [Bq/mL], or None.

    Errors of frames go together: it is the mean of their SDs, which is the most that it can be.
    """
    found = result.fit.found.std
    if found is None:
        return None
    weights = late_frames(result).astype(np.float32) * np.float32(result.fit.study.problem.scale)
    return np.asarray(np.tensordot(found[index].numpy(), weights, 1))


def slice_row(result: SeparateRun) -> Picture:
    """Return the axial slice with the most activity: mixture, both tracers, and both by linear."""
    from matplotlib.figure import Figure

    fit, curves = result.fit, result.curves
    a, b = (one.label for one in fit.study.tracers)
    cut, weights = curves.cut, late_frames(result)
    panels = [("mixture, as measured", late_mean(result, None)[:, :, cut])]
    panels += [(name, late_mean(result, i)[:, :, cut]) for i, name in enumerate((a, b))]
    if curves.planes is not None:
        panels += [
            (f"{name}, linear", np.asarray(curves.planes[i] @ weights))
            for i, name in enumerate((a, b))
        ]
    mask = fit.study.problem.mask.numpy()
    box = []
    for axis in (0, 1):
        line = np.flatnonzero(mask.any(axis=tuple(k for k in range(3) if k != axis)))
        box.append(slice(max(line[0] - _MARGIN, 0), line[-1] + 1 + _MARGIN))
    at = (box[0], box[1])
    inside = mask[:, :, cut][at]
    affine = np.asarray(fit.study.image.affine)
    turned = abs(affine[0, 0]) < abs(affine[0, 1])  # rows and columns of the file change places
    edges = fit.study.problem.voxel
    n, m = inside.shape
    size = (n * edges[0], m * edges[1])
    size = size[::-1] if turned else size
    height = _COLUMN * size[1] / size[0] + _TOP + _BAR
    tops = _tops(panels, inside, at)
    with style():
        figure = Figure(figsize=(_COLUMN * len(panels), height), layout="constrained")
        for axes, (title, plane), top in zip(
            np.atleast_1d(figure.subplots(1, len(panels))), panels, tops, strict=True
        ):
            factor, unit = display_unit(top, "Bq/mL")
            shown = np.where(inside, plane[at], np.nan) * factor
            shown = shown.T if turned else shown
            x_axis, y_axis = (1, 0) if turned else (0, 1)
            if affine[0, x_axis] < 0:
                shown = shown[::-1]
            if affine[1, y_axis] < 0:
                shown = shown[:, ::-1]
            drawn = axes.imshow(
                shown.T, origin="lower", cmap="inferno", vmin=0.0, vmax=top * factor,
                interpolation="nearest", extent=(0, size[0], 0, size[1]),
            )  # fmt: skip
            axes.set(xticks=[], yticks=[])
            axes.set_facecolor("#0e1113")
            axes.spines[:].set_visible(False)
            axes.set_title(title, weight="bold")
            bar = figure.colorbar(drawn, ax=axes, orientation="horizontal", shrink=0.9)
            bar.ax.locator_params(nbins=3)
            plain_numbers(bar.ax.xaxis)
            bar.ax.tick_params(labelsize=7)
            bar.set_label(f"[{unit}]", fontsize=7)
            bar.outline.set_visible(False)
        where = Html(f"<b>Axial slice {cut + 1}</b> {to_html('mean of the frames with both')}")
        alt = f"The mixture, {a} and {b} in an axial slice"
        return picture(figure, "png", alt, where)


def _tops(
    panels: list[tuple[str, np.ndarray]], inside: np.ndarray, at: tuple[slice, slice]
) -> list[float]:
    """Return where colours end; those of a tracer are the same by any method."""
    tops = [float(np.percentile(plane[at][inside], _ROBUST)) for _, plane in panels]
    tops = [top if top > 0 else 1.0 for top in tops]
    return tops[:3] + tops[1 : len(tops) - 2]
