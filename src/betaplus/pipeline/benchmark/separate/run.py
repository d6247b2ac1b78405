"""The benchmark of `separate`: parts that can be run by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent

__all__ = ["PARTS", "benchmark_separate"]

_HERE = "betaplus.pipeline.benchmark.separate"

PARTS = {
    "images": f"{_HERE}.images:benchmark_images",
    "shifts": f"{_HERE}.shifts:benchmark_shifts",
    "crosstalk": f"{_HERE}.crosstalk:benchmark_crosstalk",
    "mixing": f"{_HERE}.mixing:benchmark_mixing",
    "coverage": f"{_HERE}.coverage:benchmark_coverage",
    "real": f"{_HERE}.real:benchmark_real",
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
    for part in parts:
        if part not in PARTS:
            raise UsageError(f"part {part!r} is unknown", f"expected one of {', '.join(PARTS)}")
    from betaplus.pipeline.benchmark.separate.networks import Networks

    networks = Networks.load(
        [Path(bundle) for bundle in bundles], None if unconditional is None else Path(unconditional)
    )
    out, progress = Path(out), progress or Silent()
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for part in dict.fromkeys(parts):
        progress.note(f"part {part}")
        module, _, function = PARTS[part].partition(":")
        measure = getattr(import_module(module), function)
        found[part] = measure(out, networks, quick=quick, progress=progress)
    return found
