"""`betaplus kinetics`: posteriors of kinetic parameters from an image or from curves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from betaplus.cli.console import console
from betaplus.cli.options import (
    Blood,
    BloodUnit,
    Config,
    DecayCorrectedTo,
    Device,
    Dicom,
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
    Unit,
    Workers,
)
from betaplus.cli.telling import command_line, tell_run

if TYPE_CHECKING:
    from betaplus.pipeline.kinetics import KineticsResult

__all__ = ["kinetics", "write_report"]


def kinetics(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Dynamic image or curves.")],
    out: Out,
    blood: Blood = None,
    reference: Annotated[
        str | None,
        typer.Option(
            metavar="REGION|MASK",
            help="Reference region in place of blood: its name (A+B: mean of two) or a mask.",
        ),
    ] = None,
    t_star: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Start of the linear part.", show_default="chosen"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="1TCM, 2TCM3k, 2TCM; with --reference SRTM, MRTM2.",
            show_default="2TCM or SRTM",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="exact, consistency, consistency-published, flow, ddpm, score, abc, nlls, nuts,"
            " patlak, logan, mrtm2 or suvr.",
            show_default="exact",
        ),
    ] = None,
    prior: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="default, published, published-signed or a TOML file."
        ),
    ] = "default",
    samples: Annotated[int, typer.Option(metavar="N", help="Posterior draws per curve.")] = 0,
    delay: Annotated[
        str,
        typer.Option(
            metavar="fit|SECONDS",
            help="fit, fit-once (from the mean curve), region:NAME (from one region), or seconds"
            " by which the tissue lags the blood.",
        ),
    ] = "fit",
    dispersion: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="Dispersion of the sampling line, to be undone."),
    ] = 0.0,
    plasma: Plasma = "measured",
    parent: Annotated[
        str,
        typer.Option(
            metavar="samples|...", help="Parent fraction: samples, hill, exponential or power."
        ),
    ] = "samples",
    aif: Annotated[
        str,
        typer.Option(metavar="samples|...", help="Plasma curve: samples, feng or triexp."),
    ] = "samples",
    input_draws: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Average over N draws of the parent fraction's model, so that its uncertainty"
            " reaches the parameters.",
        ),
    ] = 0,
    injected_activity: Annotated[
        float | None,
        typer.Option(metavar="MBQ", help="For population:FILE, where the sidecar lacks it."),
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option(metavar="KG", help="For population:FILE, where no participants.tsv has it."),
    ] = None,
    extraction: Annotated[
        str | None,
        typer.Option(
            metavar="TRACER|a,b",
            help="Flow F from K1 of a 1TCM by Renkin-Crone: water, ammonia, rubidium or a,b.",
        ),
    ] = None,
    glucose: Annotated[
        float | None, typer.Option(metavar="MMOL/L", help="Plasma glucose, for CMRglc from Ki.")
    ] = None,
    lumped_constant: Annotated[
        float | None, typer.Option(metavar="LC", help="Lumped constant, for CMRglc.")
    ] = None,
    noise: Annotated[
        str,
        typer.Option(
            metavar="auto|...", help="auto, estimate, a level, or a TSV of SDs per frame."
        ),
    ] = "auto",
    weights: Annotated[
        str,
        typer.Option(
            metavar="model|...",
            help="Weights of frames: model (by counts), uniform, duration, or a TSV.",
        ),
    ] = "model",
    mask: Mask = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Label image whose regions are fitted too.",
            show_default="*_dseg.nii.gz",
        ),
    ] = None,
    save_draws: Annotated[
        bool, typer.Option("--save-draws", help="Keep the draws, as zarr.")
    ] = False,
    compare_models: Annotated[
        bool,
        typer.Option("--compare-models", help="Probabilities of 1TCM, 2TCM3k and 2TCM besides."),
    ] = False,
    share: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="k2, k3, k4, VB or delay: one value for all curves of a table.",
        ),
    ] = None,
    settings: Settings = None,
    config: Config = None,
    bundle: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Weights of the method.", show_default="those shipped"),
    ] = None,
    adapt_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", help="Minutes to adapt the weights to this scan, for consistency."
        ),
    ] = None,
    unit: Unit = None,
    radionuclide: Radionuclide = None,
    decay_corrected_to: DecayCorrectedTo = None,
    blood_unit: BloodUnit = None,
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
    """Posteriors of kinetic parameters of every voxel of a dynamic image, or of curves."""
    from betaplus.pipeline.kinetics import KineticsRequest, run_kinetics

    request = KineticsRequest(
        source=source,
        out=out,
        blood=tuple(blood or ()),
        reference=reference,
        t_star=t_star,
        model=model,
        method=method,
        prior=prior,
        samples=samples,
        delay=delay,
        dispersion=dispersion,
        plasma=plasma,
        parent=parent,
        aif=aif,
        input_draws=input_draws,
        injected_activity=injected_activity,
        weight=weight,
        extraction=extraction,
        glucose=glucose,
        lumped_constant=lumped_constant,
        noise=noise,
        weights=weights,
        mask=mask,
        regions=regions,
        save_draws=save_draws,
        compare_models=compare_models,
        share=share,
        settings=(
            *(settings or ()),
            *((f"bundle={bundle}",) if bundle is not None else ()),
            *((f"adapt_minutes={adapt_minutes}",) if adapt_minutes is not None else ()),
        ),
        config=config,
        unit=unit,
        radionuclide=radionuclide,
        decay_corrected_to=decay_corrected_to,
        blood_unit=blood_unit,
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
    result = run_kinetics(request, console(quiet), write_report if report else None)
    tell_run(result, out, quiet)


def write_report(path: Path, result: KineticsResult) -> None:
    """Write the HTML report of a result."""
    from betaplus.report.kinetics import kinetics_report

    kinetics_report(
        path,
        title=result.data.source.name if result.data.source else "Kinetics",
        posterior=result.posterior,
        data=result.data,
        maps=result.maps,
        regions=result.regions,
        region_posterior=result.region_posterior,
        input_curve=result.curve,
        input_function=result.blood,
        run=result.run,
        remarks=result.remarks,
        chosen=result.chosen,
        comparison=result.comparison,
        region_comparison=result.region_comparison,
    )
