"""`betaplus benchmark`: measured accuracy, calibration, speed and memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Quiet

__all__ = ["app"]

app = typer.Typer(help="Measure accuracy, calibration, speed and memory.")


@app.command()
def kinetics(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="speed, agreement, coverage, calibration, tracers, methods, trust, nuts, scale or"
            " engines; repeatable.  [default: all but the last five, which take long]",
        ),
    ] = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="Method to judge where one is compared.")
    ] = "exact",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer curves.")] = False,
    quiet: Quiet = False,
) -> None:
    """Measure the kinetic methods against references."""
    from betaplus.pipeline.benchmark.kinetics.run import benchmark_kinetics
    from betaplus.report.benchmark.kinetics import benchmark_report

    result = benchmark_kinetics(
        out, quick=quick, progress=console(quiet), parts=tuple(part or ()), method=method
    )
    path = benchmark_report(Path(out) / "benchmark_kinetics_report.html", result)
    if not quiet:
        typer.echo(f"report: {path}")


@app.command()
def engines(
    out: Out,
    verb: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="kinetics, patlak, separate, denoise or reconstruct; repeatable.  [default: all]",
        ),
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Besides inline; repeatable.  [default: processes and, where it is there, dask]",
        ),
    ] = None,
    workers: Annotated[
        list[int] | None,
        typer.Option(metavar="N", help="Of one thread each; repeatable.  [default: 2]"),
    ] = None,
    repeats: Annotated[int, typer.Option(metavar="N", help="Of every run.")] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small studies: start-up is timed.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Time whole commands of every verb with one thread, and with several workers."""
    from betaplus.pipeline.benchmark.engines.run import benchmark_engines
    from betaplus.pipeline.benchmark.engines.table import engines_table

    result = benchmark_engines(
        out, verbs=verb or (), engines=engine or ("processes", "dask"), workers=workers or (2,),
        repeats=repeats, quick=quick, progress=console(quiet),
    )  # fmt: skip
    if not quiet:
        typer.echo(engines_table(result))


@app.command()
def projector(
    out: Out,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer views.")] = False,
    quiet: Quiet = False,
) -> None:
    """Time the projector on a full mMR, beside a kernel for single lines."""
    from betaplus.pipeline.benchmark.reconstruct.projector import (
        benchmark_projector,
        projector_table,
    )

    result = benchmark_projector(out, quick, console(quiet))
    if not quiet:
        typer.echo(projector_table(result))


