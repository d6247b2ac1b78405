"""The denoise verb: an image to its mean without noise, frame by frame."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.denoising.ranks import Ranks
from betaplus.engine import Journal, Key, content_key
from betaplus.generative.distributed import join_team
from betaplus.io.derivatives import source_stem, write_dataset_description
from betaplus.io.nifti import open_nifti
from betaplus.io.suv import to_suv
from betaplus.pipeline.denoise.inputs import Inputs, load_inputs
from betaplus.pipeline.denoise.regions import RegionRow, write_regions
from betaplus.pipeline.denoise.request import DenoiseRequest, Names, check_options
from betaplus.pipeline.denoise.views import Views, make_views
from betaplus.pipeline.frame_files import write_frames
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

__all__ = ["DenoiseRun", "run_denoise"]

_SHOWN = 3  # frames in the report


@dataclass(frozen=True, eq=False, kw_only=True)
class DenoiseRun:
    """What a run found and wrote.

    Attributes:
        image: The denoised image, as it was written.
        noisy: The input, in the unit of the image.
        std: SD of draws, likewise; None where there are fewer than two.
        views: Pictures of some frames, in the unit of the input.
        regions: Means of regions, frame by frame; none where none were wanted.
        run: The run record.
        remarks: What was taken for granted, and what lies outside the training.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    image: PetImage
    noisy: PetImage
    std: PetImage | None
    views: tuple[Views, ...]
    regions: tuple[RegionRow, ...]
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    paths: tuple[Path, ...]

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        run, shape = self.run, self.image.shape
        frames = f"{self.image.n_frames} frames of " if len(shape) == 4 else ""
        levels = [one["typical"] for one in run["noise"] if one is not None]
        noise = f"{min(levels):.2g}" if levels else "0"
        if levels and f"{max(levels):.2g}" != noise:
            noise += f" to {max(levels):.2g}"
        lines = [
            f"{frames}{' x '.join(map(str, shape[:3]))} voxels in"
            f" {run['timings_s']['denoise']:.1f} s ({run['method']}, {run['suv']['SUVType']})",
            f"noise before: SD {noise} SUV where the uptake is 1 SUV",
        ]
        lines += [f"remark: {text}" for text in self.remarks]
        lines.append(f"image: {self.names.image}")
        if self.std is not None:
            lines.append(f"SD: {self.names.std}")
        if self.names.regions in self.paths:
            lines.append(f"regions: {self.names.regions}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines


@dataclass
class _Found:
    """What is gathered from frame to frame."""

    noise: list[dict[str, Any] | None]
    guard: list[dict[str, Any] | None]
    views: list[Views]
    regions: dict[int, list[RegionRow]]
    held: dict[str, np.ndarray]
    remarks: list[str]
    blocks: int = 0
    resumed: int = 0


def run_denoise(
    request: DenoiseRequest,
    progress: Progress | None = None,
    report: Callable[[Path, DenoiseRun], None] | None = None,
) -> DenoiseRun | None:
    """Run the denoise verb.

    Everything is checked before anything is written; the record is written last. Processes that
    torchrun started share the tiles of every frame; the first of them reports and writes.

    Args:
        request: What to do.
        progress: What to report to.
        report: Writes the HTML report to a path, or None for no report.

    Returns:
        What was found, or None if `--resume` met a finished run, and in all processes but the
        first.

    Raises:
        InputError: If the data cannot be used.
        UsageError: If an option is unknown or contradicts another.
        OutputError: If outputs exist already or cannot be written.
    """
    with join_team("cpu") as team:  # pieces are on the CPU when they are handed over
        return _run(request, progress or Silent(), report, Ranks(team))


def _run(
    request: DenoiseRequest,
    progress: Progress,
    report: Callable[[Path, DenoiseRun], None] | None,
    ranks: Ranks,
) -> DenoiseRun | None:
    watch = Stopwatch()
    names = Names(Path(request.out), source_stem(request.source))
    with watch.stage("read"):
        options = check_options(request, names)
        inputs = load_inputs(request, options, ranks)
    if not ranks.first:
        if ranks.first_says():
            inputs.frames.assist()
        return None
    drawn = inputs.frames.draws > 1
    images = [names.image, names.std] if drawn else [names.image]
    tables = [names.regions] if inputs.regions is not None else []
    paths = [*images, *tables, *([names.report] if report is not None else [])]
    with open_journal(request, names, _key(request, inputs), paths) as journal:
        ranks.first_says(not journal.done)
        if journal.done:
            return None
        if journal.resumed:
            sweep(names)
        progress.note(inputs.frames.memory.summary)
        with watch.stage("denoise"):
            found = _frames(inputs, journal, progress, _unit(request, inputs.image))
        with watch.stage("motion"):
            motion = check_motion(inputs.image)
        remarks = tuple(dict.fromkeys([*found.remarks, *motion.remarks, *journal.remarks]))
        run = _record(request, inputs, found, remarks, journal, watch)
        like = inputs.image
        like = to_suv(like, inputs.frames.conversion) if request.unit_out == "SUV" else like
        run["motion"] = motion.record()
        with watch.stage("write"):
            names.out.mkdir(parents=True, exist_ok=True)
            write_dataset_description(names.out, "betaplus denoise")
            for what, path in zip(("mean", "std"), images, strict=False):
                frames = _stored(inputs, journal, found, what, request.unit_out)
                about = {"betaplus": _provenance(run, what)}
                write_frames(path, frames, like, about, inputs.frames.memory.workers)
            rows = [row for t in sorted(found.regions) for row in found.regions[t]]
            if inputs.regions is not None:
                model = inputs.regions.model
                write_regions(names.regions, rows, None if model is None else model.conformal.level)
        result = DenoiseRun(
            image=dataclasses.replace(like, data=open_nifti(names.image)),
            noisy=like,
            std=dataclasses.replace(like, data=open_nifti(names.std)) if drawn else None,
            views=tuple(found.views),
            regions=tuple(rows),
            run=run | {"timings_s": {**watch.seconds, "total": watch.total}},
            remarks=remarks,
            names=names,
            paths=tuple(paths),
        )
        return finish(request, result, journal, watch, report)


def _key(request: DenoiseRequest, inputs: Inputs) -> Key:
    settings = {**inputs.frames.record(), "unit_out": request.unit_out}
    denoiser = inputs.frames.denoiser
    checksum = None if denoiser is None else denoiser.bundle.checksum
    return content_key(inputs.files, settings, versions(RESULT_VERSIONS), checksum)


def _frames(inputs: Inputs, journal: Journal, progress: Progress, unit: str) -> _Found:
    frames, image = inputs.frames, inputs.image
    shown = {int(t) for t in np.linspace(0, image.n_frames - 1, _SHOWN).round()}
    found = _Found([None] * image.n_frames, [None] * image.n_frames, [], {}, {}, [])
    found.remarks += [*image.remarks, *frames.remarks]
    if inputs.regions is not None:
        found.remarks += inputs.regions.remarks
    with contextlib.closing(frames.frames(journal, progress)) as each:
        for t, raw, result in each:
            found.noise[t], found.guard[t] = result.about["noise"], result.about["guard"]
            found.blocks += result.blocks
            found.resumed += result.resumed
            found.remarks += frames.said(result.about, _frame_name(image, t))
            if t in shown and result.about["noise"] is not None:
                views = make_views(t, raw, result.mean, result.std, image.affine)
                found.views.append(views)
            if inputs.regions is not None and result.about["noise"] is not None:
                found.regions[t] = inputs.regions.measure(
                    t, raw, result.mean, _factor(inputs, t), frames.grid, unit
                )
            if image.n_frames == 1:
                found.held = {"mean": result.mean}
                if result.std is not None:
                    found.held["std"] = result.std
    found.views.sort(key=lambda views: views.frame)
    return found


def _frame_name(image: PetImage, t: int) -> str:
    return f"frame {t + 1}" if len(image.shape) == 4 else ""


def _stored(
    inputs: Inputs, journal: Journal, found: _Found, what: str, unit: str
) -> Iterator[np.ndarray]:
    """Yield the frames of a result in order, one in memory at a time."""
    for t in range(inputs.image.n_frames):
        values = found.held[what] if found.held else inputs.frames.stored(t, journal)[what]
        if unit == "SUV":
            values = values * np.float32(_factor(inputs, t))
        yield values


def _factor(inputs: Inputs, t: int) -> float:
    """Return what makes SUV of a frame."""
    factors = inputs.frames.conversion.factor
    return float(factors[t] if factors.ndim else factors)


def _record(
    request: DenoiseRequest,
    inputs: Inputs,
    found: _Found,
    remarks: tuple[str, ...],
    journal: Journal,
    watch: Stopwatch,
) -> dict[str, Any]:
    frames, image = inputs.frames, inputs.image
    x, y, z = image.voxel_size
    return {
        "input": Path(request.source).name,
        **frames.record(),
        "unit": _unit(request, image),
        "mask": file_name(request.mask),
        "shape": list(image.shape),
        "voxel_mm": [round(v, 4) for v in (x, y, z)],
        "regions": _regions(request, inputs),
        "noise": found.noise,
        "guard": found.guard,
        "engine": engine_record(request.engine, frames.memory, frames.workers_lost),
        "blocks_done": found.blocks,
        "blocks_resumed": found.resumed,
        "checks": list(remarks),
        **run_record(Names.verb, request.command, request.seed, watch),
    }


def _unit(request: DenoiseRequest, image: PetImage) -> str:
    return image.unit if request.unit_out == "input" else "SUV"


def _regions(request: DenoiseRequest, inputs: Inputs) -> dict[str, Any] | None:
    """Return where regions are from, and what their intervals were calibrated on."""
    if inputs.regions is None or request.regions is None:
        return None
    model = inputs.regions.model
    made = None if model is None else {**model.conformal.as_dict(), **model.about}
    return {"file": Path(request.regions).name, "intervals": made}


def _provenance(run: dict[str, Any], what: str) -> dict[str, Any]:
    kept = ("method", "settings", "dose_fraction", "network", "suv", "mask", "seed", "versions",
            "noise", "guard", "checks")  # fmt: skip
    return {"statistic": what, **{name: run[name] for name in kept}}
