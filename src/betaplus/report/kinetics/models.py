"""The section that compares models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from betaplus.report.elements import Html, format_number, table, to_html
from betaplus.report.kinetics.tables import ROW_LIMIT
from betaplus.report.page import Page

if TYPE_CHECKING:
    from betaplus.kinetics.compare import Comparison

__all__ = ["add_models"]

_MINUS = "\u2212"


def add_models(page: Page, comparison: Comparison, regions: Comparison | None = None) -> None:
    """Add probabilities of models by region, and over the voxels of an image.

    Args:
        page: The page to add to.
        comparison: Of the curves, or of the voxels of an image.
        regions: Of the region curves of an image.
    """
    content: list[object] = [_explained(comparison)]
    if comparison.probability.ndim > 2:
        content.append(_voxels(comparison))
    of_curves = regions if regions is not None else comparison
    if of_curves.probability.ndim == 2:
        content.append(_curves(of_curves))
    page.add_section("Which model", content)


def _explained(comparison: Comparison) -> str:
    wider = dict(comparison.settings["wider"])
    factor = wider.pop("factor")
    ranges = ", ".join(f"{name} {low:.3g} to {high:.3g}" for name, (low, high) in wider.items())
    return (
        f"Probabilities of {', '.join(comparison.models)}, equal before the data, from the"
        " evidence: the likelihood averaged over the prior. It charges a model for parameters that"
        " the data do not need, and how much depends on the width of the prior: a parameter that"
        " the data determine costs log(factor) where its prior is wider by that factor. Beneath"
        f" each probability stands that with ranges {factor:g} times as wide ({ranges or 'none'}):"
        " where the two differ, the data do not decide. The most probable of these models need not"
        " describe the curve: look at the residuals too."
    )


def _voxels(comparison: Comparison) -> Html:
    inside = comparison.inside
    total = max(int(inside.sum()), 1)
    first, wide = comparison.chosen[inside], comparison.sensitivity[inside].argmax(-1)
    rows = []
    for i, model in enumerate(comparison.models):
        mine = first == model
        kept = int((mine & (wide == i)).sum())
        mean = comparison.probability[inside][:, i].mean() if inside.any() else np.nan
        share = f"{100 * mine.sum() / total:.1f} %"
        rows.append([model, f"{int(mine.sum()):,}", share, f"{kept:,}", format_number(mean)])
    header = ("model", "voxels", "share", "also with wider priors", "mean probability")
    return table(header, rows, caption="Most probable model of each voxel.")


def _curves(comparison: Comparison) -> Html:
    names = comparison.names or tuple(f"curve {i + 1}" for i in range(len(comparison.chosen)))
    header: list[object] = ["region", "most probable"]
    for model in comparison.models:
        header.append(Html(f"{to_html(model)}<small>probability</small>"))
        header.append(Html(f"{to_html(model)}<small>log Z, AIC</small>"))
    gap = comparison.log_evidence - comparison.log_evidence.max(axis=-1, keepdims=True)
    aic = comparison.aic
    behind = None if aic is None else aic - aic.min(axis=-1, keepdims=True)
    rows = []
    for i, name in enumerate(names[:ROW_LIMIT]):
        row: list[object] = [name, comparison.chosen[i]]
        for m in range(len(comparison.models)):
            p, wide = comparison.probability[i, m], comparison.sensitivity[i, m]
            row.append(Html(f"{p:.3f}<small>{wide:.3f}</small>"))
            akaike = "" if behind is None else f"<small>{behind[i, m]:.1f}</small>"
            row.append(Html(f"{gap[i, m]:.1f}{akaike}".replace("-", _MINUS)))
        rows.append(row)
    note = (
        "Probability, beneath it that with wider priors; log evidence less that of the best model,"
        " beneath it AIC above that of the best."
    )
    if len(names) > ROW_LIMIT:
        note += f" The first {ROW_LIMIT} of {len(names):,} regions; the table of results has all."
    return table(header, rows, text_columns=2, caption=note, dense=True)
