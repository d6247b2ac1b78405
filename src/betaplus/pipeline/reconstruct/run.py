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
from betaplus.engine import Journal, content_key, default_workers
from betaplus.engine.plan import Block
from betaplus.io.derivatives import source_stem, write_dataset_description, write_image
from betaplus.pipeline.reconstruct.inputs import Inputs, load_inputs
from betaplus.pipeline.reconstruct.request import Names, Options, ReconstructRequest, check_options
from betaplus.pipeline.run_record import (
    RESULT_VERSIONS,
    Stopwatch,
    file_name,
    run_record,
    versions,
)
from betaplus.pipeline.run_steps import finish, open_journal, sweep
from betaplus.reconstruction.reconstruct import FrameReconstructor, model_of

__all__ = ["ReconstructResult", "run_reconstruct"]


@dataclass(frozen=True, eq=False, kw_only=True)
class ReconstructResult:
    """What a run found and wrote.

    Attributes:
        image: The image.
        counts: Prompts of each frame, shape (T,).
        run: The run record.
        remarks: What was left out or taken for granted.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    image: PetImage
    counts: np.ndarray
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
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
    names = Names(Path(request.out), source_stem(request.source), request.method)
    outputs = [names.image, *([names.report] if report is not None else [])]
    key = content_key(inputs.files, _keyed(request, options, inputs), versions(RESULT_VERSIONS))
    with open_journal(request, names, key, outputs) as journal:
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        result = _analyse(request, options, inputs, names, journal, watch, progress)
        result = dataclasses.replace(result, paths=tuple(outputs))
        with watch.stage("write"):
            names.out.mkdir(parents=True, exist_ok=True)
            write_dataset_description(names.out, "betaplus reconstruct")
            write_image(names.image, result.image, {"betaplus": _provenance(result)})
        return finish(request, result, journal, watch, report)


def _keyed(request: ReconstructRequest, options: Options, inputs: Inputs) -> dict[str, Any]:
    return {
        "method": request.method,
        "settings": options.settings,
        "grid": inputs.grid,
        "psf": inputs.psf,
        "list_mode": request.list_mode,
        "scanner": inputs.scan.scanner,
        "seed": request.seed,
    }


def _analyse(
    request: ReconstructRequest,
    options: Options,
    inputs: Inputs,
    names: Names,
    journal: Journal,
    watch: Stopwatch,
    progress: Progress,
) -> ReconstructResult:
    scan, grid = inputs.scan, inputs.grid
    with watch.stage("reconstruct"):
        model = model_of(scan, efficiency=inputs.efficiency, attenuation=inputs.attenuation)
        frames = FrameReconstructor(
            scan,
            model,
            grid,
            method=request.method,
            settings=dataclasses.asdict(options.settings),
            psf=inputs.psf,
            mask=inputs.mask,
            threads=request.workers,
            events=inputs.events,
        )
        data = np.empty((*grid.shape, scan.n_frames), dtype=np.float32)
        resumed = 0
        for n in range(scan.n_frames):
            part = (slice(n, n + 1),)
            block = Block(n, part, part, request.seed)
            found = journal.load(block)
            if found is None:
                found = {"image": frames.frame(n, progress)}
                journal.save(block, found)
            else:
                resumed += 1
            data[..., n] = found["image"]
    counts = np.array([float(np.sum(scan.prompts[n], dtype=float)) for n in range(scan.n_frames)])
    dynamic = scan.n_frames > 1 and scan.frames is not None
    remarks = dict.fromkeys((*scan.remarks, *inputs.remarks, *model.remarks, *journal.remarks))
    if frames.unit is None:
        remarks["the image has no unit: the data do not hold the scanner's sensitivity"] = None
    if frames.dropped:
        remarks[f"{frames.dropped:,} prompts on lines without sensitivity left out"] = None
    corrected = frames.unit is not None and scan.tracer is not None
    image = PetImage(
        data=data if dynamic else data[..., 0],
        affine=grid.affine,
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
        "method": request.method,
        "settings": dataclasses.asdict(options.settings),
        "scanner": dataclasses.asdict(scan.scanner),
        "grid": dataclasses.asdict(grid),
        "psf": inputs.psf,
        "list_mode": request.list_mode,
        "mu": file_name(request.mu),
        "norm": file_name(request.norm),
        "mask": file_name(request.mask),
        "unit": image.unit,
        "prompts": counts.tolist(),
        "workers": request.workers or default_workers(),
        "blocks_done": scan.n_frames,
        "blocks_resumed": resumed,
        "checks": list(remarks),
        **run_record(Names.verb, request.command, request.seed, watch),
    }
    return ReconstructResult(
        image=image, counts=counts, run=run, remarks=tuple(remarks), names=names
    )


def _provenance(result: ReconstructResult) -> dict[str, Any]:
    run = result.run
    kept = ("method", "settings", "psf", "mu", "norm", "seed", "versions", "checks")
    return {name: run[name] for name in kept}
