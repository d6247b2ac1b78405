"""The separate verb: a dynamic image of two tracers to an image of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.engine import EngineCrew, Key, MemoryPlan, content_key, open_engine
from betaplus.io.derivatives import source_stem, write_dataset_description
from betaplus.physics.dual import Separability
from betaplus.pipeline.held_notes import HeldNotes
from betaplus.pipeline.motion_check import check_motion
from betaplus.pipeline.run_record import (
    RESULT_VERSIONS,
    Stopwatch,
    engine_record,
    file_name,
    run_record,
    versions,
)
from betaplus.pipeline.run_steps import finish, open_journal, sweep
from betaplus.pipeline.separation.compared import region_curves
from betaplus.pipeline.separation.inputs import Inputs, load_inputs
from betaplus.pipeline.separation.outputs import chi2_columns, write_chi2, write_images
from betaplus.pipeline.separation.request import Names, Options, SeparateRequest, check_options
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.separation.bundle import TrainedSeparation, load_separation
from betaplus.separation.costs import plan_memory
from betaplus.separation.fitting import SeparationFit, fit_study
from betaplus.separation.method import LEARNED
from betaplus.separation.study import make_study
from betaplus.separation.study_checks import (
    MixingCheck,
    check_mixing,
    hard_to_tell,
    macro_of,
    study_separability,
)

__all__ = ["run_separate"]

_KEYED = (
    "tracers",
    "delay",
    "arrival_a",
    "arrival_b",
    "plasma_a",
    "plasma_b",
    "blood_unit",
    "unit",
    "radionuclide",
    "decay_corrected_to",
    "seed",
)
"""Options that a result depends on, besides the method's settings."""

_ABOUT = ("method", "settings", "tracers", "network", "noise", "mixing", "separability", "seed",
          "versions", "checks")  # fmt: skip
_WITH_STD = ("inn", "tissues", "linear")


