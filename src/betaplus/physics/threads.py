"""Numba kernels over parts of an array, run by threads.

Kernels release the GIL and own what they write, so that results do not depend on the number of
threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["available_cores", "each", "ranges"]


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def ranges(n: int, parts: int) -> list[tuple[int, int]]:
    """Return up to `parts` even ranges (first, behind last) that make up n items."""
    parts = max(1, min(parts, n))
    return [(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


def each(function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]], threads: int) -> None:
    """Call a function with each tuple of arguments, several at a time; raise what it raises.

    Args:
        function: What to call; it should release the GIL.
        arguments: One tuple for each call.
        threads: Calls at a time.
    """
    calls = list(arguments)
    if threads <= 1 or len(calls) <= 1:
        for call in calls:
            function(*call)
        return
    with ThreadPoolExecutor(max_workers=min(threads, len(calls))) as pool:
        for future in [pool.submit(function, *call) for call in calls]:
            future.result()
