"""The benchmark of `denoise`: parts that can be run by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.parts import check_parts, run_parts

__all__ = ["PARTS", "benchmark_denoise"]

_HERE = "betaplus.pipeline.benchmark.denoise"

PARTS = {
    "images": f"{_HERE}.images:benchmark_images",
    "scanners": f"{_HERE}.scanners:benchmark_scanners",
    "recovery": f"{_HERE}.recovery.run:benchmark_recovery",
    "nema": f"{_HERE}.nema:benchmark_nema",
    "observer": f"{_HERE}.observer.run:benchmark_observer",
    "calls": f"{_HERE}.calls.run:benchmark_calls",
    "baselines": f"{_HERE}.learned_baselines.run:benchmark_baselines",
    "coverage": f"{_HERE}.coverage.run:benchmark_coverage",
    "guard": f"{_HERE}.guard.run:benchmark_guard",
    "speed": f"{_HERE}.speed.run:benchmark_speed",
    "real": f"{_HERE}.real.run:benchmark_real",
}
"""Part to the function that measures it, imported on use: ``function(out, *, bundle, quick,
progress)`` writes ``benchmark_denoise_PART.json`` and ``.md`` and returns what is in the first."""

_SIZES = {"images": ("people",), "observer": ("draws",), "baselines": ("people", "minutes")}


def benchmark_denoise(
    out: str | Path,
    *,
    parts: Sequence[str] = ("images",),
    people: int | None = None,
    minutes: float | None = None,
    draws: int | None = None,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure the denoisers; return part to what it found.

    Args:
        out: Folder.
        parts: Of `PARTS`, in any order.
        people: Bodies in each group of ``images``, 3 if None, and of ``baselines``, 2 if None.
        minutes: Of training of each of the ``baselines``; 30 if None.
        draws: Of the noise of ``observer``, with a lesion and without; 120 if None.
        bundle: Of the network; the one that is shipped if None.
        quick: Too little to judge by: under a minute a part.
        progress: What to report to.

    Raises:
        UsageError: If a part is unknown.
    """
    check_parts(parts, PARTS)
    out, progress = Path(out), progress or Silent()
    given = {"people": people, "minutes": minutes, "draws": draws}

    def measure(part: str, function: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        sizes = {k: given[k] for k in _SIZES.get(part, ()) if given[k] is not None}
        return function(out, bundle=bundle, quick=quick, progress=progress, **sizes)

    return run_parts(out, parts, PARTS, measure, progress)
