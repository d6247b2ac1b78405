"""`betaplus separate`: an image of each of two tracers that are in one dynamic scan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    BloodUnit,
    Config,
    DecayCorrectedTo,
    Device,
    Dicom,
    DynamicImage,
    Engine,
    Mask,
    MaxMemory,
    Out,
    Overwrite,
    Plasma,
    Quiet,
    Report,
    Resume,
    Seed,
    Settings,
    Unit,
    Workers,
)
from betaplus.cli.telling import command_line, tell_run

__all__ = ["separate"]


def separate(
    context: typer.Context,
    source: DynamicImage,
    out: Out,
    tracers: Annotated[
        str,
        typer.Option(
            metavar="A,B",
            help="Both tracers, that injected first before the other; NAME:NUCLIDE for one that is"
            " not known.",
        ),
    ] = "",
    delay: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="From the first injection to the second."),
    ] = None,
    blood_a: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Blood of the first tracer, in its own time (TSV or PMOD .bld), once per file.",
            show_default="that of a population",
        ),
    ] = None,
    blood_b: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Blood of the second.", show_default="likewise"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="inn, tissues, linear, compartment, extrapolation, nmf, inn-published, ced or"
            " cnn3d.",
            show_default="inn where its network is for the tracers and the delay, else tissues",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="K", help="Draws, of methods that have any.", show_default="none"),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Network of inn, inn-published, ced and cnn3d.",
            show_default="one shipped",
        ),
    ] = None,
    mask: Mask = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Label image whose regions are checked one by one.",
            show_default="*_dseg.nii.gz beside INPUT",
        ),
    ] = None,
    arrival_a: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="By which the tissue lags the blood samples of the first tracer.",
            show_default="found from the mean curve",
        ),
    ] = None,
    arrival_b: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Likewise of the second.", show_default="likewise"),
    ] = None,
    plasma_a: Plasma = "measured",
    plasma_b: Annotated[
        str, typer.Option(metavar="measured|...", help="Likewise of the second.")
    ] = "measured",
    blood_unit: BloodUnit = None,
    unit: Unit = None,
    radionuclide: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Radionuclide that the image was decay-corrected for, where the sidecar gives"
            " none.",
        ),
    ] = None,
    decay_corrected_to: DecayCorrectedTo = None,
    settings: Settings = None,
    config: Config = None,
    seed: Seed = 0,
    engine: Engine = "threads",
    workers: Workers = None,
    max_memory: MaxMemory = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
    dicom: Dicom = False,
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Images of two tracers that were injected one after the other into one dynamic scan."""
    from betaplus.pipeline.separation import SeparateRequest, run_separate
    from betaplus.report.separation import separation_report

    request = SeparateRequest(
        source=source,
        out=out,
        tracers=tracers,
        delay=delay,
        blood_a=tuple(blood_a or ()),
        blood_b=tuple(blood_b or ()),
        method=method,
        samples=samples,
        bundle=bundle,
        mask=mask,
        regions=regions,
        arrival_a=arrival_a,
        arrival_b=arrival_b,
        plasma_a=plasma_a,
        plasma_b=plasma_b,
        blood_unit=blood_unit,
        unit=unit,
        radionuclide=radionuclide,
        decay_corrected_to=decay_corrected_to,
        settings=tuple(settings or ()),
        config=config,
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
    result = run_separate(request, console(quiet), separation_report if report else None)
    tell_run(result, out, quiet)
