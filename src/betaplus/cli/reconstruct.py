"""`betaplus reconstruct`: raw data to images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    Bf16,
    Config,
    Device,
    Dose,
    Engine,
    Out,
    Overwrite,
    Quiet,
    Report,
    Resume,
    Seed,
    Settings,
    Weight,
    Workers,
)
from betaplus.cli.telling import command_line, tell_run

__all__ = ["reconstruct"]


def reconstruct(
    context: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="Raw data: _raw.zarr, Interfile .hs, list mode .l."),
    ],
    out: Out,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="osem, map-em, bsrem, svrg, dds, dds-published, lisch, conditional, gibbs or dps.",
            show_default="dds where a prior is valid, else osem",
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(metavar="N", help="Passes through the data.", show_default="by method"),
    ] = None,
    subsets: Annotated[
        int | None, typer.Option(metavar="N", help="Subsets.", show_default="by method")
    ] = None,
    beta: Annotated[
        float | None,
        typer.Option(metavar="B", help="Strength of the prior.", show_default="by method"),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(metavar="N", help="Network calls of a draw.", show_default="by method"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Draws; the image is their mean, and over 1 their SD is written too.",
            show_default="by method",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Prior of dds and the like.", show_default="one shipped"),
    ] = None,
    bf16: Bf16 = False,
    dose: Dose = None,
    weight: Weight = None,
    mu: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Attenuation coefficients [1/cm], NIfTI or Interfile."),
    ] = None,
    norm: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Siemens normalisation file.")
    ] = None,
    scanner: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scanner of a list file without a header.")
    ] = None,
    voxel: Annotated[
        float | None,
        typer.Option(metavar="MM", help="Voxel edge across.", show_default="a radial bin"),
    ] = None,
    matrix: Annotated[
        int | None,
        typer.Option(metavar="N", help="Voxels across.", show_default="all the field of view"),
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Image whose grid to use.")
    ] = None,
    psf: Annotated[
        float | None,
        typer.Option(
            metavar="MM",
            help="Resolution of the model, full width at half maximum; 0 for none.",
            show_default="the scanner's",
        ),
    ] = None,
    mask: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where there may be activity.")
    ] = None,
    list_mode: Annotated[
        bool,
        typer.Option("--list-mode", help="Reconstruct a list file event by event."),
    ] = False,
    settings: Settings = None,
    config: Config = None,
    seed: Seed = 0,
    engine: Engine = "threads",
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Reconstruct images from raw counts, frame by frame."""
    from betaplus.pipeline.reconstruct import ReconstructRequest, run_reconstruct
    from betaplus.report.reconstruct import reconstruct_report

    request = ReconstructRequest(
        source=source,
        out=out,
        method=method,
        iterations=iterations,
        subsets=subsets,
        beta=beta,
        steps=steps,
        samples=samples,
        bundle=bundle,
        bf16=bf16,
        dose=dose,
        weight=weight,
        mu=mu,
        norm=norm,
        scanner=scanner,
        voxel=voxel,
        matrix=matrix,
        like=like,
        psf=psf,
        mask=mask,
        list_mode=list_mode,
        settings=tuple(settings or ()),
        config=config,
        seed=seed,
        engine=engine,
        workers=workers,
        resume=resume,
        overwrite=overwrite,
        device=device,
        command=command_line(context),
    )
    result = run_reconstruct(request, console(quiet), reconstruct_report if report else None)
    tell_run(result, out, quiet)
