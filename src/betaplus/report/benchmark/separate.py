"""The report of `betaplus benchmark separate`: tables and figures of the parts in a folder."""

from __future__ import annotations

from pathlib import Path

from betaplus.report.benchmark.part_report import PartReport

__all__ = ["separate_report"]

_REPORT = PartReport(
    benchmark="separate",
    title="Benchmark of dual-tracer separation",
    titles={
        "images": "Images of both tracers",
        "shifts": "Shifts",
        "crosstalk": "Cross-talk",
        "mixing": "Mixing residual",
        "coverage": "Coverage",
        "real": "Sums of real curves",
        "speed": "Speed",
    },
)


def separate_report(folder: Path) -> Path:
    """Write ``benchmark_separate_report.html`` of the parts that a folder holds, and its figures.

    Args:
        folder: Where `betaplus.pipeline.benchmark.separate.run.benchmark_separate` wrote.

    Returns:
        The path of the report.

    Raises:
        InputError: If there is no part.
        OutputError: If a file cannot be written.
    """
    return _REPORT.write(folder)
