"""The parts of `betaplus benchmark reconstruct`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress
from betaplus.pipeline.benchmark.reconstruct.coverage.run import (
    benchmark_coverage,
    benchmark_heads,
)
from betaplus.pipeline.benchmark.reconstruct.coverage.table import coverage_table, heads_table
from betaplus.pipeline.benchmark.reconstruct.run import benchmark_reconstruct
from betaplus.pipeline.benchmark.reconstruct.table import reconstruct_table

__all__ = ["PARTS", "benchmark_parts"]

PARTS = ("methods", "coverage", "heads")


def benchmark_parts(
    out: str | Path,
    parts: Sequence[str],
    *,
    quick: bool = False,
    short: bool = False,
    progress: Progress | None = None,
) -> dict[str, tuple[dict[str, Any], str]]:
    """Return part to its result and table.

    Args:
        out: Folder.
        parts: Some of `PARTS`.
        quick: Too little to judge by.
        short: `methods` at 1 % of the counts.
        progress: What to report to.

    Raises:
        UsageError: If a part is unknown.
    """
    found: dict[str, tuple[dict[str, Any], str]] = {}
    for part in parts:
        if part not in PARTS:
            raise UsageError(f"part {part!r} is unknown", f"expected one of {', '.join(PARTS)}")
    if "methods" in parts:
        result = benchmark_reconstruct(out, quick, progress, short=short)
        found["methods"] = result, reconstruct_table(result)
    if "coverage" in parts:
        result = benchmark_coverage(out, quick, progress)
        found["coverage"] = result, coverage_table(result)
    if "heads" in parts:
        result = benchmark_heads(out, quick, progress)
        found["heads"] = result, heads_table(result)
    return found
