"""The report of `betaplus benchmark kinetics`: its tables and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from betaplus import __version__
from betaplus.pipeline.benchmark.kinetics.cases import QUANTITIES
from betaplus.pipeline.benchmark.kinetics.run import PARTS
from betaplus.pipeline.benchmark.result_files import result_file
from betaplus.report.benchmark.figure_files import write_picture
from betaplus.report.benchmark.markdown import markdown_blocks
from betaplus.report.figures.calibration import coverage_panel, rank_panel, tarp_panel
from betaplus.report.figures.methods import accuracy_panel, voxel_panel
from betaplus.report.figures.tracers import agreement_panel, pairs_panel
from betaplus.report.figures.trust import misfit_panel, reliability_panel
from betaplus.report.page import Page

__all__ = ["benchmark_report"]

_WAYS = {"evidence": "evidence", "aic": "AIC weights"}
_PAIRS = (("1", "2"), ("test", "retest"), ("baseline", "blocked"))


def benchmark_report(path: str | Path, result: Mapping[str, Any]) -> Path:
    """Write the report of a result of `betaplus.pipeline.benchmark.kinetics.run`.

    Args:
        path: The HTML file to write.
        result: What the benchmark returned.

    Returns:
        The path written.

    Raises:
        OutputError: If the file cannot be written.
    """
    quick = ["A quick run: too few curves to judge by."] if result["quick"] else []
    page = Page(
        "Benchmark of kinetics",
        f"Input function: {result['input']}. Simulation unless a section says real.",
        header={
            "Method": result["method"],
            "Cores": result["machine"]["cores"],
            "Date": datetime.now().strftime("%Y-%m-%d %H:%M"),
            "Version": __version__,
        },
        warnings=quick,
    )
    for name, found in result["parts"].items():
        part = PARTS[name]
        text = part.found(part.table or f"{part.run}_table")(found)
        if name == "methods":
            _write_voxels(Path(path).parent, found)
        page.add_section(part.title, [*_figures(name, found), *markdown_blocks(text)])
    return page.write(path)


def _figures(name: str, found: Mapping[str, Any]) -> Iterator[object]:
    if name == "calibration":
        curve, ecdf, tarp = found["curve"], found["ecdf"], found["tarp"]
        yield coverage_panel(curve["nominal"], curve["coverage"], found["curves"])
        yield rank_panel(ecdf["points"], ecdf["lower"], ecdf["upper"], ecdf["deviation"])
        if tarp:
            keys = ("levels", "coverage", "standard_error", "area", "area_error")
            yield tarp_panel(*(tarp["posterior"][key] for key in keys))
    if name == "methods":
        yield accuracy_panel(
            [row for row in found["rows"] if "skipped" not in row],
            QUANTITIES,
            caption="Medians over curves, simulation",
        )
        for voxel in found["real"]:
            yield voxel_panel(voxel["quantities"], caption=f"{voxel['source']}, real")
    if name == "trust":
        reliability = {way: part["groups"] for way, part in found["reliability"].items()}
        yield reliability_panel(reliability, found["brier"], _WAYS)
        misfit = found["misfit"]
        yield misfit_panel(
            misfit["late_sd"], misfit["residuals"], caption="Misfits by their residuals"
        )
        yield misfit_panel(
            misfit["late_sd"], misfit["frames"], caption="Frames shifted by one, by the evidence"
        )
    if name == "tracers":
        for tracer, part in found.items():
            yield agreement_panel(part["rows"], tracer)
            for pair in _PAIRS:
                panel = pairs_panel(part["rows"], pair, tracer)
                if panel is not None:
                    yield panel


def _write_voxels(folder: Path, found: Mapping[str, Any]) -> None:
    """Write the figures of real voxels as files, too."""
    for voxel in found["real"]:
        made = voxel_panel(voxel["quantities"], kind="png", title=voxel["source"])
        name = f"kinetics_{voxel['source'].replace(' ', '-')}"
        write_picture(result_file(folder, name, "png"), made)
