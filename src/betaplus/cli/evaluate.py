"""`betaplus evaluate`: images against a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Report
from betaplus.cli.telling import command_line, tell

__all__ = ["evaluate"]


def evaluate(
    context: typer.Context,
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="What the images should be, NIfTI.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Images on the same grid.")
    ],
    out: Out,
    mask: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Voxels to count.",
            show_default="those where the reference is above 0",
        ),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(metavar="LABELS", help="Label image, for a table with a row per region."),
    ] = None,
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL",
            help="Label of the background, number or name, for contrast recovery; several give"
            " background variability.",
        ),
    ] = None,
    std: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Standard deviation image, once for each image, in their order: coverage,"
            " z-scores, sparsification.",
        ),
    ] = None,
    realisations: Annotated[
        bool,
        typer.Option(
            "--realisations", help="The images are realisations of one measurement: bias and SD."
        ),
    ] = False,
    overwrite: Overwrite = False,
    report: Report = True,
    quiet: Quiet = False,
) -> None:
    """Compare images with a reference: NRMSE, PSNR, SSIM, bias, regions, uncertainty."""
    from betaplus.pipeline.evaluate import EvaluateRequest, run_evaluate
    from betaplus.report.evaluate import evaluate_report

    request = EvaluateRequest(
        reference=reference,
        images=tuple(images),
        out=out,
        mask=mask,
        regions=regions,
        background=tuple(background or ()),
        std=tuple(std or ()),
        realisations=realisations,
        overwrite=overwrite,
        command=command_line(context),
    )
    result = run_evaluate(request, console(quiet), evaluate_report if report else None)
    tell(result.summary, quiet)
