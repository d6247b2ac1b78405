"""The report of `betaplus benchmark denoise`: tables and figures of the parts in a folder."""

from __future__ import annotations

from betaplus.report.benchmark.denoise_calls import calls_figure
from betaplus.report.benchmark.denoise_curves import gain_figure, nema_figure, recovery_figure
from betaplus.report.benchmark.denoise_images import body_figure, sphere_figure
from betaplus.report.benchmark.denoise_real import real_figure
from betaplus.report.benchmark.part_report import PartReport

__all__ = ["denoise_report"]

denoise_report = PartReport(
    benchmark="denoise",
    title="Benchmark of denoising",
    titles={
        "images": "Bodies",
        "scanners": "Scanners, tracers, doses",
        "recovery": "Recovery and noise",
        "nema": "Image quality phantom",
        "observer": "Observer",
        "calls": "Calls of the network",
        "baselines": "Learned baselines",
        "coverage": "Coverage",
        "guard": "Guard",
        "speed": "Speed",
        "real": "Real images",
    },
    figures={
        "images": {"images": body_figure, "gain": gain_figure},
        "recovery": {"curves": recovery_figure},
        "nema": {"spheres": sphere_figure, "curves": nema_figure},
        "calls": {"calls": calls_figure},
        "real": {"real": real_figure},
    },
).write
"""Write ``benchmark_denoise_report.html`` of the parts that a folder holds, and its figures."""
