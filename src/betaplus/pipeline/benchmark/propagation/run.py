"""The benchmark of whole chains: parts that can be run by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.parts import check_parts, run_parts

__all__ = ["PARTS", "benchmark_propagation"]

_HERE = "betaplus.pipeline.benchmark.propagation"

PARTS = {
    "gaussian": f"{_HERE}.linear:benchmark_gaussian",
    "heads": f"{_HERE}.heads_run:benchmark_heads",
}
"""Part to the function that measures it, imported on use: ``function(out, *, quick, progress)``
writes ``benchmark_propagation_PART.json`` and ``.md`` and returns what is in the first."""


def benchmark_propagation(
    out: str | Path,
    *,
    parts: Sequence[str] = tuple(PARTS),
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure what becomes of uncertainty from raw data to Ki; return part to what it found.

    Args:
        out: Folder.
        parts: Of `PARTS`, in any order.
        quick: Too little to judge by: seconds a part.
        progress: What to report to.

    Raises:
        UsageError: If a part is unknown.
    """
    check_parts(parts, PARTS)
    out, progress = Path(out), progress or Silent()

    def measure(_: str, function: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        return function(out, quick=quick, progress=progress)

    return run_parts(out, parts, PARTS, measure, progress)
