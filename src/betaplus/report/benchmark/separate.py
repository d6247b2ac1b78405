"""The report of `betaplus benchmark separate`: tables and figures of the parts in a folder."""

from __future__ import annotations

from betaplus.report.benchmark.part_report import PartReport

__all__ = ["separate_report"]

separate_report = PartReport(
    benchmark="separate",
    title="Benchmark of dual-tracer separation",
    titles={
        "images": "Images of both tracers",
        "shifts": "Shifts",
        "crosstalk": "Cross-talk",
        "mixing": "Mixing residual",
        "coverage": "Coverage",
        "spread": "SD of voxels",
        "real": "Sums of real curves",
        "speed": "Speed",
    },
).write
"""Write ``benchmark_separate_report.html`` of the parts that a folder holds, and its figures."""
