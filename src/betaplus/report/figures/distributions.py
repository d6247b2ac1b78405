"""Histograms: how well the posteriors were resolved, and single posteriors."""

from __future__ import annotations

from collections.abc import Mapping
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

__all__ = ["histograms", "marginals"]

_BINS = 40
_ROBUST = 99.5
_ENDS = (0.002, 0.998)  # quantiles of the draws that are drawn


def histograms(
    ess: np.ndarray | None, status: np.ndarray | None, chi2: np.ndarray | None = None
) -> Picture:
    """Return histograms of effective sample size and chi-square, and counts by status.

    Args:
        ess: Effective sample sizes, any shape, or None.
        status: Status codes (`betaplus.core.posterior.STATUS`), likewise; code 0 is left out of
            everything.
        chi2: Chi-square of each fit, likewise.
    """
    from matplotlib.figure import Figure

    panels = [
        name for name, v in (("ess", ess), ("chi2", chi2), ("status", status)) if v is not None
    ]
    with style():
        figure = Figure(figsize=(8.8, 2.7))
        grid = figure.add_gridspec(
            1, max(len(panels), 1), left=0.06, right=0.975, top=0.9, bottom=0.18, wspace=0.42
        )
        for i, name in enumerate(panels):
            axes = figure.add_subplot(grid[0, i])
            if name == "status":
                _status(axes, np.asarray(status))
            else:
                values = _fitted(np.asarray(ess if name == "ess" else chi2), status)
                if name == "chi2" and values.size:
                    values = np.minimum(values, np.percentile(values, _ROBUST))
                _histogram(axes, values, logarithmic=name == "ess")
                axes.set_xlabel("effective sample size" if name == "ess" else "chi-square")
        return picture(figure, "svg", "Effective sample size, chi-square and status")


def marginals(
    samples: Mapping[str, np.ndarray], units: Mapping[str, str], name: str = ""
) -> Picture:
    """Return a histogram of the draws of each parameter, with their median and 5 to 95 %.

    Args:
        samples: Parameter to draws, shape (S,).
        units: Parameter to unit.
        name: Name of the region.
    """
    from matplotlib.figure import Figure

    columns = min(4, max(len(samples), 1))
    rows = -(-max(len(samples), 1) // columns)
    with style():
        figure = Figure(figsize=(8.8, 0.3 + 1.4 * rows))
        grid = figure.add_gridspec(
            rows, columns, left=0.02, right=0.98, top=0.99, bottom=0.3 / rows, hspace=0.55,
            wspace=0.12,
        )  # fmt: skip
        for i, (parameter, draws) in enumerate(samples.items()):
            axes = figure.add_subplot(grid[i // columns, i % columns])
            draws = np.asarray(draws, dtype=np.float64).ravel()
            draws = draws[np.isfinite(draws)]
            ends = np.quantile(draws, _ENDS) if draws.size else (0, 0)
            _histogram(axes, draws[(draws >= ends[0]) & (draws <= ends[1])], logarithmic=False)
            if draws.size:
                low, middle, high = np.quantile(draws, (0.05, 0.5, 0.95))
                axes.axvspan(low, high, color=COLOURS["pale"], alpha=0.5, lw=0, zorder=0)
                axes.axvline(middle, color=COLOURS["red"], lw=1)
            unit = format_unit(units.get(parameter, ""))
            axes.set_xlabel(f"{parameter} [{unit}]" if unit else parameter)
            axes.set_yticks([])
            axes.set_ylabel("")
            axes.spines["left"].set_visible(False)
            axes.locator_params(axis="x", nbins=4)
        caption = Html(
            f"<b>{to_html(name)}</b> draws, with their median and 5 to 95 %" if name else ""
        )
        return picture(figure, "svg", f"Marginal posteriors {name}".strip(), caption)


def _fitted(values: np.ndarray, status: np.ndarray | None) -> np.ndarray:
    if status is not None and np.shape(status) == values.shape:
        values = values[np.asarray(status) != 0]
    values = values.ravel().astype(np.float64)
    return values[np.isfinite(values)]


def _histogram(axes: Any, values: np.ndarray, logarithmic: bool) -> None:
    if logarithmic:
        values = values[values > 0]
    if values.size == 0:
        axes.text(0.5, 0.5, "no values", ha="center", va="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    low, high = float(values.min()), float(values.max())
    if logarithmic:
        low, high = (low, high) if high > 1.02 * low else (0.8 * low, 1.25 * high)
        edges = np.geomspace(low, high * (1 + 1e-9), _bins(values.size) + 1)
        axes.set_xscale("log")
    else:
        pad = 0.0 if high - low > 1e-9 * max(abs(high), 1e-12) else 0.5 * (abs(high) or 1.0)
        edges = np.linspace(low - pad, high + pad, _bins(values.size) + 1)
    counts, _ = np.histogram(values, edges)
    axes.stairs(counts, edges, fill=True, color=COLOURS["teal"], alpha=0.8)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.05 * counts.max())
    axes.set_ylabel("count")
    axes.yaxis.get_major_locator().set_params(integer=True)
    plain_numbers(axes.yaxis)
    if logarithmic:
        _log_ticks(axes, edges[0], edges[-1])
    plain_numbers(axes.xaxis)


def _bins(count: int) -> int:
    return int(np.clip(1.2 * np.sqrt(count), 8, _BINS))


def _log_ticks(axes: Any, low: float, high: float) -> None:
    steps = (1, 2, 5) if high / low < 100 else (1,)
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    ticks = [s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high]
    if len(ticks) >= 2:
        axes.set_xticks(ticks)
    else:
        axes.set_xticks([low, high])


def _status(axes: Any, status: np.ndarray) -> None:
    codes, counts = np.unique(status[np.isfinite(status.astype(np.float64))], return_counts=True)
    found = {int(c): int(n) for c, n in zip(codes, counts, strict=True) if c != 0}
    order = [code for code in sorted({*STATUS, *found}) if code != 0]
    total = sum(found.values())
    for row, code in enumerate(order):
        count = found.get(code, 0)
        axes.barh(row, count, height=0.62, color=STATUS_COLOURS.get(code, COLOURS["soft"]))
        share = f"{count:,} ({100 * count / total:.1f} %)" if count else "0"
        axes.text(count, row, f" {share}", va="center", fontsize=8)
    axes.set_yticks(range(len(order)), [STATUS.get(code, f"code {code}") for code in order])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.75 * (max(found.values(), default=1)))
    axes.set_xticks([])
    axes.set_xlabel("count by status")
    axes.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
