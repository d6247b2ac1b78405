"""`betaplus simulate bids`: a data set of several participants and sessions."""

from __future__ import annotations

from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Seed
from betaplus.cli.telling import tell

__all__ = ["bids"]


def bids(
    out: Out,
    participants: Annotated[int, typer.Option(metavar="N", help="Participants.")] = 3,
    sessions: Annotated[int, typer.Option(metavar="N", help="Scans of each.")] = 2,
    anatomy: Annotated[
        str, typer.Option(metavar="brain|body", help="Heads, or trunks with FDG.")
    ] = "brain",
    tracer: Annotated[str, typer.Option(help="FDG or PBR28.")] = "FDG",
    dose_fraction: Annotated[
        float, typer.Option(help="Fraction of the counts that is kept.")
    ] = 1.0,
    size: Annotated[str, typer.Option(help="small or full.")] = "small",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a PET-BIDS data set: dynamic scans, blood, labels, curves and truth."""
    from betaplus.simulation.bids_study import simulate_bids

    folder = simulate_bids(
        out,
        participants=participants,
        sessions=sessions,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction,
        size=size,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell([folder], quiet)
