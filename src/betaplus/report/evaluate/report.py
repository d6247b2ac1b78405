"""The report of the evaluate verb: tables, slices on one colour scale, uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.evaluation.coverage import INTERVALS
from betaplus.io.nifti import LazyNifti
from betaplus.pipeline.evaluate import EvaluateResult
from betaplus.pipeline.evaluate.measure import Row, coverage_column
from betaplus.pipeline.evaluate.table import COLUMNS, mask_text
from betaplus.report.elements import Html, details, facts, field_list, format_number, table, to_html
from betaplus.report.evaluate.comparison import Shown, comparison_panel, shared_ranges
from betaplus.report.evaluate.uncertainty import uncertainty_panel
from betaplus.report.figures.volumes import colour_range
from betaplus.report.page import Page
from betaplus.report.viewer import Layer, slice_viewer

__all__ = ["evaluate_report"]

_MOST_IMAGES = 8
_A_PICTURE = 4  # images beside the reference in one figure
_ROW_LIMIT = 200
_UNCERTAINTY = (*(coverage_column(p) for p in INTERVALS), "z-mean", "z-sd", "AUSE")


def evaluate_report(path: str | Path, result: EvaluateResult) -> Path:
    """Write the report of images against a reference; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.evaluate.run_evaluate`; the images of the frame that is
            drawn are read again.

    Raises:
        OutputError: If the file cannot be written.
    """
    inputs, run = result.inputs, result.run
    count = len(inputs.names)
    what = f"{count} image{'s' if count != 1 else ''}"
    frames = f", {inputs.n_frames} frames each" if inputs.n_frames > 1 else ""
    page = Page(
        f"Evaluation against {run['reference']}",
        f"{what}{frames}; measures over the {mask_text(inputs)}.",
        header={"Verb": "evaluate", "Date": run["date"][:16].replace("T", " "),
                "Version": __version__},
        remarks=result.remarks,
    )  # fmt: skip
    page.add_section("Errors", _errors(result), _definitions(result.rows[0].metrics))
    page.add_section("Images", _pictures(result), _PICTURE_NOTE)
    if result.realisations:
        page.add_section("Realisations", _realisations(result), _REALISATIONS_NOTE)
    if inputs.std:
        page.add_section("Uncertainty", _uncertainty(result), _UNCERTAINTY_NOTE)
    if inputs.regions:
        page.add_section("Regions", _regions(result), _regions_note(inputs.background))
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


_PICTURE_NOTE = (
    "Click into a slice or move a slider: all slices follow. Voxels as they are, without"
    " smoothing; all images in the colours of the reference, all"
    " differences (image \u2212 reference) in one scale around 0; scales end at the 99.5th"
    " percentile in the mask; the left of the picture is the left of the subject."
)
_REALISATIONS_NOTE = (
    "In percent of the norm of the reference. The bias is that of the mean over realisations, with"
    " the noise that is left in that mean taken off (variance / R); bias\u00b2 + SD\u00b2 is the"
    " mean squared NRMSE."
)
_UNCERTAINTY_NOTE = (
    "Coverage is the share of voxels whose reference lies in image \u00b1 z SD. z is (image \u2212"
    " reference) / SD. For the sparsification error voxels are removed in the order of their SD and"
    " in that of their error; AUSE is the area between the two curves of relative RMSE, 0 where"
    " the SD ranks the errors perfectly."
)


def _errors(result: EvaluateResult) -> list[Html]:
    rows = result.rows
    content = []
    if len(rows) == 1:
        m = rows[0].metrics
        numbers = [
            (f"{m['NRMSE']:.2f} %", "NRMSE"),
            (f"{m['PSNR']:.2f} dB", "PSNR"),
            (f"{m['SSIM']:.4f}", "SSIM"),
            (f"{m['bias']:+.2f} %".replace("-", "\u2212"), "bias"),
        ]
        content.append(facts(numbers))
    columns = [c for c in rows[0].metrics if c not in _UNCERTAINTY]
    return [*content, _table(result, rows, columns)]


def _uncertainty(result: EvaluateResult) -> list[object]:
    columns = [c for c in _UNCERTAINTY if c in result.rows[0].metrics]
    t = _frame(result)
    chosen = [r for r in result.rows if r.frame == t + 1 and r.sparsification is not None]
    chosen = chosen[:_A_PICTURE]
    pieces: list[object] = [_table(result, result.rows, columns)]
    if chosen:
        coverage = {r.image: [r.metrics[coverage_column(p)] for p in INTERVALS] for r in chosen}
        curves = {r.image: r.sparsification for r in chosen if r.sparsification is not None}
        pieces.append(uncertainty_panel(INTERVALS, coverage, curves, caption=_which(result, t)))
    return pieces


def _regions(result: EvaluateResult) -> Html:
    columns = [c for c in result.rows[0].regions[0] if c not in ("region", "label")]
    rows = [(row, part) for row in result.rows for part in row.regions]
    body = [
        [*_place(result, row), str(part["region"]), *(_number(c, part[c]) for c in columns)]
        for row, part in rows[:_ROW_LIMIT]
    ]
    places = ["image", *(["frame"] if result.inputs.n_frames > 1 else []), "region"]
    head = [*places, *(_heading(c, result.inputs.unit) for c in columns)]
    return table(
        head, body, text_columns=len(places), caption=_cut(len(rows), "evaluation_regions.tsv")
    )


def _realisations(result: EvaluateResult) -> Html:
    rows = result.realisations
    body = [
        [
            row["region"],
            *([row["frame"]] if result.inputs.n_frames > 1 else []),
            f"{row['voxels']:,}",
            row["realisations"],
            *(format_number(row[c]) for c in ("bias", "bias-uncorrected", "sd")),
        ]
        for row in rows[:_ROW_LIMIT]
    ]
    frame = ["frame"] if result.inputs.n_frames > 1 else []
    head = ["region", *frame, "voxels", "R", "bias [%]", "uncorrected [%]", "SD [%]"]
    return table(head, body, caption=_cut(len(rows), "evaluation_realisations.tsv"))


def _table(result: EvaluateResult, rows: Sequence[Row], columns: Sequence[str]) -> Html:
    body = [
        [*_place(result, row), *(_number(c, row.metrics[c]) for c in columns)]
        for row in rows[:_ROW_LIMIT]
    ]
    places = ["image", *(["frame"] if result.inputs.n_frames > 1 else [])]
    head = [*places, *(_heading(c, result.inputs.unit) for c in columns)]
    return table(head, body, text_columns=len(places), caption=_cut(len(rows), "evaluation.tsv"))


def _place(result: EvaluateResult, row: Row) -> list[object]:
    return [row.image, *([row.frame] if result.inputs.n_frames > 1 else [])]


def _cut(count: int, name: str) -> str:
    return f"The first {_ROW_LIMIT} of {count:,} rows; {name} has all." * (count > _ROW_LIMIT)


def _heading(column: str, unit: str) -> Html:
    of = COLUMNS[column][0]
    of = unit if of == "unit" else "" if of == "1" else of
    return Html(f"{to_html(column)}<small>{to_html(of) or '&nbsp;'}</small>")


def _number(column: str, value: Any) -> str:
    if column == "voxels":
        return f"{value:,}"
    return format_number(value, 4 if column in ("PSNR", "SSIM") else 3)


def _definitions(metrics: Mapping[str, float]) -> str:
    shown = [c for c in metrics if c not in _UNCERTAINTY and c != "voxels"]
    return "; ".join(f"{c}: {COLUMNS[c][1]}" for c in shown) + "."


def _regions_note(background: Sequence[int]) -> str:
    text = "Whole labels, inside the mask or not. " + f"bias: {COLUMNS['bias'][1]}."
    return text + (f" CRC: {COLUMNS['CRC'][1]}." if background else "")


def _frame(result: EvaluateResult) -> int:
    """The last frame in which something could be measured."""
    return max(r.frame for r in result.rows if math.isfinite(r.metrics["NRMSE"])) - 1


def _which(result: EvaluateResult, t: int) -> str:
    return f"Frame {t + 1}" if result.inputs.n_frames > 1 else ""


def _pictures(result: EvaluateResult) -> list[object]:
    inputs, t = result.inputs, _frame(result)
    reference = _volume(inputs.reference, t)
    mask = reference > 0 if inputs.mask is None else inputs.mask
    rows = {r.image: r for r in result.rows if r.frame == t + 1}
    images = []
    for k, name in enumerate(inputs.names[:_MOST_IMAGES]):
        std = _volume(inputs.std[k], t) if inputs.std else None
        note = f"NRMSE {rows[name].metrics['NRMSE']:.1f} %"
        images.append(Shown(Path(name).name, note, _volume(inputs.images[k], t), std))
    ranges = shared_ranges(reference, images, mask)
    pieces: list[object] = [_viewer(result, reference, images, mask)]
    for start in range(0, len(images), _A_PICTURE):
        part = images[start : start + _A_PICTURE]
        pieces.append(
            comparison_panel(
                reference, part, mask, inputs.affine, inputs.unit, ranges,
                caption=_which(result, t),
            )
        )  # fmt: skip
    if len(inputs.names) > _MOST_IMAGES:
        pieces.append(f"The first {_MOST_IMAGES} of {len(inputs.names)} images are drawn.")
    return pieces


def _viewer(
    result: EvaluateResult, reference: np.ndarray, images: Sequence[Shown], mask: np.ndarray
) -> Html:
    """Return the viewer: reference, image and difference, one image after the other."""
    unit = result.inputs.unit
    ends = colour_range(reference[mask])
    apart = colour_range(np.abs((images[0].values - reference)[mask]))[1]
    groups = {}
    for k, shown in enumerate(images):
        layers = [
            Layer("reference", reference, unit, "value", ends),
            Layer("image", shown.values, unit, "value", ends),
            Layer(
                "image \u2212 reference", shown.values - reference, unit, "signed", (-apart, apart)
            ),
        ]
        if shown.std is not None:
            layers.append(Layer("SD", shown.std, unit, "sd"))
        groups[shown.name if shown.name not in groups else f"{shown.name} ({k + 1})"] = layers
    return slice_viewer(groups, result.inputs.affine, mask=mask, named=False)


def _volume(file: LazyNifti, t: int) -> np.ndarray:
    return file.read() if file.ndim == 3 else file[..., t]
