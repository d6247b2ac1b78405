"""`betaplus denoise`: an image to its mean without noise."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    Bf16,
    Config,
    DecayCorrectedTo,
    Dicom,
    Dose,
    Engine,
    MaxMemory,
    NetworkDevice,
    Out,
    Overwrite,
    Quiet,
    Radionuclide,
    Report,
    Resume,
    Seed,
    Settings,
    UnitOrSuv,
    Weight,
    Workers,
)
from betaplus.cli.telling import command_line, tell_run

__all__ = ["denoise"]


def denoise(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Image: NIfTI, zarr, DICOM, ECAT 7.")
    ],
    out: Out,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="mmse, consistency, ddim, ddpm, gaussian or nlm.")
    ] = "mmse",
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Draws of consistency, ddim and ddpm; over 1 their SD is written too.",
            show_default="1",
        ),
    ] = None,
    dose_fraction: Annotated[
        float | None,
        typer.Option(
            metavar="F",
            help="Counts as a fraction of those of a usual scan.",
            show_default="from the noise",
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Weights.", show_default="those shipped")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Voxels to denoise; outside the output is 0.", show_default="all"
        ),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Regions, on the grid of the image: their means, with intervals, go to a table.",
        ),
    ] = None,
    settings: Settings = None,
    config: Config = None,
    unit: UnitOrSuv = None,
    radionuclide: Radionuclide = None,
    decay_corrected_to: DecayCorrectedTo = None,
    dose: Dose = None,
    weight: Weight = None,
    unit_out: Annotated[
        str, typer.Option(metavar="input|SUV", help="Unit of the output; SUV is SUVbw.")
    ] = "input",
    bf16: Bf16 = False,
    seed: Seed = 0,
    engine: Engine = "threads",
    workers: Workers = None,
    max_memory: MaxMemory = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: NetworkDevice = "auto",
    dicom: Dicom = False,
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Denoise an image of any shape; SUV is kept, and what is doubtful is said."""
    from betaplus.pipeline.denoise import DenoiseRequest, run_denoise
    from betaplus.report.denoise import denoise_report

    request = DenoiseRequest(
        source=source,
        out=out,
        method=method,
        samples=samples,
        dose_fraction=dose_fraction,
        bundle=bundle,
        unit=unit,
        radionuclide=radionuclide,
        decay_corrected_to=decay_corrected_to,
        dose=dose,
        weight=weight,
        unit_out=unit_out,
        mask=mask,
        regions=regions,
        settings=tuple(settings or ()),
        config=config,
        bf16=bf16,
        seed=seed,
        engine=engine,
        workers=workers,
        max_memory=max_memory,
        resume=resume,
        overwrite=overwrite,
        device=device,
        dicom=dicom,
        command=command_line(context),
    )
    result = run_denoise(request, console(quiet), denoise_report if report else None)
    first = os.environ.get("RANK", "0") == "0"  # of the processes that torchrun started
    tell_run(result, out, quiet or not first)
