"""`betaplus simulate pairs`: images with few and with all counts."""

from __future__ import annotations

from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Seed
from betaplus.cli.telling import tell

__all__ = ["pairs"]


def pairs(
    out: Out,
    anatomy: Annotated[
        str,
        typer.Option(
            metavar="body|brain|LABELS.nii.gz",
            help="Made here, or a label image with the names of FreeSurfer or TotalSegmentator.",
        ),
    ] = "body",
    tracer: Annotated[
        str, typer.Option(help="FDG, DPA-714, amyloid, PSMA, DOTATATE, FMZ or raclopride.")
    ] = "FDG",
    dose_fraction: Annotated[
        list[float] | None,
        typer.Option(
            metavar="F",
            help="Fraction of the counts of the low-dose image; repeatable.",
            show_default="0.1",
        ),
    ] = None,
    scanner: Annotated[
        str, typer.Option(metavar="NAME", help="Scan style: Quadra or uEXPLORER.")
    ] = "Quadra",
    n: Annotated[int, typer.Option("--n", "-n", min=1, help="Subjects.")] = 1,
    size: Annotated[
        str, typer.Option(help="small (body 6 mm, brain 4 mm) or full (2 mm).")
    ] = "small",
    lesions: Annotated[
        int | None, typer.Option(metavar="N", help="Lesions, 0 to 15.", show_default="drawn")
    ] = None,
    complement: Annotated[
        bool,
        typer.Option(
            "--complement",
            help="Write what the full scan holds beyond the low dose too: a target whose noise is"
            " independent.",
        ),
    ] = False,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate low-count and full-count images of the same scans, to train denoisers with."""
    from betaplus.simulation.pairs import simulate_pairs

    paths = simulate_pairs(
        out,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction or 0.1,
        style=scanner,
        n=n,
        size=size,
        lesions=lesions,
        complement=complement,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell(paths.values(), quiet)
