"""Calibration: coverage of intervals, ranks of the truth, coverage of balls around random points.

All show what was found minus what a right posterior gives, in percentage points, with the band
that chance allows: deviations worth knowing cannot be seen beside the diagonal itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from betaplus.report.figures.canvas import COLOURS, Picture, picture, plain_numbers, style

__all__ = ["coverage_panel", "rank_panel", "tarp_panel"]

_Z = 1.96
_LEAST_REACH = 1.5  # percentage points either side that are always shown
_COLUMNS = 3
_FINE = np.linspace(0.0, 1.0, 201)
_DASHES = (0, (4, 3))


class _Band(NamedTuple):
    """What chance allows: limits of a deviation at points within 0 to 1, 0 at both ends."""

    x: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


def coverage_panel(
    nominal: Sequence[float],
    coverage: Mapping[str, Sequence[float]],
    count: int,
    *,
    caption: object = "",
) -> Picture:
    """Return coverage of central intervals minus nominal, a panel for each parameter.

    The band is +-1.96 binomial standard errors; intervals outside are drawn in red. One in twenty
    is outside by chance.

    Args:
        nominal: Probabilities of I intervals, ascending.
        coverage: Parameter to share of truths inside, shape (I,).
        count: Number of posteriors.
        caption: Line above the figure.
    """
    x = np.asarray(nominal, dtype=np.float64)
    limit = _Z * np.sqrt(_FINE * (1 - _FINE) / count)
    limit_at = _Z * np.sqrt(x * (1 - x) / count)
    found = {name: np.asarray(share, dtype=np.float64) - x for name, share in coverage.items()}
    return _grid(
        x,
        found,
        {name: np.abs(d) > limit_at for name, d in found.items()},
        _Band(_FINE, -limit, limit),
        dots=True,
        labels=("nominal coverage [%]", "coverage \u2212 nominal [points]"),
        alt="Coverage of central intervals minus nominal",
        caption=caption,
    )


def rank_panel(
    points: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    deviation: Mapping[str, Sequence[float]],
    *,
    caption: object = "",
) -> Picture:
    """Return the ECDF of ranks minus that of uniform ones, a panel for each parameter.

    A line that leaves the simultaneous band is drawn in red, with a dot wherever it is outside. A
    right posterior stays inside. A line that rises, falls and rises again belongs to an
    overconfident one, its mirror image to a timid one; an arch to a biased one, upwards where
    truths lie too low in their posteriors.

    Args:
        points: Where the ECDF was taken, within 0 to 1.
        lower: Lower limit of the band of ECDF - point.
        upper: Its upper limit.
        deviation: Parameter to ECDF - point.
        caption: Line above the figure.
    """
    band = _Band(np.r_[0.0, points, 1.0], np.r_[0.0, lower, 0.0], np.r_[0.0, upper, 0.0])
    found = {n: np.r_[0.0, np.asarray(d, dtype=np.float64), 0.0] for n, d in deviation.items()}
    tiny = 1e-9  # ECDF and limits are multiples of 1 / n, both less the point
    return _grid(
        band.x,
        found,
        {n: (d < band.lower - tiny) | (d > band.upper + tiny) for n, d in found.items()},
        band,
        dots=False,
        labels=("rank of the truth [% of draws]", "ECDF \u2212 uniform [points]"),
        alt="Empirical distribution of the ranks of the truth minus uniform",
        caption=caption,
    )


def tarp_panel(
    levels: Sequence[float],
    coverage: Sequence[float],
    standard_error: Sequence[float],
    area: float,
    area_error: float,
    *,
    caption: object = "",
) -> Picture:
    """Return expected coverage of balls around random points, and its difference from nominal.

    The band is +-1.96 standard errors.

    Args:
        levels: Credibility levels, shape (L,).
        coverage: Share of truths within the balls, shape (L,).
        standard_error: Of the coverage, shape (L,).
        area: Signed area between the two, as in `betaplus.evaluation.tarp.Tarp`.
        area_error: Its standard error.
        caption: Line above the figure.
    """
    from matplotlib.figure import Figure

    x, y = np.r_[0.0, levels, 1.0], np.r_[0.0, coverage, 1.0]
    limit = _Z * np.r_[0.0, standard_error, 0.0]
    reach = _reach([limit, y - x])
    width, height, edge = 7.1, 3.0, 2.3
    with style():
        figure = Figure(figsize=(width, height))
        whole, rest = (
            figure.add_axes((left / width, 0.45 / height, size / width, edge / height))
            for left, size in ((0.55, edge), (3.5, width - 3.5 - 0.15))
        )
        whole.plot((0, 100), (0, 100), color=COLOURS["soft"], lw=0.8, ls=_DASHES)
        whole.plot(100 * x, 100 * y, color=COLOURS["blue"], lw=1.5)
        whole.set(xlim=(0, 100), ylim=(0, 100), ylabel="expected coverage [%]")
        _percent(whole.yaxis)
        _shade(rest, _Band(x, -limit, limit))
        rest.plot(100 * x, 100 * (y - x), color=COLOURS["blue"], lw=1.3)
        rest.set(xlim=(0, 100), ylim=(-reach, reach), ylabel="coverage \u2212 credibility [points]")
        plain_numbers(rest.yaxis)
        text = f"area {100 * area:+.2f} \u00b1 {100 * area_error:.2f} points".replace("-", "\u2212")
        rest.text(1.0, 1.01, text, ha="right", va="bottom", transform=rest.transAxes, fontsize=8)
        for axes in (whole, rest):
            axes.set_xlabel("credibility [%]")
            _percent(axes.xaxis)
        return picture(figure, "svg", "Expected coverage of balls around random points", caption)


def _grid(
    x: np.ndarray,
    lines: Mapping[str, np.ndarray],
    outside: Mapping[str, np.ndarray],
    band: _Band,
    *,
    dots: bool,
    labels: tuple[str, str],
    alt: str,
    caption: object,
) -> Picture:
    """Panels of deviations with one band, all on the same axes."""
    from matplotlib.figure import Figure

    count = max(len(lines), 1)
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    width, height = 0.8 + 2.3 * columns, 0.62 + 1.45 * rows
    reach = _reach([band.lower, band.upper, *lines.values()])
    with style():
        figure = Figure(figsize=(width, height))
        grid = figure.add_gridspec(
            rows, columns, left=0.66 / width, right=1 - 0.16 / width, top=1 - 0.1 / height,
            bottom=0.5 / height, hspace=0.16, wspace=0.14,
        )  # fmt: skip
        for i, (name, y) in enumerate(lines.items()):
            axes = figure.add_subplot(grid[i // columns, i % columns])
            _shade(axes, band)
            _line(axes, x, y, outside[name], dots)
            axes.set(xlim=(0, 100), ylim=(-reach, reach))
            axes.text(
                0.035, 0.95, name, ha="left", va="top", transform=axes.transAxes, fontweight="bold"
            )
            _percent(axes.xaxis)
            plain_numbers(axes.yaxis)
            axes.locator_params(axis="y", nbins=5, steps=(1, 2, 5, 10))
            axes.tick_params(labelbottom=i + columns >= count, labelleft=i % columns == 0)
        figure.text(0.5, 0.06 / height, labels[0], ha="center", va="bottom", fontsize=8.5)
        figure.text(0.08 / width, 0.5, labels[1], ha="left", va="center", rotation=90, fontsize=8.5)
        return picture(figure, "svg", alt, caption)


def _shade(axes: Any, band: _Band) -> None:
    axes.fill_between(
        100 * band.x, 100 * band.lower, 100 * band.upper, color=COLOURS["pale"], alpha=0.6, lw=0,
        zorder=0,
    )  # fmt: skip
    axes.axhline(0, color=COLOURS["soft"], lw=0.7, ls=_DASHES, zorder=1)


def _line(axes: Any, x: np.ndarray, y: np.ndarray, outside: np.ndarray, dots: bool) -> None:
    red = not dots and bool(outside.any())
    axes.plot(100 * x, 100 * y, color=COLOURS["red" if red else "blue"], lw=1.2, zorder=2)
    size = 3.6 if dots else 2.6
    for chosen, colour in ((outside, "red"), (~outside if dots else outside[:0], "blue")):
        if chosen.any():
            axes.plot(
                100 * x[chosen], 100 * y[chosen], "o", ms=size, mew=0, color=COLOURS[colour],
                zorder=3,
            )  # fmt: skip


def _reach(values: Sequence[np.ndarray]) -> float:
    """Half the height of a panel [points]."""
    largest = max(float(np.nanmax(np.abs(v), initial=0.0)) for v in values)
    return 1.15 * max(_LEAST_REACH, 100 * largest)


def _percent(axis: Any) -> None:
    axis.set_ticks((0, 25, 50, 75, 100))
    plain_numbers(axis)
