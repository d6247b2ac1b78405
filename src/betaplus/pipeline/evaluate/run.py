"""The evaluate verb from files to files."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.images import Realisations
from betaplus.io.derivatives import write_dataset_description, write_json
from betaplus.pipeline.evaluate.inputs import Inputs, frames_of, load_inputs
from betaplus.pipeline.evaluate.measure import ReferenceFrame, Row, measure
from betaplus.pipeline.evaluate.request import EvaluateRequest, Names, check_request
from betaplus.pipeline.evaluate.table import WHOLE, mask_text, write_tables
from betaplus.pipeline.run_record import Stopwatch, file_name, run_record

__all__ = ["EvaluateResult", "run_evaluate"]

_MOST_LINES = 12


@dataclass(frozen=True, eq=False, kw_only=True)
class EvaluateResult:
    """What a run found and wrote.

    Attributes:
        inputs: What was compared.
        rows: A row for each frame and image, frames of an image together.
        realisations: Rows over realisations, where that was asked for.
        run: The run record.
        remarks: What was found untidy and what was done about it.
        names: Where the outputs are.
        paths: Files written, without sidecars.
    """

    inputs: Inputs
    rows: tuple[Row, ...]
    realisations: tuple[dict[str, Any], ...]
    run: dict[str, Any]
    remarks: tuple[str, ...]
    names: Names
    paths: tuple[Path, ...] = field(default=())

    @property
    def summary(self) -> list[str]:
        """A few plain lines about the run."""
        lines = []
        over = f" (medians of {self.inputs.n_frames} frames)" * (self.inputs.n_frames > 1)
        for name in self.inputs.names[:_MOST_LINES]:
            found = {
                column: _median([r.metrics[column] for r in self.rows if r.image == name])
                for column in ("NRMSE", "PSNR", "SSIM", "bias")
            }
            lines.append(
                f"{name}: NRMSE {found['NRMSE']:.2f} %, PSNR {found['PSNR']:.2f} dB,"
                f" SSIM {found['SSIM']:.4f}, bias {round(found['bias'], 2) + 0.0:+.2f} %{over}"
            )
        if len(self.inputs.names) > _MOST_LINES:
            lines.append(f"... and {len(self.inputs.names) - _MOST_LINES} more images")
        whole = [row for row in self.realisations if row["region"] == WHOLE]
        if whole:
            bias, sd = (_median([row[column] for row in whole]) for column in ("bias", "sd"))
            lines.append(
                f"over {whole[0]['realisations']} realisations: bias {bias:.2f} %, SD {sd:.2f} %"
                f"{over}"
            )
        lines += [f"remark: {text}" for text in self.remarks]
        lines.append(f"{len(self.paths)} files in {self.names.out}")
        if self.names.report in self.paths:
            lines.append(f"report: {self.names.report}")
        return lines


def run_evaluate(
    request: EvaluateRequest,
    progress: Progress | None = None,
    report: Callable[[Path, EvaluateResult], None] | None = None,
) -> EvaluateResult:
    """Run the evaluate verb.

    Everything is read and measured before anything is written; the record is written last.

    Args:
        request: What to do.
        progress: What to report to.
        report: Writes the HTML report to a path, or None for no report.

    Raises:
        InputError: If an image cannot be used or is not on the grid of the reference.
        UsageError: If options contradict each other.
        OutputError: If outputs exist already or cannot be written.
    """
    watch = Stopwatch()
    with watch.stage("read"):
        names = check_request(request)
        inputs = load_inputs(request)
    with watch.stage("measure"):
        rows, over, remarks = _measure(inputs, request.realisations, progress or Silent())
    remarks = [*inputs.remarks, *remarks]
    about = {
        "reference": Path(request.reference).name,
        "images": list(inputs.names),
        "std": [path.name for path in request.std],
        "mask": mask_text(inputs) if request.mask is None else Path(request.mask).name,
        "regions": file_name(request.regions),
        "background": [inputs.regions[label] for label in inputs.background],
        "realisations": request.realisations,
        "unit": inputs.unit or None,
        "frames": inputs.n_frames,
        "checks": remarks,
    }
    result = EvaluateResult(
        inputs=inputs,
        rows=tuple(rows),
        realisations=tuple(over),
        run={**about, **run_record(names.verb, request.command, 0, watch)},
        remarks=tuple(remarks),
        names=names,
    )
    with _all_or_nothing(names):
        with watch.stage("write"):
            where = {
                "images": names.images,
                "regions": names.regions,
                "realisations": names.realisations,
            }
            paths = write_tables(inputs, rows, over, where)
        if report is not None:
            with watch.stage("report"):
                report(names.report, result)
            paths.append(names.report)
        write_dataset_description(names.out, "betaplus evaluate")
        shared = run_record(names.verb, request.command, 0, watch)
        run = {**about, **shared, "outputs": [path.name for path in paths]}
        write_json(names.record, run)
    _drop_earlier(names, paths)
    return replace(result, run=run, paths=(*paths, names.record))


def _measure(
    inputs: Inputs, realisations: bool, progress: Progress
) -> tuple[list[Row], list[dict[str, Any]], list[str]]:
    """Measure frame by frame, so that one frame of each image is in memory."""
    rows: list[Row] = []
    over: list[dict[str, Any]] = []
    lost: dict[str, int] = {}
    empty = []
    images = [frames_of(file) for file in inputs.images]
    sds = [frames_of(file) for file in inputs.std]
    progress.start("evaluate", inputs.n_frames * len(images))
    try:
        for t, voxels in enumerate(frames_of(inputs.reference)):
            reference = ReferenceFrame.of(voxels, inputs, t)
            if not np.any(reference.values[reference.mask]):
                empty.append(t + 1)
            running = Realisations()
            for k, stream in enumerate(images):
                values = next(stream)
                std = next(sds[k]) if sds else None
                row, absent = measure(values, std, reference, inputs, k)
                if absent:
                    lost[row.image] = lost.get(row.image, 0) + absent
                if realisations:
                    running.add(values[reference.needed])
                rows.append(row)
                progress.advance()
            if realisations:
                over += _over_realisations(running, reference, inputs)
    finally:
        progress.finish()
    for stream in (*images, *sds):
        next(stream, None)  # the end of a gzip file is checked there
    if len(empty) == inputs.n_frames:
        raise InputError(
            f"{inputs.reference.header.path.name} is 0 throughout the mask"
            if inputs.mask is not None
            else f"{inputs.reference.header.path.name} has no voxel above 0",
            "expected a reference with activity",
        )
    remarks = [
        f"{count} voxels of {name} outside the mask are no numbers and were taken as 0 (SSIM)"
        for name, count in lost.items()
    ]
    if empty:
        which = ", ".join(map(str, empty[:6])) + (" ..." if len(empty) > 6 else "")
        remarks.append(f"the reference is 0 in the mask in frames {which}: measures are n/a there")
    equal = sorted({row.image for row in rows if row.metrics["PSNR"] == math.inf})
    remarks += [f"{name} equals the reference in the mask: PSNR is n/a" for name in equal]
    order = {name: k for k, name in enumerate(inputs.names)}
    return sorted(rows, key=lambda row: (order[row.image], row.frame)), over, remarks


def _over_realisations(
    running: Realisations, reference: ReferenceFrame, inputs: Inputs
) -> Iterator[dict[str, Any]]:
    truth = reference.values[reference.needed]
    parts = {WHOLE: reference.mask}
    if inputs.labels is not None:
        parts |= {name: inputs.labels == label for label, name in inputs.regions.items()}
    for name, part in parts.items():
        row: dict[str, Any] = {
            "frame": reference.frame + 1,
            "region": name,
            "realisations": running.count,
            "voxels": int(part.sum()),
            "bias": math.nan,
            "bias-uncorrected": math.nan,
            "sd": math.nan,
        }
        if part.any():
            found = running.against(truth, part[reference.needed])
            row |= {
                "bias": found.bias,
                "bias-uncorrected": found.bias_uncorrected,
                "sd": found.sd,
            }
        yield row


@contextlib.contextmanager
def _all_or_nothing(names: Names) -> Iterator[None]:
    """Leave the folder without new files if what is inside fails."""
    folder_was_there = names.out.exists()
    described = [names.out / "dataset_description.json", names.out / ".bidsignore"]
    before = {path for path in (*names.everything, *described) if path.exists()}
    try:
        yield
    except BaseException:
        for path in (*names.everything, *described):
            if path not in before:
                path.unlink(missing_ok=True)
        if not folder_was_there:
            with contextlib.suppress(OSError):
                names.out.rmdir()
        raise


def _drop_earlier(names: Names, paths: Sequence[Path]) -> None:
    """Remove what an earlier run wrote and this one did not."""
    kept = {names.record, *paths, *(path.with_suffix(".json") for path in paths)}
    for path in names.everything:
        if path not in kept:
            path.unlink(missing_ok=True)


def _median(values: Sequence[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return float(np.median(known)) if known else math.nan
