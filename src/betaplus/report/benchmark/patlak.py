"""The report of `betaplus benchmark patlak`: tables and figures of the parts in a folder."""

from __future__ import annotations

from betaplus.report.benchmark.part_report import PartReport
from betaplus.report.benchmark.patlak_figures import dose_figure, slices_figure

__all__ = ["patlak_report"]

patlak_report = PartReport(
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
).write
"""Write ``benchmark_patlak_report.html`` of the parts that a folder holds, and its figures."""
