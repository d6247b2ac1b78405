"""`betaplus train`: networks from simulated or own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import Out, Overwrite, Quiet, Resume, Seed
from betaplus.cli.telling import command_line, tell

__all__ = ["app"]

app = typer.Typer(help="Train networks; resumable, on one process or several.")

Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML: people, widths, steps, ...")
]
ImageUnit = Annotated[
    str | None, typer.Option(help="Of images whose sidecar does not say.", show_default=False)
]
MaxMinutes = Annotated[
    float | None, typer.Option(metavar="M", help="Minutes for all of it.", show_default=False)
]
Simulators = Annotated[int | None, typer.Option(metavar="N", help="Processes that simulate.")]


@app.command()
def kinetics(
    context: typer.Context,
    out: Out,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML: studies, curves, minutes, ...")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Measured input functions to vary (*_blood.tsv)."),
    ] = None,
    max_minutes: MaxMinutes = None,
    workers: Simulators = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train the networks of consistency, ddpm, score and flow, and write their bundles."""
    from betaplus.pipeline.training.kinetics import train_kinetics

    bundles = train_kinetics(
        out,
        config=config,
        data=data,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        workers=workers,
        command=command_line(context),
        progress=console(quiet),
    )
    tell((f"bundle: {bundle}" for bundle in bundles), quiet)


@app.command()
def kinetics_published(
    context: typer.Context,
    out: Out,
    max_minutes: MaxMinutes = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train the network of consistency-published, and write its bundle."""
    from betaplus.pipeline.training.published import train_published_model

    bundle = train_published_model(
        out,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        command=command_line(context),
        progress=console(quiet),
    )
    tell([f"bundle: {bundle}"], quiet)


@app.command()
def prior(
    context: typer.Context,
    out: Out,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="brain2d, body3d or patlak3d.")
    ] = "brain2d",
    config: Config = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Images to learn from, in place of simulated ones."),
    ] = None,
    unit: ImageUnit = None,
    max_minutes: MaxMinutes = None,
    workers: Simulators = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a diffusion prior of static images, or of pairs of Patlak maps (patlak3d).

    Priors of images learn from simulated people or your own images, that of pairs from simulated
    people.
    """
    from betaplus.pipeline.training.prior.train import train_prior

    bundle = train_prior(
        out,
        name=name,
        config=config,
        data=data,
        unit=unit,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        workers=workers,
        command=command_line(context),
        progress=console(quiet),
    )
    tell([f"bundle: {bundle}"], quiet)


@app.command()
def denoiser(
    context: typer.Context,
    out: Out,
    kind: Annotated[
        str,
        typer.Option(
            metavar="KIND",
            help="mean; draws, for ddim and ddpm; fast, for consistency.",
        ),
    ] = "mean",
    config: Config = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Your own full- and low-dose images, or splits, to fine-tune on."
        ),
    ] = None,
    unit: ImageUnit = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Network to start from; with --data, draws and fast the shipped one if not given.",
            show_default=False,
        ),
    ] = None,
    max_minutes: MaxMinutes = None,
    workers: Simulators = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train the denoiser of whole-body PET on simulated scans, or fine-tune it on your own."""
    from betaplus.core.errors import UsageError
    from betaplus.pipeline.training.denoiser.own.train import fine_tune_denoiser
    from betaplus.pipeline.training.denoiser.train import train_denoiser

    if data is not None:
        if workers is not None:
            raise UsageError("--workers with --data", "nothing is simulated", "leave it out")
        if kind != "mean":
            raise UsageError(f"--kind {kind} with --data", "only the mean is trained on own images")
        made = fine_tune_denoiser(
            out,
            data,
            bundle=bundle,
            unit=unit,
            config=config,
            max_minutes=max_minutes,
            resume=resume,
            overwrite=overwrite,
            seed=seed,
            command=command_line(context),
            progress=console(quiet),
        )
    else:
        if unit is not None:
            raise UsageError("--unit without --data", "expected the folder of your images")
        made = train_denoiser(
            out,
            kind=kind,
            bundle=bundle,
            config=config,
            max_minutes=max_minutes,
            resume=resume,
            overwrite=overwrite,
            seed=seed,
            workers=workers,
            command=command_line(context),
            progress=console(quiet),
        )
    tell([f"bundle: {made}"], quiet)


@app.command()
def separation(
    context: typer.Context,
    out: Out,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="inn, inn-published, ced or cnn3d.  [default: inn; with --data inn-published]",
            show_default=False,
        ),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A,B",
            help="Tracers, A injected first; may be given again for inn.",
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Sequences to learn from: hybrid/ and a folder per tracer, of .mat."
        ),
    ] = None,
    max_minutes: MaxMinutes = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes that simulate, and one that trains.")
    ] = None,
    seed: Seed = 0,
    resume: Resume = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a network that separates two tracers, on simulated scans or your own sequences."""
    from betaplus.pipeline.training.separation.train import train_separation

    bundle = train_separation(
        out,
        kind=kind,
        pairs=tuple(pair or ()),
        config=config,
        data=data,
        max_minutes=max_minutes,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        workers=workers,
        command=command_line(context),
        progress=console(quiet),
    )
    tell([f"bundle: {bundle}"], quiet)
