"""`betaplus patlak`: maps of Ki and V0 from a dynamic image and its blood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    Bf16,
    Blood,
    BloodUnit,
    Config,
    DecayCorrectedTo,
    Device,
    Dicom,
    Dose,
    DynamicImage,
    Engine,
    Mask,
    MaxMemory,
    Out,
    Overwrite,
    Plasma,
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

__all__ = ["patlak"]


def patlak(
    context: typer.Context,
    source: DynamicImage,
    out: Out,
    blood: Blood = None,
    method: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="ls, wls, nnls, gaussian, nlm, tv, kernel, red-diff, hqs or gibbs.",
        ),
    ] = "hqs",
    t_star: Annotated[
        str,
        typer.Option(metavar="SECONDS|auto", help="Start of the linear part; auto chooses it."),
    ] = "auto",
    samples: Annotated[
        int | None,
        typer.Option(metavar="K", help="Draws of gibbs.", show_default="as its settings say"),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Prior of red-diff, hqs and gibbs.", show_default="one shipped"
        ),
    ] = None,
    anatomy: Annotated[
        str,
        typer.Option(
            metavar="auto|body|brain",
            help="Which of the shipped priors; auto goes by the extent of the activity.",
        ),
    ] = "auto",
    mask: Mask = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="LABELS",
            help="Label image whose regions' means go to a table.",
            show_default="*_dseg.nii.gz beside INPUT",
        ),
    ] = None,
    delay: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="By which the tissue lags the blood samples."),
    ] = 0.0,
    relative: Annotated[
        bool,
        typer.Option(
            "--relative", help="Relative Patlak plot, for blood whose beginning is missing."
        ),
    ] = False,
    bed_times: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|once",
            help="When each bed was seen: a TSV of slice_first, slice_last, pass, start, duration;"
            " once for a view that was seen at once.",
            show_default="the sidecar",
        ),
    ] = None,
    plasma: Plasma = "measured",
    blood_unit: BloodUnit = None,
    unit: UnitOrSuv = None,
    radionuclide: Radionuclide = None,
    decay_corrected_to: DecayCorrectedTo = None,
    dose: Dose = None,
    weight: Weight = None,
    level: Annotated[
        float,
        typer.Option(
            metavar="SUV",
            help="Mean SUV of the body in the last frame, where dose or weight is unknown.",
        ),
    ] = 1.0,
    save_draws: Annotated[
        bool, typer.Option("--save-draws", help="Keep the draws of gibbs, as zarr.")
    ] = False,
    settings: Settings = None,
    config: Config = None,
    bf16: Bf16 = False,
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
    """Maps of Ki and V0 of a dynamic image, by least squares, filters or a diffusion prior."""
    from betaplus.pipeline.patlak import PatlakRequest, run_patlak
    from betaplus.report.patlak import patlak_report

    request = PatlakRequest(
        source=source,
        out=out,
        blood=tuple(blood or ()),
        method=method,
        t_star=t_star,
        samples=samples,
        bundle=bundle,
        anatomy=anatomy,
        bf16=bf16,
        mask=mask,
        regions=regions,
        delay=delay,
        relative=relative,
        bed_times=bed_times,
        plasma=plasma,
        blood_unit=blood_unit,
        unit=unit,
        radionuclide=radionuclide,
        decay_corrected_to=decay_corrected_to,
        dose=dose,
        weight=weight,
        level=level,
        save_draws=save_draws,
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
    result = run_patlak(request, console(quiet), patlak_report if report else None)
    tell_run(result, out, quiet)
