"""The reconstruct verb: raw data to an image, frame by frame."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.engine import (
    EngineCrew,
    Journal,
    content_key,
    default_workers,
    open_engine,
    workers_lost,
    workers_of,
)
from betaplus.io.derivatives import source_stem, write_dataset_description, write_image
from betaplus.pipeline.reconstruct.choice import Chosen, choose_method
from betaplus.pipeline.reconstruct.inputs import Inputs, load_inputs
from betaplus.pipeline.reconstruct.making import Made, make_frames
from betaplus.pipeline.reconstruct.request import Names, ReconstructRequest, check_options
from betaplus.pipeline.run_record import (
    RESULT_VERSIONS,
    Stopwatch,
    file_name,
    run_record,
    versions,
)
from betaplus.pipeline.run_steps import finish, open_journal, sweep
from betaplus.reconstruction.count_model import model_of
from betaplus.reconstruction.frames import FrameReconstructor

__all__ = ["ReconstructResult", "run_reconstruct"]

_STATS = ("std", "cv")
"""What is written of draws beside their mean."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ReconstructResult:
    """What a run found and wrote.

    Attributes:
        image: The image.
        counts: Prompts of each frame, shape (T,).
        run: The run record.
        remarks: What was left out or taken for granted.
        names: Where the outputs are.
        sd: Standard deviation over draws, of the shape of the image; None for one draw, or none.
        variation: The same over the mean, 0 where that is not above 0.
        paths: Files written, without sidecars.
    """

    image: PetImage
    counts: np.ndarray
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    sd: np.ndarray | None = None
    variation: np.ndarray | None = None
    paths: tuple[Path, ...] = ()

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        seconds = self.run["timings_s"]["reconstruct"]
        frames = f"{self.counts.size} frames, " if self.counts.size > 1 else ""
        shape = " x ".join(map(str, self.image.shape[:3]))
        lines = [
            f"{frames}{self.counts.sum():,.0f} prompts to {shape} voxels in {seconds:.1f} s"
            f" ({self.run['method']})"
        ]
        lines += [f"remark: {text}" for text in self.remarks]
        lines.append(f"image: {self.names.image}")
        if self.sd is not None:
            lines.append(f"SD over {self.run['settings']['draws']} draws: {self.names.stat('std')}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines


def run_reconstruct(
    request: ReconstructRequest,
    progress: Progress | None = None,
    report: Callable[[Path, ReconstructResult], None] | None = None,
) -> ReconstructResult | None:
    """Run the reconstruct verb.

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
    progress, watch = progress or Silent(), Stopwatch()
    with watch.stage("read"):
        options = check_options(request)
        inputs = load_inputs(request, options)
        chosen = choose_method(request, options, inputs)
        frames = _reconstructor(request, inputs, chosen)
    names = Names(Path(request.out), source_stem(request.source), chosen.method)
    outputs = [names.image]
    if chosen.samples > 1:
        outputs += [names.stat(stat) for stat in _STATS]
    if report is not None:
        outputs.append(names.report)
    key = content_key(
        inputs.files, _keyed(request, chosen, inputs), versions(RESULT_VERSIONS), chosen.checksum
    )
    with open_journal(request, names, key, outputs) as journal:
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        with (
            watch.stage("reconstruct"),
            open_engine(request.engine, request.workers, progress) as engine,
        ):
            crew = None
            if options.engine.apart:
                crew = EngineCrew(engine, workers_of(engine, request.workers), progress=progress)
            made = make_frames(frames, chosen, journal, request.seed, progress, crew)
        lost = workers_lost(engine)
        result = _result(request, inputs, chosen, frames, made, names, journal, watch, lost)
        result = dataclasses.replace(result, paths=tuple(outputs))
        with watch.stage("write"):
            names.out.mkdir(parents=True, exist_ok=True)
            write_dataset_description(names.out, "betaplus reconstruct")
            about = {"betaplus": _provenance(result)}
            write_image(names.image, result.image, about)
            if result.sd is not None and result.variation is not None:
                write_image(names.stat("std"), _like(result.image, result.sd), about)
                share = _like(result.image, result.variation)
                write_image(names.stat("cv"), share, {**about, "Units": "1"})
        return finish(request, result, journal, watch, report)


def _reconstructor(
    request: ReconstructRequest, inputs: Inputs, chosen: Chosen
) -> FrameReconstructor:
    model = model_of(inputs.scan, efficiency=inputs.efficiency, attenuation=inputs.attenuation)
    return FrameReconstructor(
        inputs.scan,
        model,
        inputs.grid,
        method=chosen.method,
        settings=dataclasses.asdict(chosen.settings),
        psf=inputs.psf,
        mask=inputs.mask,
        threads=1 if request.engine == "inline" else request.workers,
        events=inputs.events,
        score=chosen.score,
    )


def _keyed(request: ReconstructRequest, chosen: Chosen, inputs: Inputs) -> dict[str, Any]:
    score = chosen.score
    return {
        "method": chosen.method,
        "settings": chosen.settings,
        "grid": inputs.grid,
        "psf": inputs.psf,
        "list_mode": request.list_mode,
        "scanner": inputs.scan.scanner,
        "seed": request.seed,
        "bf16": request.bf16,
        "per_suv": None if score is None else score.per_suv,
    }


def _result(
    request: ReconstructRequest,
    inputs: Inputs,
    chosen: Chosen,
    frames: FrameReconstructor,
    made: Made,
    names: Names,
    journal: Journal,
    watch: Stopwatch,
    lost: int,
) -> ReconstructResult:
    scan = inputs.scan
    counts = np.array([float(np.sum(scan.prompts[n], dtype=float)) for n in range(scan.n_frames)])
    dynamic = scan.n_frames > 1 and scan.frames is not None
    remarks = dict.fromkeys(
        (*scan.remarks, *inputs.remarks, *chosen.remarks, *frames.remarks, *journal.remarks)
    )
    if frames.unit is None:
        remarks["the image has no unit: the data do not hold the scanner's sensitivity"] = None
    if frames.dropped:
        remarks[f"{frames.dropped:,} prompts on lines without sensitivity left out"] = None
    remarks |= dict.fromkeys(made.refuted(inputs.grid.affine))
    corrected = frames.unit is not None and scan.tracer is not None
    image = PetImage(
        data=made.images if dynamic else made.images[..., 0],
        affine=inputs.grid.affine,
        unit=frames.unit or "counts",
        frames=scan.frames,
        tracer=scan.tracer,
        decay_corrected_to=0.0 if corrected else None,
        injection=scan.injection,
        metadata=scan.metadata if Path(request.source).suffix == ".zarr" else {},
        source=scan.source,
        remarks=tuple(remarks),
    )
    run = {
        "input": Path(request.source).name,
        "method": chosen.method,
        "settings": dataclasses.asdict(chosen.settings),
        "prior": None if chosen.score is None else chosen.score.record,
        "scanner": dataclasses.asdict(scan.scanner),
        "grid": dataclasses.asdict(inputs.grid),
        "psf": inputs.psf,
        "list_mode": request.list_mode,
        "mu": file_name(request.mu),
        "norm": file_name(request.norm),
        "mask": file_name(request.mask),
        "unit": image.unit,
        "prompts": counts.tolist(),
        "engine": {
            "executor": request.engine,
            "workers": request.workers or default_workers(),
            "workers_lost": lost,
        },
        "blocks_done": made.blocks,
        "blocks_resumed": made.resumed,
        "checks": list(remarks),
        **run_record(Names.verb, request.command, request.seed, watch),
    }
    sd, variation = made.sd, made.variation
    return ReconstructResult(
        image=image,
        counts=counts,
        run=run,
        remarks=tuple(remarks),
        names=names,
        sd=sd if dynamic or sd is None else sd[..., 0],
        variation=variation if dynamic or variation is None else variation[..., 0],
    )


def _like(image: PetImage, data: np.ndarray) -> PetImage:
    return dataclasses.replace(image, data=data)


def _provenance(result: ReconstructResult) -> dict[str, Any]:
    run = result.run
    kept = ("method", "settings", "prior", "psf", "mu", "norm", "seed", "versions", "checks")
    return {name: run[name] for name in kept}
