"""The section on region curves: predictive bands, tables and marginal posteriors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.posterior import Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS
from betaplus.report.elements import format_number
from betaplus.report.figures import Picture, curve_panel, gallery, marginals
from betaplus.report.kinetics.tables import region_table
from betaplus.report.page import Page
from betaplus.report.viewer import curve_explorer

__all__ = ["PANELS", "add_regions", "pick_curves"]

PANELS = 8
"""Curves that are drawn."""

_MARGINAL_PANELS = 4


def add_regions(
    page: Page,
    regions: TacTable,
    posterior: Posterior | None,
    chosen: Sequence[str] | None = None,
) -> None:
    """Add curves with what was predicted for them, and a table of their parameters.

    Args:
        page: The page to add to.
        regions: The curves.
        posterior: Their posterior, or None to draw the curves alone.
        chosen: Names of the curves to draw; see `pick_curves`.

    Raises:
        UsageError: If a chosen name is not in the table.
    """
    names = regions.names or tuple(f"curve {i + 1}" for i in range(len(regions)))
    shown = pick_curves(names, posterior, chosen)
    panels = [_panel(regions, posterior, names, i) for i in shown]
    content: list[object] = [curve_explorer(regions, posterior), gallery(panels)]
    note = (
        "Choose any region above, and another beside it. Bars are frames, error bars one SD of the"
        " noise; residuals are divided by it. The time axis of the figures changes scale at the"
        " dashed line."
    )
    if len(shown) < len(names):
        note += f" {len(shown)} of {len(names):,} curves are drawn."
    if posterior is not None:
        content.append(region_table(posterior, names))
        draws = posterior.samples
        for i in shown[:_MARGINAL_PANELS] if draws else ():
            mine = {k: np.asarray(v)[i] for k, v in draws.items()}
            content.append(marginals(mine, PARAMETER_UNITS, names[i]))
    page.add_section("Regions" if regions.names else "Curves", content, note)


def _panel(regions: TacTable, posterior: Posterior | None, names: Sequence[str], i: int) -> Picture:
    prediction = {} if posterior is None else posterior.prediction
    mean, std, sigma = (
        np.asarray(prediction[k])[i] if k in prediction else None for k in ("mean", "std", "sigma")
    )
    caption = ""
    if posterior is not None and "chi2" in posterior.diagnostics:
        value = np.asarray(posterior.diagnostics["chi2"]).reshape(-1)[i]
        caption = f"chi-square {format_number(value)}"
    return curve_panel(
        regions.frames, regions.values[i], mean, std, sigma, names[i], regions.unit, caption=caption
    )


def pick_curves(
    names: Sequence[str], posterior: Posterior | None, chosen: Sequence[str] | None
) -> list[int]:
    """Return which curves to draw: those chosen, else the first ones and the two worst fits.

    Raises:
        UsageError: If a chosen name is not among `names`.
    """
    for name in chosen or ():
        if name not in names:
            raise UsageError(f"region {name!r} is not in the table", f"expected {', '.join(names)}")
    if chosen is not None:
        return [names.index(name) for name in chosen][:PANELS]
    if len(names) <= PANELS:
        return list(range(len(names)))
    if posterior is None or "chi2" not in posterior.diagnostics:
        return list(range(PANELS))
    first = list(range(PANELS - 2))
    chi2 = np.nan_to_num(np.asarray(posterior.diagnostics["chi2"], dtype=float).reshape(-1))
    worst = [int(i) for i in np.argsort(-chi2, kind="stable") if i not in first]
    return first + sorted(worst[:2])
