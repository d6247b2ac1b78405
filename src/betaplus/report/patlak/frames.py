"""Patlak's plot of the mean curve, and what maps leave of each frame."""

from __future__ import annotations

import numpy as np

from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.patlak.fitting import PatlakFit
from betaplus.patlak.study import Study
from betaplus.physics.patlak.operator import PatlakOperator
from betaplus.physics.response import InputResponse
from betaplus.report.elements import format_number
from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["patlak_plot", "residual_plot"]

_SIZE = (4.4, 3.1)  # in


def patlak_plot(fit: PatlakFit, delay: float) -> Picture:
    """Return the mean curve of the mask in Patlak's coordinates, its line, and t*.

    The line is that of the means of the maps. Frames before t* are drawn where the input and its
    integral are those of one bed and begin with the injection.

    Args:
        fit: The maps.
        delay: Of the tissue after the sampler [s].
    """
    from matplotlib.figure import Figure

    study = fit.study
    late_x, late_y = _points(study, study.a.mean(1), study.b.mean(1), study.used)
    early_x, early_y = _early(study, delay)
    mask = study.problem.mask.numpy()
    Ki, V0 = (float(fit.maps[name][mask].mean(dtype=np.float64)) for name in ("Ki", "V0"))
    with style():
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.145, 0.15, 0.835, 0.82))
        if early_x.size:
            axes.plot(early_x, early_y, "o", ms=3.2, mfc="white", mec=COLOURS["soft"], mew=0.7,
                      label="frames before t*")  # fmt: skip
        axes.plot(late_x, late_y, "o", ms=3.6, color=COLOURS["ink"], label="frames used", zorder=3)
        ends = np.array([min(late_x.min(), 0.0 if early_x.size else late_x.min()), late_x.max()])
        label = f"{format_number(Ki)} x + {format_number(V0)}"
        axes.plot(ends, Ki * ends + V0, color=COLOURS["blue"], lw=1.1, label=label)
        axes.axvline(late_x[0], color=COLOURS["red"], lw=0.8, ls=(0, (4, 3)))
        axes.text(
            late_x[0], 0.02, f" t* = {study.t_star / SECONDS_PER_MINUTE:.3g} min", fontsize=7.5,
            color=COLOURS["red"], transform=axes.get_xaxis_transform(), va="bottom",
        )  # fmt: skip
        top = max(float(late_y.max()), float(Ki * ends[1] + V0))
        near = early_y[early_y < 2.5 * top]
        low = min(0.0, float(late_y.min()))
        axes.set_ylim(low, 1.12 * max(top, float(near.max(initial=0.0))))
        axes.set_xlabel("integral of the input over the input [min]")
        axes.set_ylabel("mean of the mask over the input")
        axes.legend(loc="lower right", handlelength=1.6)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        alt = "Patlak plot of the mean curve of the mask, with its line and t*"
        return picture(figure, "svg", alt, "Patlak plot of the mean curve")


def residual_plot(
    study: Study, residual: np.ndarray, wls_residual: np.ndarray | None, method: str
) -> Picture:
    """Return the root mean square of the weighted residual of each frame used.

    Args:
        study: The scan.
        residual: Of the method, shape (F,) [SUV].
        wls_residual: Of weighted least squares, likewise, or None.
        method: Its name.
    """
    from matplotlib.figure import Figure

    start = study.times.start.min(1) / SECONDS_PER_MINUTE
    end = study.times.end.max(1) / SECONDS_PER_MINUTE
    middle = 0.5 * (start + end)
    with style():
        figure = Figure(figsize=_SIZE)
        axes = figure.add_axes((0.145, 0.15, 0.835, 0.82))
        for values, colour, width, name in (
            (wls_residual, COLOURS["amber"], 4.0, "wls"),
            (residual, COLOURS["blue"], 1.4, method),
        ):
            if values is None:
                continue
            axes.hlines(values, start, end, color=colour, lw=width)
            axes.plot(middle, values, ".", color=colour, ms=5, label=name)
        highest = max(residual.max(), 0.0 if wls_residual is None else wls_residual.max())
        axes.set_ylim(0, 1.2 * highest or 1.0)
        axes.set_xlabel("time [min]")
        axes.set_ylabel("weighted residual, RMS [SUV]")
        axes.legend(loc="lower right", handlelength=1.2)
        plain_numbers(axes.xaxis)
        plain_numbers(axes.yaxis)
        alt = "Root mean square of the weighted residual of each frame"
        return picture(figure, "svg", alt, "Residual of each frame")


def _points(
    study: Study, a: np.ndarray, b: np.ndarray, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of those frames whose input is above 0."""
    keep = b > 0
    y = study.mean_curve[frames]
    return a[keep] / b[keep], y[keep] / b[keep]


def _early(study: Study, delay: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the coordinates of the frames after the input's peak and before t*."""
    image, nothing = study.image, np.empty(0)
    if study.relative is not None or len(study.times.beds()) > 1 or image.frames is None:
        return nothing, nothing
    assert image.tracer is not None
    response = InputResponse(study.curve, image.frames, image.tracer.half_life)
    a, b = PatlakOperator(response, delay).matrix.numpy().T
    peak = float(study.curve.time[int(np.argmax(study.curve.plasma))]) + delay
    first = int(study.used[0])
    frames = np.flatnonzero(image.frames.start[:first] >= peak)
    return _points(study, a[frames], b[frames], frames)
