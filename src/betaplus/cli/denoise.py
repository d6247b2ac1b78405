"""`betaplus denoise`: an image to its mean without noise."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    DecayCorrectedTo,
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
    from betaplus.pipeline.denoise import DenoiseRun

__all__ = ["denoise", "write_report"]


def denoise(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="Image: NIfTI, zarr or a DICOM folder.")
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
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file with settings of the method.")
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
    unit_out: Annotated[
        str, typer.Option(metavar="input|SUV", help="Unit of the output; SUV is SUVbw.")
    ] = "input",
    bf16: Annotated[
        bool,
        typer.Option(
            "--bf16/--fp32",
            help="Precision of the network: bf16 is faster where the machine has it.",
        ),
    ] = False,
    seed: Seed = 0,
    engine: Annotated[str, typer.Option(metavar="NAME", help="threads or inline.")] = "threads",
    workers: Workers = None,
    max_memory: MaxMemory = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    device: Annotated[
        str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")
    ] = "auto",
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Denoise an image of any shape; SUV is kept, and what is doubtful is said."""
    from betaplus.pipeline.denoise import DenoiseRequest, run_denoise

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
        command=shlex.join(["betaplus", *(context.obj or ())]),
    )
    result = run_denoise(request, console(quiet), write_report if report else None)
    if quiet or os.environ.get("RANK", "0") != "0":
        return
    if result is None:
        typer.echo(f"{out}: finished already, nothing to do")
        return
    for line in result.summary:
        typer.echo(line)


def write_report(path: Path, result: DenoiseRun) -> None:
    """Write the HTML report of a result."""
    from betaplus.report.denoise import denoise_report

    denoise_report(path, result)
