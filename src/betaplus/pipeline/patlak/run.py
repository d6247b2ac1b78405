"""The patlak verb: a dynamic image and its blood to maps of Ki and V0."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus.core.progress import Progress, Silent
from betaplus.engine import EngineCrew, Key, MemoryPlan, content_key, open_engine
from betaplus.generative.bundle_config import BundleConfig
from betaplus.io.derivatives import source_stem, write_dataset_description
from betaplus.patlak.costs import plan_memory
from betaplus.patlak.fitting import PatlakFit, fit_study, read_study
from betaplus.patlak.method import LEARNED, UNWEIGHTED
from betaplus.patlak.prior_choice import choose_prior, prior_configs
from betaplus.patlak.study import Study
from betaplus.pipeline.held_notes import HeldNotes
from betaplus.pipeline.motion_check import check_motion
from betaplus.pipeline.patlak.inputs import Inputs, load_inputs
from betaplus.pipeline.patlak.outputs import write_draws, write_maps, write_regions
from betaplus.pipeline.patlak.regions import region_columns, region_remarks
from betaplus.pipeline.patlak.request import Names, Options, PatlakRequest, check_options
from betaplus.pipeline.patlak.result import PatlakRun
from betaplus.pipeline.run_record import (
    RESULT_VERSIONS,
    Stopwatch,
    engine_record,
    file_name,
    run_record,
    versions,
)
from betaplus.pipeline.run_steps import finish, open_journal, sweep
from betaplus.pipeline.unit_check import check_units, time_remarks

__all__ = ["run_patlak"]

_KEYED = (
    "method",
    "t_star",
    "anatomy",
    "bf16",
    "delay",
    "relative",
    "plasma",
    "blood_unit",
    "unit",
    "radionuclide",
    "decay_corrected_to",
    "dose",
    "weight",
    "level",
    "save_draws",
    "seed",
)
"""Options that a result depends on, besides the method's settings."""

_ABOUT = ("method", "settings", "t_star_s", "t_star_rule", "frames_used", "suv", "relative",
          "prior", "delay_s", "seed", "versions", "checks")  # fmt: skip

_HOT = 0.95  # quantile of the voxels wanted
_SAMPLE = 1_000_003  # voxels looked at for it


def run_patlak(
    request: PatlakRequest,
    progress: Progress | None = None,
    report: Callable[[Path, PatlakRun], None] | None = None,
) -> PatlakRun | None:
    """Run the patlak verb.

    Everything is checked before anything is written; the record is written last.

    Args:
        request: What to do.
        progress: What to report to.
        report: Writes the HTML report to a path, or None for no report.

    Returns:
        What was found, or None if `--resume` met a finished run.

    Raises:
        InputError: If the data cannot be used.
        UsageError: If an option is unknown or contradicts another.
        OutputError: If outputs exist already or cannot be written.
    """
    progress = progress or Silent()
    watch = Stopwatch()
    with watch.stage("read"):
        options = check_options(request)
        inputs = load_inputs(request)
        priors = []
        if request.method in LEARNED:
            priors = prior_configs(request.bundle, request.anatomy)
        _plan(request, options, inputs, priors[0] if len(priors) == 1 else None)
    names = Names(Path(request.out), source_stem(request.source), request.relative)
    paths = _outputs(request, inputs, options, names, report is not None)
    with open_journal(request, names, _key(request, options, inputs, priors), paths) as journal:
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        with open_engine(request.engine, options.workers, progress) as engine:
            crew = EngineCrew(engine, options.workers, journal, progress)
            fit, memory, unusual = _fit(request, options, inputs, crew, watch, progress)
        with watch.stage("motion"):
            motion = check_motion(inputs.image)
        with watch.stage("residuals"):
            wls, residual, wls_residual = _compared(fit)
        regions, off = None, []
        if inputs.labels is not None:
            with watch.stage("regions"):
                regions = region_columns(fit, inputs.labels, inputs.names)
            off = region_remarks(regions, fit.method)
        remarks = tuple(
            dict.fromkeys(
                [
                    *inputs.remarks,
                    *inputs.samples.remarks,
                    *motion.remarks,
                    *unusual,
                    *fit.remarks,
                    *off,
                    *journal.remarks,
                ]
            )
        )
        run = _record(request, inputs, fit, residual, wls_residual, remarks, memory, options, crew)
        run |= run_record(names.verb, request.command, request.seed, watch)
        run["motion"] = motion.record()
        with watch.stage("write"):
            names.out.mkdir(parents=True, exist_ok=True)
            write_dataset_description(names.out, "betaplus patlak")
            about = {name: run[name] for name in _ABOUT}
            write_maps(names, fit, inputs.image, about)
            if request.save_draws:
                write_draws(names, fit)
            if regions is not None:
                write_regions(names, regions, inputs.image, about)
        result = PatlakRun(
            fit=fit,
            samples=inputs.samples,
            wls=wls,
            residual=residual,
            wls_residual=wls_residual,
            regions=regions,
            run=run,
            remarks=remarks,
            names=names,
            paths=tuple(paths),
        )
        return finish(request, result, journal, watch, report)


