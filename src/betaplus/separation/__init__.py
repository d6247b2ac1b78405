"""Two tracers in one dynamic scan: the images of each, and when they can be told apart at all."""

from __future__ import annotations

import importlib
from typing import Any

from betaplus.separation.method import METHODS

_LAZY = {
    "SeparationFit": "betaplus.separation.fitting",
    "separate": "betaplus.separation.fitting",
}

__all__ = ["METHODS", "SeparationFit", "separate"]


def __getattr__(name: str) -> Any:
    """Import what needs torch on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'betaplus.separation' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