def run_separate(
    request: SeparateRequest,
    progress: Progress | None = None,
    report: Callable[[Path, SeparateRun], None] | None = None,
) -> SeparateRun | None:
    """Run the separate verb.

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
        inputs = load_inputs(request, options)
        trained = None
        if options.method in LEARNED:
            trained = load_separation(options.method, request.bundle)
        memory = plan_memory(
            inputs.image, options.method, options.workers, options.max_memory, options.engine
        )
    names = Names(Path(request.out), source_stem(request.source))
    paths = _outputs(request, options, names, report is not None)
    with open_journal(request, names, _key(request, options, inputs, trained), paths) as journal:
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        with open_engine(request.engine, memory.workers, progress) as engine:
            crew = EngineCrew(engine, memory.workers, journal, progress)
            fit = _fit(request, options, inputs, trained, memory, crew, watch, progress)
        with watch.stage("motion"):
            motion = check_motion(inputs.image)
        with watch.stage("checks"):
            check = check_mixing(
                fit.study, fit.found, fit.method, fit.made,
                labels=inputs.labels, names=inputs.names, seed=request.seed,
            )  # fmt: skip
            bounds = study_separability(fit.study)
            curves = region_curves(fit, inputs.labels, inputs.names)
        remarks = tuple(
            dict.fromkeys(
                [
                    *filter(None, [options.why]),
                    *fit.remarks,
                    *_said(inputs),
                    *motion.remarks,
                    *journal.remarks,
                ]
            )
        )
        warnings = _warnings(fit, check, bounds)
        run = _record(request, inputs, fit, check, bounds, remarks, warnings, memory, crew)
        run |= run_record(names.verb, request.command, request.seed, watch)
        run["motion"] = motion.record()
        with watch.stage("write"):
            names.out.mkdir(parents=True, exist_ok=True)
            write_dataset_description(names.out, "betaplus separate")
            about = {name: run[name] for name in _ABOUT}
            write_images(names, fit, about, memory.workers)
            write_chi2(names, chi2_columns(fit, check), inputs.image, about)
        result = SeparateRun(
            fit=fit,
            blood=inputs.blood,
            check=check,
            bounds=bounds,
            warnings=warnings,
            curves=curves,
            run=run,
            remarks=remarks,
            names=names,
            paths=tuple(paths),
        )
        return finish(request, result, journal, watch, report)


def _fit(
    request: SeparateRequest,
    options: Options,
    inputs: Inputs,
    trained: TrainedSeparation | None,
    memory: MemoryPlan,
    crew: EngineCrew,
    watch: Stopwatch,
    progress: Progress,
) -> SeparationFit:
    held = HeldNotes(progress)  # what is refused now is refused in one line
    held.note(memory.summary.partition(", blocks")[0])
    with watch.stage("study"):
        study = make_study(
            inputs.image,
            options.tracers,
            options.delay,
            blood=inputs.blood,
            arrivals=(request.arrival_a, request.arrival_b),
            mask=inputs.mask,
            progress=held,
        )
    with watch.stage("fit"):
        fit = fit_study(
            study,
            method=options.method,
            settings=options.settings,
            trained=trained,
            seed=request.seed,
            crew=crew,
            progress=held,
        )
    held.release()
    return fit


def _warnings(
    fit: SeparationFit, check: MixingCheck, bounds: Separability | None
) -> tuple[str, ...]:
    said = [hard_to_tell(bounds, fit.study.tracers)]
    if check.warn[0].any():
        frames = [str(f + 1) for f in np.flatnonzero(check.warn[0])]
        said.append(
            f"the pair does not explain frame{'s' * (len(frames) > 1)} {', '.join(frames)} of the"
            f" mixture (chi-square up to {np.nanmax(check.chi_square[0]):.3g}): look for motion, a"
            " wrong time or blood of another person"
        )
    return tuple(text for text in said if text)


def _said(inputs: Inputs) -> list[str]:
    return [text for one in inputs.blood if one is not None for text in one.remarks]


def _outputs(request: SeparateRequest, options: Options, names: Names, report: bool) -> list[Path]:
    moved = getattr(options.settings, "projection", False)  # on to the mixture
    stats = [None, "std"] if options.method in _WITH_STD and not moved else [None]
    paths = [names.image(tracer.label, stat) for stat in stats for tracer in options.tracers]
    paths.append(names.chi2)
    return [*paths, names.report] if report else paths


def _key(
    request: SeparateRequest, options: Options, inputs: Inputs, trained: TrainedSeparation | None
) -> Key:
    settings = {
        "method": options.method,
        "method_settings": options.settings,
        **{name: getattr(request, name) for name in _KEYED},
    }
    checksum = None
    if trained is not None and trained.bundle is not None:
        checksum = trained.bundle.checksum
    return content_key(inputs.files, settings, versions(RESULT_VERSIONS), checksum)


def _record(
    request: SeparateRequest,
    inputs: Inputs,
    fit: SeparationFit,
    check: MixingCheck,
    bounds: Separability | None,
    remarks: tuple[str, ...],
    warnings: tuple[str, ...],
    memory: MemoryPlan,
    crew: EngineCrew,
) -> dict[str, Any]:
    study, problem, image = fit.study, fit.study.problem, inputs.image
    return {
        "input": Path(request.source).name,
        "tracers": [
            {
                "name": tracer.label,
                "radionuclide": tracer.tracer.radionuclide,
                "half_life_s": tracer.tracer.half_life,
                "injection_s": injection,
                "blood": [Path(item).name for item in items],
                "amplitude": _short(size),
            }
            for tracer, injection, items, size in zip(
                study.tracers,
                problem.injections,
                (request.blood_a, request.blood_b),
                study.amplitudes,
                strict=True,
            )
        ],
        "delay_s": problem.delay,
        "method": fit.method,
        "settings": dataclasses.asdict(fit.settings),
        "found": {name: float(value) for name, value in fit.found.found.items()},
        "network": _network(fit.trained),
        "noise": {
            "fwhm_mm": _short(study.noise.fwhm),
            "directions": study.noise.directions,
            "weights": [_short(w) for w in problem.weights],
        },
        "mixing": {
            "chi2": _short(check.overall[0]),
            "chi2_frames": [_short(v) for v in check.chi_square[0]],
            "flag": check.flags[0],
            "regions": dict(zip(check.names[1:], check.flags[1:], strict=True)),
        },
        "separability": _bounds(fit, bounds),
        "mask": file_name(request.mask),
        "regions": file_name(inputs.files.get("regions")),
        "shape": list(image.shape),
        "voxel_mm": [round(v, 4) for v in image.voxel_size],
        "fitted": int(problem.mask.sum()),
        "engine": engine_record(request.engine, memory, crew.workers_lost),
        "blocks_done": max(crew.done, 1),
        "blocks_resumed": crew.resumed,
        "checks": [*warnings, *remarks],
    }


def _bounds(fit: SeparationFit, bounds: Separability | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    return {
        tracer.label: {
            "parameter": macro_of(tracer),
            "inflation": {name: _short(value) for name, value in ratio.items()},
        }
        for tracer, ratio in zip(fit.study.tracers, bounds.inflation, strict=True)
    }


def _network(trained: TrainedSeparation | None) -> dict[str, str] | None:
    if trained is None or trained.bundle is None:
        return None
    return {"bundle": trained.bundle.config.folder, "sha256": trained.bundle.checksum}


def _short(value: float) -> float | None:
    return float(f"{value:.6g}") if np.isfinite(value) else None
