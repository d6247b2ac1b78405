"""The benchmark of `patlak`: parts that can be run by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.parts import check_parts, run_parts

__all__ = ["PARTS", "benchmark_patlak"]

_HERE = "betaplus.pipeline.benchmark.patlak"

PARTS = {
    "images": f"{_HERE}.images:benchmark_images",
    "ablation": f"{_HERE}.ablation.run:benchmark_ablation",
    "passes": f"{_HERE}.passes:benchmark_passes",
    "coverage": f"{_HERE}.coverage.run:benchmark_coverage",
    "memory": f"{_HERE}.memory.run:benchmark_memory",
    "real": f"{_HERE}.real.run:benchmark_real",
    "speed": f"{_HERE}.speed:benchmark_speed",
}
"""Part to the function that measures it, imported on use: ``function(out, *, quick, progress)``
writes ``benchmark_patlak_PART.json`` and ``.md`` and returns what is in the first."""

_SIZES = {"images": ("realisations",)}


def benchmark_patlak(
    out: str | Path,
    *,
    parts: Sequence[str] = ("images",),
    realisations: int | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure the Patlak methods; return part to what it found.

    Args:
        out: Folder.
        parts: Of `PARTS`, in any order.
        realisations: Noise draws of ``images`` at 1/10, 10 if None; elsewhere at most three.
        quick: Too little to judge by: under two minutes a part.
        progress: What to report to.

    Raises:
        UsageError: If a part is unknown or there is no draw.
    """
    if realisations is not None and realisations < 1:
        raise UsageError(f"{realisations} realisations", "expected 1 or more")
    check_parts(parts, PARTS)
    out, progress = Path(out), progress or Silent()
    given = {"realisations": realisations}

    def measure(part: str, function: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        sizes = {k: given[k] for k in _SIZES.get(part, ()) if given[k] is not None}
        return function(out, quick=quick, progress=progress, **sizes)

    return run_parts(out, parts, PARTS, measure, progress)