def _fit(
    request: PatlakRequest,
    options: Options,
    inputs: Inputs,
    crew: EngineCrew,
    watch: Stopwatch,
    progress: Progress,
) -> tuple[PatlakFit, MemoryPlan, list[str]]:
    """Return the fit, its memory, and remarks on units."""
    held = HeldNotes(progress)  # what is refused now is refused in one line
    with watch.stage("sums"):
        study = read_study(
            inputs.image,
            inputs.blood,
            method=request.method,
            t_star=request.t_star,
            mask=inputs.mask,
            delay=request.delay,
            relative=request.relative,
            bed_times=inputs.bed_times,
            dose=request.dose,
            weight=request.weight,
            level=request.level,
            progress=held,
            crew=crew,
        )
        unusual = _check_units(request, inputs, study)
    prior = None
    with watch.stage("fit"):
        if request.method in LEARNED:
            prior = choose_prior(study, request.bundle, request.anatomy, bf16=request.bf16)
            held.note(prior.why)
        memory = _plan(
            request, options, inputs, None if prior is None else prior.prior.bundle.config
        )
        held.note(memory.summary.partition(", blocks")[0])
        held.release()
        crew.limit(memory.workers)
        fit = fit_study(
            study,
            method=request.method,
            settings=options.settings,
            prior=prior,
            seed=request.seed,
            crew=crew,
            progress=progress,
        )
    return fit, memory, unusual


