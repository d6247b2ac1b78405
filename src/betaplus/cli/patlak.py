"""`betaplus patlak`: maps of Ki and V0 from a dynamic image and its blood."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    DecayCorrectedTo,
    Device,
    MaxMemory,
    Out,
    Overwrite,
    Quiet,
    Radionuclide,
    Report,
    Resume,
    Seed,
    Workers,
)

if TYPE_CHECKING:
    from betaplus.pipeline.patlak import PatlakRun

__all__ = ["patlak", "write_report"]


def patlak(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Dynamic image: NIfTI, zarr or a DICOM folder.")
    ],
    out: Out,
    blood: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Blood samples, once per file (TSV or PMOD .bld); idif:MASK for an image-derived"
            " input; population:FILE for a curve in SUV.",
        ),
    ] = None,
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
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Voxels wanted.", show_default="those not zero in all frames"
        ),
    ] = None,
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
    plasma: Annotated[
        str,
        typer.Option(
            metavar="measured|...",
            help="measured; unmetabolised, if total plasma is the parent; whole-blood, if that"
            " stands in for plasma.",
        ),
    ] = "measured",
    blood_unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="Activity unit of the blood, where its JSON gives none."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT", help="Unit, where the sidecar gives none: Bq/mL, kBq/mL, SUV."
        ),
    ] = None,
    radionuclide: Radionuclide = None,
    decay_corrected_to: DecayCorrectedTo = None,
    dose: Annotated[
        float | None,
        typer.Option(metavar="BQ", help="Activity administered, where the sidecar gives none."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(metavar="KG", help="Body weight, where no sidecar or table gives it."),
    ] = None,
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file with settings of the method.")
    ] = None,
    seed: Seed = 0,
    engine: Annotated[str, typer.Option(metavar="NAME", help="threads or inline.")] = "threads",
    workers: Workers = None,
    max_memory: MaxMemory = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: Device = "auto",
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Maps of Ki and V0 of a dynamic image, by least squares, filters or a diffusion prior."""
    from betaplus.pipeline.patlak import PatlakRequest, run_patlak

    request = PatlakRequest(
        source=source,
        out=out,
        blood=tuple(blood or ()),
        method=method,
        t_star=t_star,
        samples=samples,
        bundle=bundle,
        anatomy=anatomy,
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
        command=shlex.join(["betaplus", *(context.obj or ())]),
    )
    result = run_patlak(request, console(quiet), write_report if report else None)
    if quiet:
        return
    if result is None:
        typer.echo(f"{out}: finished already, nothing to do")
        return
    for line in result.summary:
        typer.echo(line)


def write_report(path: Path, result: PatlakRun) -> None:
    """Write the HTML report of a result."""
    from betaplus.report.patlak import patlak_report

    patlak_report(path, result)
