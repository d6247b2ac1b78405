"""The kinetics verb from files to files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.posterior import STATUS, Posterior
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal, Key, content_key, open_engine, workers_lost, workers_of
from betaplus.io.derivatives import source_stem, write_dataset_description
from betaplus.kinetics.bundles import bundle_record
from betaplus.kinetics.shared.check import check_table
from betaplus.pipeline.kinetics.comparison import (
    compare_inputs,
    comparison_paths,
    write_comparison,
)
from betaplus.pipeline.kinetics.fitting import (
    MOST_REGIONS,
    fit_data,
    fit_regions,
    kept_samples,
)
from betaplus.pipeline.kinetics.inputs import Inputs, load_inputs
from betaplus.pipeline.kinetics.outputs import Names, write_draws, write_kinpar, write_maps
from betaplus.pipeline.kinetics.request import KineticsRequest, Options, check_options
from betaplus.pipeline.kinetics.result import KineticsResult
from betaplus.pipeline.motion_check import check_motion
from betaplus.pipeline.run_record import (
    RESULT_VERSIONS,
    Stopwatch,
    file_name,
    run_record,
    versions,
)
from betaplus.pipeline.run_steps import finish, open_journal, sweep

__all__ = ["run_kinetics"]

_KEYED = (
    "reference",
    "t_star",
    "samples",
    "delay",
    "dispersion",
    "plasma",
    "parent",
    "aif",
    "input_draws",
    "injected_activity",
    "weight",
    "extraction",
    "glucose",
    "lumped_constant",
    "seed",
    "save_draws",
    "compare_models",
    "share",
    "unit",
    "radionuclide",
    "decay_corrected_to",
    "blood_unit",
)
"""Options that a result depends on, besides those that are read into `Options`."""

_PANELS = 8


def run_kinetics(
    request: KineticsRequest,
    progress: Progress | None = None,
    report: Callable[[Path, KineticsResult], None] | None = None,
) -> KineticsResult | None:
    """Run the kinetics verb.

    Everything is checked before anything is written; the record is written last.

    Args:
        request: What to do.
        progress: What to report to.
        report: Writes the HTML report to a path, or None for no report.

    Returns:
        What was found, or None if `--resume` met a finished run.

    Raises:
        InputError: If the data or the blood cannot be used.
        UsageError: If an option is unknown or contradicts another.
        OutputError: If outputs exist already or cannot be written.
    """
    progress = progress or Silent()
    watch = Stopwatch()
    with watch.stage("read"):
        options = check_options(request)
        inputs = load_inputs(request, options)
        if request.share is not None:
            check_table(request.share, inputs.data)
    out, src = Path(request.out), source_stem(request.source)
    names = Names(out, src, options.model.name, options.parameters)
    outputs = _outputs(request, inputs, names, report is not None)
    with open_journal(request, names, _key(request, options, inputs), outputs) as journal:
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        with open_engine(request.engine, request.workers, progress) as engine:
            result = _analyse(request, options, inputs, names, engine, journal, watch, progress)
        with watch.stage("write"):
            paths = _write(request, inputs, result)
        paths += [names.report] if report is not None else []
        result = dataclasses.replace(result, paths=tuple(paths))
        return finish(request, result, journal, watch, report)


def _key(request: KineticsRequest, options: Options, inputs: Inputs) -> Key:
    settings = {
        "model": options.model.name,
        "method": options.method,
        "method_settings": options.settings,
        "network": bundle_record(options.method, options.settings),
        "prior": dict(options.prior),
        "known_delay": options.prior.known_delay,
        "noise": options.noise,
        "weights": options.weights,
        **{name: getattr(request, name) for name in _KEYED},
    }
    return content_key(inputs.files, settings, versions(RESULT_VERSIONS))


def _outputs(request: KineticsRequest, inputs: Inputs, names: Names, report: bool) -> list[Path]:
    paths = [] if inputs.survey is None else list(names.maps)
    if inputs.survey is None or inputs.labelled:
        paths.append(names.kinpar)
    if request.save_draws:
        paths.append(names.draws)
    if request.compare_models:
        paths += comparison_paths(inputs, names)
    return [*paths, names.report] if report else paths


def _analyse(
    request: KineticsRequest,
    options: Options,
    inputs: Inputs,
    names: Names,
    engine: str | Executor,
    journal: Journal,
    watch: Stopwatch,
    progress: Progress,
) -> KineticsResult:
    remarks = [*inputs.remarks, *journal.remarks]
    if kept_samples(request, inputs) != request.samples:
        remarks.append("draws of voxels are kept with --save-draws only: --samples had no effect")
    with watch.stage("fit"):
        posterior = fit_data(request, options, inputs, engine, journal, progress)
    table, table_posterior = None, None
    if inputs.survey is not None and isinstance(inputs.data, PetImage):
        table = inputs.survey.table(inputs.data)
        with watch.stage("regions"):
            table_posterior = fit_regions(request, options, inputs, table, posterior, progress)
        if len(table) > MOST_REGIONS:
            remarks.append(f"{len(table)} regions, fitted without draws for the report")
    comparison, region_comparison = None, None
    if request.compare_models:
        with watch.stage("models"):
            comparison, region_comparison = compare_inputs(
                request, options, inputs, posterior, table, engine, journal, progress
            )
        remarks += [text for c in (comparison, region_comparison) if c for text in c.remarks]
    motion = None
    if isinstance(inputs.data, PetImage):
        with watch.stage("motion"):
            motion = check_motion(inputs.data)
        remarks += motion.remarks
    samples = inputs.blood.samples if inputs.blood else None
    about_blood = samples.remarks if samples else ()
    everything = [*remarks, *inputs.data.remarks, *about_blood, *posterior.remarks]
    remarks = list(dict.fromkeys(everything))
    return KineticsResult(
        posterior=posterior,
        data=inputs.data,
        blood=samples,
        curve=inputs.curve,
        regions=table,
        region_posterior=table_posterior,
        chosen=_chosen(table),
        run={
            **_record(request, options, engine, posterior, remarks, watch),
            "motion": None if motion is None else motion.record(),
        },
        remarks=tuple(remarks),
        names=names,
        comparison=comparison,
        region_comparison=region_comparison,
    )


def _record(
    request: KineticsRequest,
    options: Options,
    engine: str | Executor,
    posterior: Posterior,
    remarks: list[str],
    watch: Stopwatch,
) -> dict[str, Any]:
    codes = np.asarray(posterior.diagnostics["status"])
    seconds = watch.seconds["fit"]
    fitted = int((codes != 0).sum())
    return {
        "input": Path(request.source).name,
        "blood": [Path(str(item)).name for item in request.blood],
        "reference": file_name(request.reference),
        "settings": dict(posterior.settings),
        "delay": posterior.settings["delay"],
        "engine": {
            "executor": request.engine,
            "workers": workers_of(engine, request.workers),
            "max_memory_bytes": options.max_memory,
            "workers_lost": workers_lost(engine),
        },
        "fitted": fitted,
        "per_second": round(fitted / seconds, 1) if seconds else None,
        "blocks_done": posterior.settings.get("blocks_done", 0),
        "blocks_resumed": posterior.settings.get("blocks_resumed", 0),
        "status": {name: int((codes == code).sum()) for code, name in STATUS.items()},
        "checks": remarks,
        **run_record(Names.verb, request.command, request.seed, watch),
    }


def _chosen(table: TacTable | None) -> tuple[str, ...] | None:
    """Regions to draw: all of a few, else some spread over their list."""
    if table is None or table.names is None:
        return None
    at = np.linspace(0, len(table.names) - 1, min(_PANELS, len(table.names)))
    return tuple(table.names[round(float(i))] for i in at)


def _write(request: KineticsRequest, inputs: Inputs, result: KineticsResult) -> list[Path]:
    names, posterior = result.names, result.posterior
    write_dataset_description(names.out, "betaplus kinetics")
    paths = []
    if isinstance(inputs.data, PetImage):
        paths += write_maps(names, posterior, inputs.data, result.remarks)
        if inputs.labelled and result.regions is not None and result.region_posterior is not None:
            checks = result.remarks
            paths.append(write_kinpar(names, result.region_posterior, result.regions, checks))
    else:
        paths.append(write_kinpar(names, posterior, inputs.data, result.remarks))
    if result.comparison is not None:
        paths += write_comparison(
            inputs, names, result.comparison, result.region_comparison, result.remarks
        )
    if request.save_draws:
        table = inputs.data if isinstance(inputs.data, TacTable) else None
        mask = None if inputs.survey is None else inputs.survey.mask
        paths.append(write_draws(names, posterior, table, mask))
    return paths
