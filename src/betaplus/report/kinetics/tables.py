"""Tables of kinetic posteriors: by region, over voxels, by status."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from betaplus.core.posterior import STATUS, Marginal, Posterior
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import Html, format_number, format_unit, table, to_html

__all__ = ["ROW_LIMIT", "region_table", "same_decimals", "status_table", "voxel_table"]

ROW_LIMIT = 100
"""Regions that a table shows; all are in the TSV."""

_MEANING = {
    0: "not analysed: outside the mask",
    1: "resolved at the first pass",
    2: "draws re-weighted by the exact likelihood",
    3: "too few effective samples at first, computed again with more",
    4: "the model does not describe the curve: do not use the parameters",
}
_MOST_DECIMALS = 6
_FIT = {"status": "", "chi2": "\u03c7\u00b2", "ess": "ESS"}


def same_decimals(values: Sequence[float], leading: int = 3) -> list[str]:
    """Return values with equally many decimals, two digits for each of the first `leading`."""
    known = [abs(v) for v in values[:leading] if math.isfinite(v) and v != 0]
    decimals = max((1 - math.floor(math.log10(v)) for v in known), default=0)
    if decimals > _MOST_DECIMALS or max(known, default=0.0) >= 1e6:
        return [format_number(v) for v in values]
    decimals = max(decimals, 0)
    return [f"{v:.{decimals}f}" if math.isfinite(v) else format_number(v) for v in values]


def region_table(posterior: Posterior, names: Sequence[str]) -> Html:
    """Return a table with a row a region: mean, SD, median and 5 to 95 % of every parameter."""
    header: list[object] = ["region"]
    for parameter in posterior.parameters:
        unit = format_unit(PARAMETER_UNITS.get(parameter, ""))
        header.append(Html(f"{to_html(parameter)}<small>{to_html(unit) or '&nbsp;'}</small>"))
    fit = {k: np.asarray(v).reshape(-1) for k, v in posterior.diagnostics.items() if k in _FIT}
    if fit:
        header.append("fit")
    rows = []
    for i, name in enumerate(names[:ROW_LIMIT]):
        row: list[object] = [name]
        row += [_cell(marginal, i) for marginal in posterior.parameters.values()]
        if fit:
            row.append(_fit({k: v[i] for k, v in fit.items()}))
        rows.append(row)
    note = "In each cell: posterior mean \u00b1 SD, median, 5 to 95 %."
    if len(names) > ROW_LIMIT:
        note += f" The first {ROW_LIMIT} of {len(names):,} regions; the table of results has all."
    return table(header, rows, caption=note, dense=True)


def voxel_table(maps: Mapping[str, Sequence[np.ndarray]], mask: np.ndarray | None) -> Html:
    """Return what the maps hold over the voxels of `mask`.

    Args:
        maps: Parameter to (mean, SD, ...), each of shape (X, Y, Z).
        mask: Voxels to count, shape (X, Y, Z); finite voxels by default.
    """
    rows = []
    for name, volumes in maps.items():
        mean, sd = (np.asarray(v) for v in volumes[:2])
        keep = np.isfinite(mean) & np.isfinite(sd)
        if mask is not None:
            keep &= mask
        m, s = (v[keep].astype(np.float64) for v in (mean, sd))
        low, middle, high = np.quantile(m, (0.05, 0.5, 0.95)) if m.size else (np.nan,) * 3
        share = np.median(s[m != 0] / np.abs(m[m != 0])) if (m != 0).any() else np.nan
        rows.append(
            [
                name,
                format_unit(PARAMETER_UNITS.get(name, "")),
                format_number(middle),
                f"{format_number(low)} to {format_number(high)}",
                format_number(np.median(s) if s.size else np.nan),
                f"{format_number(100 * share)} %",
                f"{m.size:,}",
            ]
        )
    header = (
        "parameter",
        "unit",
        "median of means",
        "5 to 95 % of means",
        "median SD",
        "median SD / mean",
        "voxels",
    )
    return table(header, rows, text_columns=2, caption="Over the analysed voxels.")


def status_table(status: np.ndarray) -> Html:
    """Return how many curves have each status, and what it means."""
    codes, counts = np.unique(np.asarray(status), return_counts=True)
    found = {int(c): int(n) for c, n in zip(codes, counts, strict=True)}
    total = sum(n for c, n in found.items() if c != 0)
    rows = []
    for code in sorted({*STATUS, *found}):
        count = found.get(code, 0)
        share = "" if code == 0 or not total else f"{100 * count / total:.2f} %"
        rows.append(
            [code, STATUS.get(code, "unknown"), _MEANING.get(code, ""), f"{count:,}", share]
        )
    header = ("code", "status", "meaning", "count", "of analysed")
    return table(header, rows, text_columns=3)


def _cell(marginal: Marginal, i: int) -> Html:
    at = {level: _pick(marginal.quantiles.get(level), i) for level in (0.05, 0.5, 0.95)}
    values = [_pick(marginal.mean, i), _pick(marginal.std, i), at[0.5], at[0.05], at[0.95]]
    mean, sd, median, low, high = same_decimals(values)
    return Html(f"{mean} \u00b1 {sd}<small>{median}</small><small>{low} to {high}</small>")


def _pick(values: np.ndarray | None, i: int) -> float:
    return math.nan if values is None else float(np.asarray(values).reshape(-1)[i])


def _fit(values: Mapping[str, float]) -> Html:
    parts = []
    for key, label in _FIT.items():
        if key not in values:
            continue
        value = values[key]
        known = key == "status" and math.isfinite(value)
        text = STATUS.get(int(value), f"code {int(value)}") if known else format_number(value)
        parts.append(f"<small>{label} {text}</small>" if label else text)
    return Html("".join(parts))
