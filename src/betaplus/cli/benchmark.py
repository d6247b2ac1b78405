"""`betaplus benchmark`: measured accuracy, calibration and speed."""

from __future__ import annotations

from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Quiet

__all__ = ["app"]

app = typer.Typer(help="Measure accuracy, calibration and speed.")


@app.callback()
def _benchmark() -> None:
    pass


@app.command()
def kinetics(
    out: Out,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer curves.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure the kinetic methods against references."""
    from betaplus.pipeline.benchmark.kinetics import benchmark_kinetics

    benchmark_kinetics(out, quick=quick, progress=console(quiet))