@app.command()
def reconstruct(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="methods, coverage or heads; repeatable.  [default: methods]"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer heads and settings.")] = False,
    short: Annotated[
        bool,
        typer.Option(
            "--short", help="methods at 1 % of the counts, one draw of them, without the mMR."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Compare the reconstructions on simulated heads, each tuned.

    Every figure is kept as it is made: a run that was stopped goes on where it was, and several
    processes that are given the same folder share the work.
    """
    from betaplus.pipeline.benchmark.reconstruct.parts import benchmark_parts
    from betaplus.report.benchmark.reconstruct import reconstruct_figures

    found = benchmark_parts(
        out, tuple(part or ("methods",)), quick=quick, short=short, progress=console(quiet)
    )
    paths = reconstruct_figures(Path(out), found["methods"][0]) if "methods" in found else []
    if not quiet:
        for _, table in found.values():
            typer.echo(table)
        for path in paths:
            typer.echo(f"figure: {path}")


@app.command()
def prior(
    out: Out,
    name: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="brain2d, body3d, patlak3d; repeatable.  [default: the first two]"
        ),
    ] = None,
    larger: Annotated[
        list[Path] | None,
        typer.Option(metavar="BUNDLE", help="A larger network of the same name to compare with."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer people and samples.")] = False,
    quiet: Quiet = False,
) -> None:
    """Judge the diffusion priors on images that they never saw."""
    from betaplus.pipeline.benchmark.prior.run import benchmark_prior, prior_table
    from betaplus.report.benchmark.prior import prior_figures

    result = benchmark_prior(
        out, names=name or (), larger=larger or (), quick=quick, progress=console(quiet)
    )
    paths = prior_figures(Path(out), result)
    if not quiet:
        typer.echo(prior_table(result))
        for path in paths:
            typer.echo(f"figure: {path}")


@app.command()
def surrogate(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="reference or real; repeatable.  [default: both]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One body, fewer doses.")] = False,
    quiet: Quiet = False,
) -> None:
    """Judge the simulated noise of images beside projector and OSEM, and beside real scans."""
    from betaplus.pipeline.benchmark.surrogate.run import (
        PARTS,
        benchmark_surrogate,
        surrogate_table,
    )
    from betaplus.report.benchmark.surrogate import surrogate_figure

    result = benchmark_surrogate(out, quick, console(quiet), parts=tuple(part or PARTS))
    path = surrogate_figure(Path(out))
    if not quiet:
        typer.echo(surrogate_table(result))
        if path is not None:
            typer.echo(f"figure: {path}")


@app.command()
def phantoms(
    out: Out,
    n: Annotated[
        int, typer.Option("--n", metavar="N", help="Brains, and bodies, that are drawn.")
    ] = 50,
    quick: Annotated[bool, typer.Option("--quick", help="Four of each.")] = False,
    quiet: Quiet = False,
) -> None:
    """Hold simulated brains and bodies against organ volumes, uptake and each other."""
    from betaplus.pipeline.benchmark.phantoms.run import benchmark_phantoms
    from betaplus.pipeline.benchmark.phantoms.table import phantoms_summary
    from betaplus.report.benchmark.phantoms import phantoms_sheets

    result = benchmark_phantoms(out, n=n, quick=quick, progress=console(quiet))
    paths = phantoms_sheets(Path(out), result)
    if not quiet:
        typer.echo(phantoms_summary(result))
        for path in paths:
            typer.echo(f"figure: {path}")


@app.command()
def denoise(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="images, scanners, recovery, nema, observer, calls, baselines, coverage, guard,"
            " speed or real; repeatable.  [default: images]",
        ),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Network to judge.", show_default="the one that ships"),
    ] = None,
    people: Annotated[
        int | None,
        typer.Option(metavar="N", help="Bodies in each group of images (3) and of baselines (2)."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Training of each baseline [min].", show_default="30"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Under a minute a part: too little to judge by.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Judge the denoisers on bodies, scanners, tracers and doses that no training saw."""
    from betaplus.pipeline.benchmark.denoise.run import benchmark_denoise
    from betaplus.report.benchmark.denoise import denoise_report

    benchmark_denoise(
        out, parts=tuple(part or ("images",)), people=people, minutes=minutes, bundle=bundle,
        quick=quick, progress=console(quiet),
    )  # fmt: skip
    path = denoise_report(Path(out))
    if not quiet:
        typer.echo(f"report: {path}")


@app.command()
def patlak(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="images, ablation, passes, coverage, memory, real or speed; repeatable."
            "  [default: images]",
        ),
    ] = None,
    realisations: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Noise draws of images at 1/10 of the dose (10); 3 elsewhere."
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Under two minutes a part: too little to judge by.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Judge the Patlak methods on simulated bodies and heads that no setting was chosen on.

    images, ablation and passes keep every figure as it is made: a run that was stopped goes on
    where it was, and several processes that are given the same folder share the work.
    """
    from betaplus.pipeline.benchmark.patlak.run import benchmark_patlak
    from betaplus.report.benchmark.patlak import patlak_report

    benchmark_patlak(
        out, parts=tuple(part or ("images",)), realisations=realisations, quick=quick,
        progress=console(quiet),
    )  # fmt: skip
    path = patlak_report(Path(out))
    if not quiet:
        typer.echo(f"report: {path}")


@app.command()
def propagation(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="gaussian or heads; repeatable.  [default: both]"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Seconds a part: too little to judge by.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure what becomes of uncertainty from raw data to Ki, where a prior is used once or twice.

    heads keeps every study as it is made: a run that was stopped goes on where it was, and several
    processes that are given the same folder share the work.
    """
    from betaplus.pipeline.benchmark.propagation.run import PARTS, benchmark_propagation
    from betaplus.pipeline.benchmark.propagation.table import part_table

    found = benchmark_propagation(
        out, parts=tuple(part or PARTS), quick=quick, progress=console(quiet)
    )
    if not quiet:
        for name, result in found.items():
            typer.echo(part_table(name, result))


@app.command()
def separate(
    out: Out,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="images, shifts, crosstalk, mixing, coverage, spread, real or speed; repeatable."
            "  [default: images]",
        ),
    ] = None,
    bundle: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Network to judge, one for each learned method; repeatable.",
            show_default="those that ship",
        ),
    ] = None,
    unconditional: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Network of inn that was trained on one protocol, for shifts.",
            show_default="none",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Under two minutes a part: too little to judge by.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Judge the separation of two tracers on simulated heads, and on sums of real curves.

    images, shifts, crosstalk, mixing, coverage and spread keep every figure as it is made: a run
    that was stopped goes on where it was, and several processes that are given the same folder
    share the work.
    """
    from betaplus.pipeline.benchmark.separate.run import benchmark_separate
    from betaplus.report.benchmark.separate import separate_report

    benchmark_separate(
        out, parts=tuple(part or ("images",)), bundles=bundle or (), unconditional=unconditional,
        quick=quick, progress=console(quiet),
    )  # fmt: skip
    path = separate_report(Path(out))
    if not quiet:
        typer.echo(f"report: {path}")
