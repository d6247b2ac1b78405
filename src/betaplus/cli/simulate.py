"""`betaplus simulate`: measurements with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Seed

__all__ = ["app"]

app = typer.Typer(help="Simulate measurements, with the truth beside them.")

Tracer = Annotated[str, typer.Option(help="FDG or PBR28.")]
Dose = Annotated[float, typer.Option(help="Fraction of the counts that is kept.")]


@app.command()
def dynamic(
    out: Out,
    tracer: Tracer = "FDG",
    dose_fraction: Dose = 1.0,
    size: Annotated[str, typer.Option(help="small, full, large or largest.")] = "small",
    partial_volume: Annotated[float, typer.Option(help="Width of the resolution [mm].")] = 0.0,
    format: Annotated[
        str, typer.Option(metavar="nii.gz|zarr", help="What images are written as.")
    ] = "nii.gz",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a dynamic brain scan: image, blood, labels and parameter maps."""
    from betaplus.simulation import simulate_dynamic

    paths = simulate_dynamic(
        out,
        tracer=tracer,
        dose_fraction=dose_fraction,
        size=size,
        partial_volume=partial_volume,
        format=format,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    _tell(paths, quiet)


@app.command()
def tacs(
    out: Out,
    tracer: Tracer = "FDG",
    n: Annotated[int, typer.Option("--n", "-n", help="Curves to draw.")] = 100,
    dose_fraction: Dose = 1.0,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a table of curves with parameters drawn from the published prior."""
    from betaplus.simulation import simulate_tacs

    paths = simulate_tacs(
        out, tracer=tracer, n=n, dose_fraction=dose_fraction, seed=seed, overwrite=overwrite
    )
    _tell(paths, quiet)


def _tell(paths: dict[str, Path], quiet: bool) -> None:
    if not quiet:
        for path in paths.values():
            typer.echo(path)
