"""The kinetics verb from files to files."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import BetaplusError, OutputError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import STATUS, Posterior
from betaplus.core.progress import Progress, Silent
from betaplus.core.tacs import TacTable
from betaplus.engine import Journal, Key, content_key, default_workers, work_folder
from betaplus.io.derivatives import source_stem, write_dataset_description, write_json
from betaplus.io.jsons import read_json
from betaplus.kinetics import fit
from betaplus.kinetics.bundles import bundle_record
from betaplus.kinetics.compare import Comparison
from betaplus.kinetics.input_draws import fit_over_inputs
from betaplus.kinetics.shared import fit_shared
from betaplus.kinetics.shared.check import check_table
from betaplus.pipeline.kinetics.comparison import (
    compare_inputs,
    comparison_paths,
    write_comparison,
)
from betaplus.pipeline.kinetics.inputs import Inputs, load_inputs
from betaplus.pipeline.kinetics.outputs import Names, write_draws, write_kinpar, write_maps
from betaplus.pipeline.kinetics.request import KineticsRequest, Options, check_options
from betaplus.pipeline.run_record import RESULT_VERSIONS, Stopwatch, run_record, versions

__all__ = ["KineticsResult", "run_kinetics"]

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

_REGION_DRAWS = 500  # for the marginals in the report of an image
_MOST_REGIONS = 200
_PANELS = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class KineticsResult:
    """What a run found and wrote.

    Attributes:
        posterior: Of the voxels or of the curves.
        data: What was analysed.
        blood: Blood samples, or None with a reference region.
        curve: Input curve [Bq/mL], or that of the reference region.
        regions: For an image, the region curves.
        region_posterior: Their posterior.
        chosen: Regions to draw.
        comparison: Of models, for the voxels or the curves, where it was asked for.
        region_comparison: For an image, that of its region curves.
        run: The run record.
        remarks: What was found untidy and what was done about it.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    posterior: Posterior
    data: PetImage | TacTable
    blood: InputFunction | None
    curve: InputCurve
    regions: TacTable | None
    region_posterior: Posterior | None
    chosen: tuple[str, ...] | None
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    comparison: Comparison | None = None
    region_comparison: Comparison | None = None
    paths: tuple[Path, ...] = ()

    @property
    def maps(self) -> dict[str, tuple[np.ndarray, np.ndarray]] | None:
        """Parameter to (mean, SD) for an image."""
        if isinstance(self.data, TacTable):
            return None
        return {p: (m.mean, m.std) for p, m in self.posterior.parameters.items()}

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        run, counts = self.run, self.run["status"]
        what = "voxels" if isinstance(self.data, PetImage) else "curves"
        n, seconds = run["fitted"], run["timings_s"]["fit"]
        ended = {name: count for name, count in counts.items() if count and name != "outside"}
        status = ", ".join(f"{count:,} {name}" for name, count in ended.items())
        lines = [f"{n:,} {what} in {seconds:.1f} s ({status})"]
        lines += [f"remark: {text}" for text in self.remarks]
        lines.append(f"{len(self.paths)} files in {self.names.out}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines


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
        _check_out(request.out)
        inputs = load_inputs(request, options)
        if request.share is not None:
            check_table(request.share, inputs.data)
    names = Names(
        out=Path(request.out),
        src=source_stem(request.source),
        model=options.model.name,
        parameters=options.parameters,
    )
    with Journal.open(
        work_folder(names.out, names.src, "kinetics"),
        _key(request, options, inputs),
        resume=request.resume,
        overwrite=request.overwrite,
        outputs=_outputs(request, inputs, names, report is not None),
        record=names.record,
    ) as journal:
        if journal.done:
            return None
        if journal.resumed:
            _sweep(names)
        result = _analyse(request, options, inputs, names, journal, watch, progress)
        with watch.stage("write"):
            paths = _write(request, inputs, result)
        if report is not None:
            with watch.stage("report"):
                report(names.report, result)
            paths.append(names.report)
        run = {
            **result.run,
            **run_record("kinetics", request.command, request.seed, watch),
            "outputs": [path.name for path in paths],
            "key": journal.key.digest,
        }
        write_json(names.record, run)
        journal.complete()
    return dataclasses.replace(result, run=run, paths=(*paths, names.record))


def _check_out(out: Path) -> None:
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file", "expected a folder", "choose another -o")
    description = out / "dataset_description.json"
    if description.exists():
        try:
            read_json(description)
        except BetaplusError as error:
            raise OutputError(f"{out}: {error}", todo="choose another -o") from error


def _sweep(names: Names) -> None:
    """Remove what a kill left of outputs that were being written."""
    for path in names.out.glob(f".tmp-*-{names.src}_*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


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
    journal: Journal,
    watch: Stopwatch,
    progress: Progress,
) -> KineticsResult:
    survey = inputs.survey
    shared: dict[str, Any] = {
        "model": options.model.name,
        "method": options.method,
        "blood": None if inputs.blood is None else inputs.blood.used,
        "reference": inputs.reference,
        "prior": options.prior,
        "dispersion": request.dispersion,
        "extraction": options.extraction,
        "glucose": request.glucose,
        "lumped_constant": request.lumped_constant,
        "settings": options.settings,
        "seed": request.seed,
        "progress": progress,
    }
    # Draws of voxels are large: without --save-draws nobody would see them.
    samples = request.samples if survey is None or request.save_draws else 0
    remarks = [*inputs.remarks, *journal.remarks]
    if samples != request.samples:
        remarks.append("draws of voxels are kept with --save-draws only: --samples had no effect")
    running: dict[str, Any] = {
        "noise": options.noise,
        "weights": options.weights,
        "engine": request.engine,
        "workers": request.workers,
        "max_memory": options.max_memory,
    }
    with watch.stage("fit"):
        if inputs.blood is not None and inputs.blood.draws and isinstance(inputs.data, TacTable):
            del shared["reference"], shared["blood"]
            posterior = fit_over_inputs(
                inputs.data,
                inputs.blood.draws,
                samples=samples,
                delay=request.delay,
                t_star=request.t_star,
                **running,
                **shared,
            )
        elif request.share is None:
            posterior = fit(
                inputs.data,
                samples=samples,
                delay=request.delay,
                t_star=request.t_star,
                mask=None if survey is None else survey.mask,
                journal=journal,
                **running,
                **shared,
            )
        else:
            del shared["reference"]
            posterior = fit_shared(
                inputs.data,
                shared=request.share,
                samples=samples,
                delay=request.delay,
                **running,
                **shared,
            )
    table, table_posterior = None, None
    if survey is not None and isinstance(inputs.data, PetImage):
        table = survey.table(inputs.data)
        if len(table) > _MOST_REGIONS:
            remarks.append(f"{len(table)} regions, fitted without draws for the report")
        with watch.stage("regions"):
            table_posterior = fit(
                table,
                samples=_REGION_DRAWS if len(table) <= _MOST_REGIONS else 0,
                delay=posterior.settings["delay"] if inputs.blood else "fit",
                t_star=posterior.settings.get("t_star", request.t_star),
                noise="estimate" if options.noise == "estimate" else "auto",
                weights=options.weights,
                engine="inline",
                **shared,
            )
    comparison, region_comparison = None, None
    if request.compare_models:
        with watch.stage("models"):
            comparison, region_comparison = compare_inputs(
                request, options, inputs, posterior, table, journal, progress
            )
        remarks += [text for c in (comparison, region_comparison) if c for text in c.remarks]
    samples_of = inputs.blood.samples if inputs.blood else None
    about_blood = samples_of.remarks if samples_of else ()
    everything = [*remarks, *inputs.data.remarks, *about_blood, *posterior.remarks]
    remarks = list(dict.fromkeys(everything))
    codes = np.asarray(posterior.diagnostics["status"])
    seconds = watch.seconds["fit"]
    fitted = int((codes != 0).sum())
    run = {
        "input": Path(request.source).name,
        "blood": [Path(str(item)).name for item in request.blood],
        "reference": None if request.reference is None else Path(request.reference).name,
        "settings": dict(posterior.settings),
        "delay": posterior.settings["delay"],
        "engine": {
            "executor": request.engine,
            "workers": request.workers or default_workers(),
            "max_memory_bytes": options.max_memory,
        },
        "fitted": fitted,
        "per_second": round(fitted / seconds, 1) if seconds else None,
        "blocks_done": posterior.settings.get("blocks_done", 0),
        "blocks_resumed": posterior.settings.get("blocks_resumed", 0),
        "status": {name: int((codes == code).sum()) for code, name in STATUS.items()},
        "checks": remarks,
        **run_record("kinetics", request.command, request.seed, watch),
    }
    return KineticsResult(
        posterior=posterior,
        data=inputs.data,
        blood=samples_of,
        curve=inputs.curve,
        regions=table,
        region_posterior=table_posterior,
        chosen=_chosen(table),
        run=run,
        remarks=tuple(remarks),
        names=names,
        comparison=comparison,
        region_comparison=region_comparison,
    )


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
