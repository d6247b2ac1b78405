"""The demo's volumes of distribution: by 2TCM and Logan's plot, and relative to a reference."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo import DemoResult
from betaplus.report.elements import Html, format_number, format_unit, table

__all__ = ["REFERENCE_NOTE", "reference_tables", "total_volumes"]

REFERENCE_NOTE = (
    "Seven regions of a simulated receptor tracer, the cerebellum without receptors. The targets"
    " have two compartments and SRTM allows for one, so that a small bias is the model's own."
)


def total_volumes(result: DemoResult) -> Html:
    """Return VT of the C-11 curves: the truth, the posterior and Logan's plot."""
    VT, logan = result.curves["exact"].posterior["VT"], result.logan.posterior["VT"]
    t_star = result.logan.posterior.diagnostics["t_star"]
    rows = [
        [
            name,
            format_number(result.curve_truth["VT"][i]),
            _interval(VT, i),
            f"{format_number(logan.mean[i])} \u00b1 {format_number(logan.std[i])}",
            f"{t_star[i] / 60:.0f} min",
        ]
        for i, name in enumerate(result.logan.data.names)
    ]
    header = ["curve", "true VT", "2TCM: median (5 to 95 %)", "Logan \u00b1 SD", "t*"]
    unit = format_unit(PARAMETER_UNITS["VT"])
    caption = f"VT [{unit}]. Logan's plot takes the whole curve, blood included."
    return table(header, rows, caption=caption, dense=True)


def reference_tables(result: DemoResult) -> Iterator[Html]:
    """Yield BPND by SRTM, MRTM2 and Logan's plot with a reference region, beside the truth."""
    srtm, mrtm2, logan = (r.posterior["BPND"] for r in result.reference.values())
    names = result.reference["SRTM"].data.names
    rows = [
        [
            name,
            format_number(result.reference_truth["BPND"][i]),
            _interval(srtm, i),
            f"{format_number(mrtm2.mean[i])} \u00b1 {format_number(mrtm2.std[i])}",
            f"{format_number(logan.mean[i])} \u00b1 {format_number(logan.std[i])}",
        ]
        for i, name in enumerate(names)
        if result.reference_truth["BPND"][i] > 0
    ]
    header = [
        "region",
        "true BPND",
        "SRTM: median (5 to 95 %)",
        "MRTM2 \u00b1 SD",
        "Logan \u00b1 SD",
    ]
    yield table(header, rows, caption="BPND against the cerebellum.", dense=True)


def _interval(marginal, i: int) -> str:
    low, middle, high = (
        format_number(np.asarray(marginal.quantiles[q])[i]) for q in (0.05, 0.5, 0.95)
    )
    return f"{middle} ({low} to {high})"
