"""`betaplus simulate`: measurements with known truth."""

from __future__ import annotations

from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Seed
from betaplus.cli.simulate_bids import bids
from betaplus.cli.simulate_pairs import pairs
from betaplus.cli.telling import tell

__all__ = ["app"]

app = typer.Typer(help="Simulate measurements, with the truth beside them.")

app.command()(pairs)
app.command()(bids)

Tracer = Annotated[str, typer.Option(help="FDG or PBR28.")]
Dose = Annotated[float, typer.Option(help="Fraction of the counts that is kept.")]


@app.command()
def dynamic(
    out: Out,
    anatomy: Annotated[
        str, typer.Option(metavar="brain|body", help="A head, or a trunk with FDG.")
    ] = "brain",
    tracer: Tracer = "FDG",
    dose_fraction: Dose = 1.0,
    size: Annotated[
        str, typer.Option(help="small, full, large or largest; small (8 mm) or full (4 mm) body.")
    ] = "small",
    partial_volume: Annotated[float, typer.Option(help="Width of the resolution [mm].")] = 0.0,
    format: Annotated[
        str, typer.Option(metavar="nii.gz|zarr", help="What images are written as.")
    ] = "nii.gz",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a dynamic scan of a brain or a body: image, blood, labels and parameter maps."""
    from betaplus.simulation import simulate_dynamic

    paths = simulate_dynamic(
        out,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction,
        size=size,
        partial_volume=partial_volume,
        format=format,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell(paths.values(), quiet)


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
    tell(paths.values(), quiet)


@app.command()
def raw(
    out: Out,
    size: Annotated[str, typer.Option(help="small (teaching scanner) or full (mMR).")] = "small",
    scanner: Annotated[
        str | None, typer.Option(metavar="NAME", help="Scanner, in place of that of the size.")
    ] = None,
    anatomy: Annotated[str, typer.Option(help="brain.")] = "brain",
    tracer: Tracer = "FDG",
    dose_fraction: Annotated[
        float, typer.Option(help="Fraction of the dose: randoms go with its square.")
    ] = 1.0,
    time_fraction: Annotated[float, typer.Option(help="Fraction of the time.")] = 1.0,
    counts: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Prompts at full dose and time.",
            show_default="5e8 on the mMR, 6.3e7 when small",
        ),
    ] = None,
    randoms: Annotated[float, typer.Option(help="Their share of the prompts.")] = 0.4,
    scatter: Annotated[float, typer.Option(help="Its share of trues and scatter.")] = 0.35,
    realisations: Annotated[int, typer.Option(metavar="R", help="Independent draws.")] = 1,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="All frames from injection.")] = False,
    tof: Annotated[
        bool | None,
        typer.Option(
            "--tof/--no-tof", help="Time of flight.", show_default="as the scanner has it"
        ),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate raw data of a brain: prompts, delayeds, scatter estimate, mu map and truth."""
    from betaplus.simulation.raw.simulate import simulate_raw

    paths = simulate_raw(
        out,
        size=size,
        scanner=scanner,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction,
        time_fraction=time_fraction,
        counts=counts,
        randoms=randoms,
        scatter=scatter,
        realisations=realisations,
        dynamic=dynamic,
        tof=tof,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell(paths.values(), quiet)


@app.command()
def static(
    out: Out,
    anatomy: Annotated[
        str,
        typer.Option(
            metavar="brain|body|LABELS.nii.gz",
            help="Made here, or a label image with the names of FreeSurfer or TotalSegmentator.",
        ),
    ] = "brain",
    tracer: Annotated[
        str,
        typer.Option(help="FDG, DPA-714, amyloid, PSMA, DOTATATE, FMZ or raclopride."),
    ] = "FDG",
    dose_fraction: Dose = 1.0,
    size: Annotated[
        str, typer.Option(help="small (brain 4 mm, body 6 mm) or full (2 mm).")
    ] = "small",
    scanner: Annotated[
        str, typer.Option(metavar="NAME", help="Scan style: Quadra or uEXPLORER.")
    ] = "Quadra",
    lesions: Annotated[
        int | None, typer.Option(metavar="N", help="Lesions, 0 to 15.", show_default="drawn")
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Group of people, as amyloid-positive."),
    ] = None,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate a static scan of a brain or a body in SUV: image, labels, mu map and lesions."""
    from betaplus.simulation.static import simulate_static

    paths = simulate_static(
        out,
        anatomy=anatomy,
        tracer=tracer,
        dose_fraction=dose_fraction,
        size=size,
        style=scanner,
        lesions=lesions,
        group=group,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell(paths.values(), quiet)


@app.command()
def dual(
    out: Out,
    tracers: Annotated[
        str, typer.Option(metavar="A,B", help="Injected first, and second: FDG, PBR28.")
    ] = "FDG,PBR28",
    delay: Annotated[
        float, typer.Option(metavar="SECONDS", help="From the first to the second injection.")
    ] = 1800.0,
    dose_fraction: Dose = 1.0,
    size: Annotated[str, typer.Option(help="small, full, large or largest.")] = "small",
    seed: Seed = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate one dynamic brain scan of two tracers, with the truth of each."""
    from betaplus.core.errors import UsageError
    from betaplus.simulation.dual import simulate_dual

    names = [name.strip() for name in tracers.split(",")]
    if len(names) != 2:
        raise UsageError(f"tracers {tracers!r}", "expected two, as FDG,PBR28")
    paths = simulate_dual(
        out,
        tracers=(names[0], names[1]),
        delay=delay,
        dose_fraction=dose_fraction,
        size=size,
        seed=seed,
        overwrite=overwrite,
        progress=console(quiet),
    )
    tell(paths.values(), quiet)
