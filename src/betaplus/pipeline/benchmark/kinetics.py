"""`betaplus benchmark kinetics`: speed, agreement with MCMC and coverage of method `exact`."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from betaplus.core.progress import Progress, Silent
from betaplus.engine import default_workers

__all__ = ["benchmark_kinetics", "benchmark_table"]

_NAME = "benchmark_kinetics"
_PACKAGES = ("betaplus", "numpy", "scipy", "numba", "torch")


def benchmark_kinetics(
    out: str | Path | None = None, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Run the three benchmarks of method `exact` and write what they found.

    Args:
        out: Folder for ``benchmark_kinetics.json`` and ``benchmark_kinetics.md``; None writes
            nothing.
        quick: A few curves of each, in about two minutes; full runs take about twenty minutes
            on 2 cores.
        progress: What to report to.

    Returns:
        ``input`` (where the input function came from), ``machine``, ``speed``, ``agreement``,
        ``coverage``, each as its own function returns it.

    Raises:
        OutputError: If `out` cannot be written.
    """
    from betaplus.pipeline.benchmark.agreement import agreement
    from betaplus.pipeline.benchmark.cases import find_scan
    from betaplus.pipeline.benchmark.coverage import coverage
    from betaplus.pipeline.benchmark.speed import speed

    progress = progress or Silent()
    scan = find_scan()
    result: dict[str, Any] = {
        "input": scan.source,
        "quick": quick,
        "machine": {
            "cores": default_workers(),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
        },
    }
    few = {"voxels": 512, "baseline_voxels": 16, "repeats": 1} if quick else {}
    result["speed"] = speed(scan, progress=progress, **few)  # first: it times compilation too
    result["agreement"] = agreement(scan, per_level=2 if quick else 16, progress=progress)
    result["coverage"] = coverage(scan, curves=960 if quick else 10_000, progress=progress)
    if out is not None:
        _write(Path(out), result)
    return result


def benchmark_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_kinetics` as Markdown."""
    from betaplus.pipeline.benchmark.agreement import agreement_table
    from betaplus.pipeline.benchmark.coverage import coverage_table
    from betaplus.pipeline.benchmark.speed import speed_table

    machine = ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    quick = " Quick run: too few curves to judge by." if result["quick"] else ""
    parts = [
        "# Benchmark of method `exact`",
        f"2TCM, published prior, noise level unknown, input function: {result['input']}."
        f" Machine: {machine}.{quick}",
        "## Speed",
        speed_table(result["speed"]),
        "## Agreement with ensemble MCMC (delay known)",
        "Absolute errors of the posterior mean in reference SDs, and of the SD as a ratio.",
        agreement_table(result["agreement"]),
        "## Coverage of central intervals (delay known)",
        coverage_table(result["coverage"]),
    ]
    return "\n\n".join(parts) + "\n"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _write(folder: Path, result: Mapping[str, Any]) -> None:
    from betaplus.io.atomic import atomic_path

    texts = {"json": json.dumps(result, indent=1) + "\n", "md": benchmark_table(result)}
    for kind, text in texts.items():
        with atomic_path(folder / f"{_NAME}.{kind}") as path:
            path.write_text(text, encoding="utf-8")