def _check_units(request: PatlakRequest, inputs: Inputs, study: Study) -> list[str]:
    """Hold the curve of hot voxels against the blood: the mean curve, as high as they are."""
    problem, image = study.problem, inputs.image
    last = problem.least_squares().sum(0).numpy()[problem.mask.numpy()]
    hot = study.suv * float(np.quantile(last[:: last.size // _SAMPLE + 1], _HOT))
    mean = study.mean_curve
    if image.frames is None or not mean[-1] > 0.0:
        return []
    return time_remarks(inputs.samples, float(image.frames.end[-1])) + check_units(
        mean[None] * (hot / mean[-1]),
        image.frames.mid,
        study.curve,
        (image.unit, inputs.samples.unit),
        late=request.relative,
        insisted=request.unit is not None and request.blood_unit is not None,
    )


def _plan(
    request: PatlakRequest, options: Options, inputs: Inputs, prior: BundleConfig | None
) -> MemoryPlan:
    """Plan the memory; again when it is known which prior is to be used."""
    return plan_memory(
        inputs.image,
        request.method,
        options.settings,
        prior,
        options.workers,
        options.max_memory,
        options.engine,
    )


def _compared(
    fit: PatlakFit,
) -> tuple[dict[str, np.ndarray] | None, np.ndarray, np.ndarray | None]:
    """Return the maps of weighted least squares, and what both leave of each frame."""
    study = fit.study
    residual = study.residual(fit.u)
    if fit.method == "wls" or fit.method in UNWEIGHTED:
        return None, residual, None
    u = study.problem.least_squares() * study.problem.mask
    wls = {name: (u[i] * study.problem.scale[i]).float().numpy() for i, name in enumerate(fit.maps)}
    return wls, residual, study.residual(u)


def _outputs(
    request: PatlakRequest, inputs: Inputs, options: Options, names: Names, report: bool
) -> list[Path]:
    stats = ["mean"]
    if request.method in ("ls", "wls", "nnls") or (
        request.method == "gibbs" and options.settings.samples > 1
    ):
        stats.append("std")
    paths = [names.map(name, stat) for stat in stats for name in ("Ki", "V0")]
    if request.save_draws:
        paths.append(names.draws)
    if inputs.labels is not None:
        paths.append(names.kinpar)
    return [*paths, names.report] if report else paths


def _key(
    request: PatlakRequest, options: Options, inputs: Inputs, priors: Sequence[BundleConfig]
) -> Key:
    settings = {
        "method_settings": options.settings,
        "bed_times": "once" if request.bed_times == "once" else None,
        **{name: getattr(request, name) for name in _KEYED},
    }
    checksum = " ".join(config.sha256 for config in priors) or None
    return content_key(inputs.files, settings, versions(RESULT_VERSIONS), checksum)


def _record(
    request: PatlakRequest,
    inputs: Inputs,
    fit: PatlakFit,
    residual: np.ndarray,
    wls_residual: np.ndarray | None,
    remarks: tuple[str, ...],
    memory: MemoryPlan,
    options: Options,
    crew: EngineCrew,
) -> dict[str, Any]:
    study, image = fit.study, inputs.image
    return {
        "input": Path(request.source).name,
        "blood": [Path(item).name for item in request.blood],
        "plasma": request.plasma,
        "method": request.method,
        "settings": dataclasses.asdict(options.settings),
        "found": {name: float(value) for name, value in fit.found.items()},
        "prior": None if fit.prior is None else fit.prior.record,
        "t_star_s": study.t_star,
        "t_star_rule": study.rule,
        "frames_used": [int(frame) for frame in study.used],
        "frames": _frames(study, residual, wls_residual),
        "delay_s": request.delay,
        "beds": len(study.times.beds()),
        "relative": None if study.relative is None else dataclasses.asdict(study.relative),
        "suv": {"per_suv": study.suv, "unit": study.unit, "from": study.suv_from},
        "mask": file_name(request.mask),
        "regions": file_name(inputs.files.get("regions")),
        "shape": list(image.shape),
        "voxel_mm": [round(v, 4) for v in image.voxel_size],
        "fitted": int(study.problem.mask.sum()),
        "median": _medians(fit),
        "engine": engine_record(request.engine, memory, crew.workers_lost),
        "blocks_done": crew.done,
        "blocks_resumed": crew.resumed,
        "checks": list(remarks),
    }


def _frames(
    study: Study, residual: np.ndarray, wls_residual: np.ndarray | None
) -> dict[str, list[float]]:
    """Return a row of numbers for each column of the frames used; of slices their means."""
    columns = {
        "start_s": study.times.start.min(1),
        "end_s": study.times.end.max(1),
        "weight": study.weights.mean(1),
        "residual_suv": residual,
    }
    if wls_residual is not None:
        columns["residual_wls_suv"] = wls_residual
    return {name: [float(f"{v:.6g}") for v in values] for name, values in columns.items()}


def _medians(fit: PatlakFit) -> dict[str, float]:
    mask = fit.study.problem.mask
    return {name: float(torch.from_numpy(v)[mask].median()) for name, v in fit.maps.items()}
