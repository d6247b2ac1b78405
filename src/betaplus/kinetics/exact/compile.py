"""How the kernels of this folder are compiled, and where the machine code is kept."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["kernel"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}  # vector sums; NaN and infinity keep their meaning
_HERE = Path(__file__).parent


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without the GIL, and cache by the content of the whole folder.

    Numba's own cache looks at the file of a function only, so that a kernel would keep the old code
    of what it calls in other files.
    """
    folder = _cache_folder()
    before = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = folder
        return numba.njit(nogil=True, fastmath=_FAST, cache=bool(folder))(function)
    finally:
        numba.config.CACHE_DIR = before


@functools.cache
def _cache_folder() -> str:
    """Folder for these sources, this numba and this machine; empty where none can be written."""
    digest = hashlib.sha256(f"{numba.__version__} {platform.node()} {platform.machine()}".encode())
    for path in sorted(_HERE.glob("*.py")):
        digest.update(path.read_bytes())
    name = f"betaplus-{digest.hexdigest()[:16]}"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in (_HERE / "__pycache__", home / "betaplus"):
        folder = parent / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return str(folder)
    return ""
