"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from typing import Any

from betaplus.engine import default_workers

__all__ = ["machine_record", "machine_words"]


def machine_words() -> str:
    """Return system, architecture and cores: ``Linux x86_64, 4 cores``."""
    return f"{_system()}, {os.cpu_count()} cores"


def machine_record() -> dict[str, Any]:
    """Return ``cores``, those at hand, and ``system``."""
    return {"cores": default_workers(), "system": _system()}


def _system() -> str:
    return f"{platform.system()} {platform.machine()}"
