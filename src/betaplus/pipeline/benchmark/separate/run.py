"""The benchmark of `separate`: parts that can be run by themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.parts import check_parts, run_parts

__all__ = ["PARTS", "benchmark_separate"]

_HERE = "betaplus.pipeline.benchmark.separate"

PARTS = {
    "images": f"{_HERE}.images:benchmark_images",
    "shifts": f"{_HERE}.shifts:benchmark_shifts",
    "crosstalk": f"{_HERE}.crosstalk:benchmark_crosstalk",
    "mixing": f"{_HERE}.mixing:benchmark_mixing",
    "coverage": f"{_HERE}.coverage.run:benchmark_coverage",
    "spread": f"{_HERE}.spread:benchmark_spread",
    "real": f"{_HERE}.real.run:benchmark_real",
    "speed": f"{_HERE}.speed:benchmark_speed",
}
"""Part to the function that measures it, imported on use: ``function(out, networks, *, quick,
progress)`` writes ``benchmark_separate_PART.json`` and ``.md`` and returns what is in the first."""


def benchmark_separate(
    out: str | Path,
    *,
    parts: Sequence[str] = ("images",),
    bundles: Sequence[str | Path] = (),
    unconditional: str | Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure the methods of separation; return part to what it found.

    Args:
        out: Folder.
        parts: Of `PARTS`, in any order.
        bundles: Networks to judge, one for a method; those that ship, where there is none.
        unconditional: A network of `inn` that was trained on one protocol only.
        quick: Too little to judge by: under two minutes a part.
        progress: What to report to.

    Raises:
        InputError: If a bundle cannot be used.
        UsageError: If a part is unknown, a bundle is not there, or a method has two.
    """
    check_parts(parts, PARTS)
    from betaplus.pipeline.benchmark.separate.networks import Networks

    networks = Networks.load(
        [Path(bundle) for bundle in bundles], None if unconditional is None else Path(unconditional)
    )
    out, progress = Path(out), progress or Silent()

    def measure(part: str, function: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        return function(out, networks, quick=quick, progress=progress)

    return run_parts(out, parts, PARTS, measure, progress)
