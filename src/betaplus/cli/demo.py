"""`betaplus demo`: the whole toolkit on a phantom made on the spot."""

from __future__ import annotations

from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.kinetics import write_report
from betaplus.cli.options import Out, Overwrite, Quiet, Seed
from betaplus.cli.telling import command_line, tell

__all__ = ["demo"]


def demo(
    context: typer.Context,
    out: Out,
    quick: Annotated[bool, typer.Option("--quick", help="A few slices only.")] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a scan, find the posteriors of its kinetics, and compare them with the truth."""
    from betaplus.pipeline.demo import run_demo
    from betaplus.report.bids import group_report
    from betaplus.report.demo import write_demo
    from betaplus.report.patlak import patlak_report
    from betaplus.report.reconstruct import reconstruct_report

    result = run_demo(
        out,
        quick=quick,
        seed=seed,
        overwrite=overwrite,
        command=command_line(context),
        progress=console(quiet),
        kinetics_report=write_report,
        reconstruct_report=reconstruct_report,
        patlak_report=patlak_report,
        group_report=group_report,
    )
    write_demo(out, result)
    tell(result.summary, quiet)
