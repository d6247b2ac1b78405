"""betaplus: PET measurements into quantities with honest uncertainty."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_LAZY = {
    "load": "betaplus.io.open:load",
    "load_blood": "betaplus.io.blood:load_blood",
    "load_tacs": "betaplus.io.tacs:load_tacs",
    "kinetics": "betaplus.kinetics",
    "denoising": "betaplus.denoising",
    "patlak": "betaplus.patlak",
    "separation": "betaplus.separation",
    "simulation": "betaplus.simulation",
    "core": "betaplus.core",
}

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    """Import verbs on first use, so that `import betaplus` stays light."""
    if name not in _LAZY:
        raise AttributeError(f"module 'betaplus' has no attribute {name!r}")
    module, _, attribute = _LAZY[name].partition(":")
    value = importlib.import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value
