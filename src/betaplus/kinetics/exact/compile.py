"""How the kernels of this folder are compiled, and where the machine code is kept."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["compile_kernels", "compiled", "kernel"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}  # vector sums; NaN and infinity keep their meaning
_HERE = Path(__file__).parent
_DONE = "complete"


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


def compiled() -> bool:
    """Return whether the kernels are in the cache, or cannot be."""
    folder = _cache_folder()
    return not folder or (Path(folder) / _DONE).exists()


def compile_kernels() -> None:
    """Compile the kernels in a process of their own, unless they are in the cache.

    Fresh machine code and code from the cache are linked differently and may differ in the last
    bit of a sum. With this every process, the first one included, runs the code of the cache.
    """
    if compiled() or os.environ.get("BETAPLUS_COMPILING"):
        return
    folder = Path(_cache_folder())
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if compiled():
            return
        paths = [str(_HERE.parents[2]), os.environ.get("PYTHONPATH", "")]
        subprocess.run(
            [sys.executable, "-m", "betaplus.kinetics.exact.first_use"],
            env=os.environ
            | {"BETAPLUS_COMPILING": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            check=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        (folder / _DONE).touch()


@functools.cache
def _cache_folder() -> str:
    """Folder for these sources where they lie, this numba and this machine; empty if there is none.

    Numba finds code again by the path of its source, so that a copy of the package has to compile
    anew, whatever was copied along with it.
    """
    about = (numba.__version__, platform.node(), platform.machine(), str(_HERE))
    digest = hashlib.sha256(" ".join(about).encode())
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
