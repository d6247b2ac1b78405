"""Patlak maps: Ki and V0 of every voxel of a dynamic scan, by classical estimators and priors."""

from __future__ import annotations

import importlib
from typing import Any

from betaplus.patlak.method import METHODS

_LAZY = {
    "fit": "betaplus.patlak.fitting",
    "PatlakFit": "betaplus.patlak.fitting",
    "fit_draws": "betaplus.patlak.over_draws",
    "DrawnMaps": "betaplus.patlak.over_draws",
}

__all__ = ["METHODS", "DrawnMaps", "PatlakFit", "fit", "fit_draws"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'betaplus.patlak' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
