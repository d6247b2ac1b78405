"""The report of `betaplus benchmark patlak`: tables and figures of the parts in a folder."""

from __future__ import annotations

from pathlib import Path

from betaplus.report.benchmark.part_report import PartReport
from betaplus.report.benchmark.patlak_figures import dose_figure, slices_figure

__all__ = ["patlak_report"]

_REPORT = PartReport(
    benchmark="patlak",
    title="Benchmark of Patlak maps",
    titles={
        "images": "Bodies and heads",
        "ablation": "Without the coupling",
        "passes": "Several beds",
        "coverage": "Coverage",
        "memory": "Memory",
        "real": "Real curves",
        "speed": "Speed",
    },
    figures={"images": {"slices": slices_figure, "doses": dose_figure}},
)


def patlak_report(folder: Path) -> Path:
    """Write ``benchmark_patlak_report.html`` of the parts that a folder holds, and its figures.

    Args:
        folder: Where `betaplus.pipeline.benchmark.patlak.run.benchmark_patlak` wrote.

    Returns:
        The path of the report.

    Raises:
        InputError: If there is no part.
        OutputError: If a file cannot be written.
    """
    return _REPORT.write(folder)
