"""`betaplus demo`: the whole toolkit on a phantom made on the spot."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.kinetics import write_report
from betaplus.cli.options import Out, Overwrite, Quiet, Seed
from betaplus.cli.reconstruct import write_report as write_reconstruct_report

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
    from betaplus.report.demo import write_demo

    result = run_demo(
        out,
        quick=quick,
        seed=seed,
        overwrite=overwrite,
        command=shlex.join(["betaplus", *(context.obj or ())]),
        progress=console(quiet),
        kinetics_report=write_report,
        reconstruct_report=write_reconstruct_report,
    )
    write_demo(out, result)
    if not quiet:
        for line in result.summary:
            typer.echo(line)
