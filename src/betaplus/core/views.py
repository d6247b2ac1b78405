"""How nouns look in a notebook: functions of `betaplus.report.notebook`, imported on use.

Nouns know numpy only; what draws them lies on the top floor. They name it here, as registries name
methods, so that importing a noun imports no pictures.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["view_of"]

_VIEWS = {
    "facts": "betaplus.report.notebook.facts:facts_of",
    "plot_image": "betaplus.report.notebook.plots:plot_image",
    "plot_curves": "betaplus.report.notebook.plots:plot_curves",
    "plot_marginal": "betaplus.report.notebook.plots:plot_marginal",
    "plot_map": "betaplus.report.notebook.plots:plot_map",
    "slices": "betaplus.report.notebook.slices:slices_of",
    "xarray": "betaplus.report.notebook.arrays:to_xarray",
}


def view_of(name: str) -> Any:
    """Return the function that shows a noun in one way."""
    module, _, attribute = _VIEWS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
