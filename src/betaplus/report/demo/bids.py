"""The demo's picture of the BIDS app: Ki of the regions of everybody against the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo.bids import FromBids
from betaplus.report.elements import Html, format_unit, table
from betaplus.report.figures.canvas import Picture, picture, style

__all__ = ["BIDS_NOTE", "bids_images"]

BIDS_NOTE = (
    "Two people who were simulated as a PET-BIDS data set, blood and regions beside them. The bids"
    " verb finds all that by itself, runs kinetics on everybody, and gathers a table and a page of"
    " the group. The curve of a region is a mean over voxels whose kinetics differ, with next to no"
    " noise, so that it is not quite the curve of the mean parameters, and its interval is narrow."
)
_SIDE = 4.2


def bids_images(found: FromBids) -> Iterator[Picture | Html]:
    """Yield a panel for each person, and what was gathered."""
    yield _panels(found)
    rows = []
    for person, regions in found.Ki.items():
        values = np.array(list(regions.values()))
        middle, low, high, true = values.T
        held = int(((low <= true) & (true <= high)).sum())
        error = np.median(np.abs(middle / true - 1.0))
        rows.append([person, len(values), f"{held} of {len(values)}", f"{100 * error:.1f} %"])
    yield table(["person", "regions", "truth in the 90 % interval", "median error of Ki"], rows)


def _panels(found: FromBids) -> Picture:
    from matplotlib.figure import Figure

    unit = format_unit(PARAMETER_UNITS["Ki"])
    with style():
        figure = Figure(figsize=(_SIDE * len(found.Ki), _SIDE), layout="constrained")
        for axes, (person, regions) in zip(
            np.atleast_1d(figure.subplots(1, len(found.Ki))), found.Ki.items(), strict=True
        ):
            middle, low, high, true = np.array(list(regions.values())).T
            axes.errorbar(true, middle, (middle - low, high - middle), fmt="o", ms=4, capsize=2)
            ends = (0.8 * true.min(), 1.25 * true.max())
            axes.plot(ends, ends, lw=1, color="0.5", zorder=0)
            axes.set(xscale="log", yscale="log", xlabel=f"true Ki [{unit}]", title=person)
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: f"{value:g}")
                axis.set_minor_formatter(lambda *_: "")
            axes.set_ylabel(f"median and 90 % interval [{unit}]")
        return picture(figure, "svg", "Ki of the regions of two people against the truth")
