"""The report of the denoise verb: before and after, the noise, and what the guard found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.image import PetImage
from betaplus.pipeline.denoise import DenoiseRun
from betaplus.pipeline.denoise.regions import RegionRow
from betaplus.report.denoise.panel import before_and_after
from betaplus.report.elements import Html, details, facts, field_list, format_number, table, to_html
from betaplus.report.figures.motion import add_motion
from betaplus.report.page import Page
from betaplus.report.references import add_references
from betaplus.report.viewer import Layer, slice_viewer

__all__ = ["denoise_report"]

_ROWS = 60

_PICTURES = (
    "Click into a slice or move a slider: all slices follow. Pictures: coronal and axial slices"
    " through the middle of the activity, and projections of the largest value along the view;"
    " voxels as they are. Both images have one scale, which ends at the 95th percentile of the"
    " projection. The difference is denoised \u2212 noisy: it should look like noise, and an organ"
    " or a lesion that can be seen in it was changed. The left of the picture is the left of the"
    " world: of a patient who lies head first and supine, the left."
)
_NOISE = (
    "Read from the image itself, on the voxels that the method works on: the standard deviation of"
    " the noise where the uptake is 1 SUV (it grows with uptake to the power 0.7), its median and"
    " 5th to 95th percentile over the body, and the median of the SD over the local mean."
)
_GUARD = (
    "What the method took from the image must be noise. Where the difference holds structure"
    " beyond noise, something may have been erased or invented: look at these places in the noisy"
    " image. z is the score of the difference, smoothed by a filter of the given width."
)
_REGIONS = (
    "Means of regions before and after, and an estimate of what the mean would be without noise,"
    " in the same reconstruction, with its interval: a mean of the two with weights that"
    " simulation gave, and so is the interval. It holds for one region of a scan that is like"
    " those; regions marked 'no' are not like any that it was calibrated on. It says nothing of"
    " what the reconstruction itself does to a region: partial volume, scatter, motion."
)


def denoise_report(path: str | Path, result: DenoiseRun) -> Path:
    """Write the report of a denoised image; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.denoise.run_denoise`.

    Raises:
        OutputError: If the file cannot be written.
    """
    run = result.run
    shape = result.image.shape
    frames = f", {result.image.n_frames} frames" if len(shape) == 4 else ""
    warnings = [text for text in run["checks"] if "guard: " in text]
    page = Page(
        f"Denoising of {run['input']}",
        f"{run['method']}{frames}; computed in {run['suv']['SUVType']}, written in {run['unit']}.",
        header={"Verb": "denoise", "Method": run["method"],
                "Date": run["date"][:16].replace("T", " "), "Version": __version__},
        warnings=warnings,
        remarks=[text for text in result.remarks if text not in warnings],
    )  # fmt: skip
    page.add_section("Data", facts(_facts(result)))
    pictures = [
        before_and_after(v, run["suv"]["SourceUnits"], f"Frame {v.frame + 1}" if frames else "")
        for v in result.views
    ]
    if pictures:
        still = details("Projections and slices as pictures", Html("".join(map(to_html, pictures))))
        page.add_section("Before and after", [_viewer(result, bool(frames)), still], _PICTURES)
    else:
        page.add_section("Before and after", "Nothing to draw.")
    page.add_section("Noise", _noise(run["noise"]), _NOISE)
    if result.regions:
        page.add_section("Regions", _regions(result.regions, bool(frames)), _REGIONS)
    page.add_section("Guard", _guard(run["guard"], bool(frames)), _GUARD)
    add_motion(page, run)
    add_references(page, "denoise", run["method"])
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


def _viewer(result: DenoiseRun, several: bool) -> Html:
    """Return the viewer of some frames: noisy, denoised, what was taken out, SD of draws."""
    groups = {}
    for view in result.views:
        noisy, after = (_frame(image, view.frame) for image in (result.noisy, result.image))
        unit, ends = result.image.unit, view.ends
        layers = [
            Layer("noisy", noisy, unit, "uptake", ends["denoised"]),
            Layer("denoised", after, unit, "uptake", ends["denoised"]),
            Layer("denoised \u2212 noisy", after - noisy, unit, "signed", ends["difference"]),
        ]
        if result.std is not None:
            layers.append(Layer("SD of draws", _frame(result.std, view.frame), unit, "sd"))
        groups[f"frame {view.frame + 1}" if several else "image"] = layers
    return slice_viewer(groups, result.image.affine)


def _frame(image: PetImage, t: int) -> np.ndarray:
    """Return the voxels of a frame, shape (X, Y, Z)."""
    part = image.data[...] if len(image.shape) == 3 else image.data[..., t]
    return np.asarray(part, dtype=np.float32)


def _facts(result: DenoiseRun) -> list[tuple[object, object]]:
    run = result.run
    x, y, z = run["voxel_mm"]
    pairs: list[tuple[object, object]] = [
        (" x ".join(map(str, run["shape"][:3])), f"voxels of {x:.3g} x {y:.3g} x {z:.3g} mm"),
        (f"{run['timings_s']['denoise']:.1f} s", run["method"]),
    ]
    fraction = run["dose_fraction"]
    if fraction is not None:
        pairs.append((f"{fraction:g}", "of the usual counts, as given"))
    levels = [one["typical"] for one in run["noise"] if one is not None]
    if levels:
        pairs.append((f"{format_number(max(levels), 2)} SUV", "noise before, at 1 SUV"))
    return pairs


def _noise(levels: Sequence[Mapping[str, float] | None]) -> Html:
    rows = [
        [t + 1, *(format_number(one[k]) for k in ("typical", "low", "high", "relative"))]
        for t, one in enumerate(levels)
        if one is not None
    ]
    head = ["frame", "SD at 1 SUV", "5th percentile", "95th percentile", "SD / mean"]
    more = f"The first {_ROWS} of {len(rows)} frames; run.json has all." * (len(rows) > _ROWS)
    return table(head, rows[:_ROWS], caption=more)


def _regions(rows: Sequence[RegionRow], several: bool) -> list[object]:
    head = [*(["frame"] if several else []), "region", "volume [mL]", "noisy", "denoised",
            "estimate", "interval", "calibrated"]  # fmt: skip
    body = [
        [
            *([row.frame + 1] if several else []),
            row.name,
            format_number(row.volume_ml),
            format_number(row.noisy),
            format_number(row.denoised),
            *(
                ["", "none", ""]
                if row.low != row.low
                else [
                    format_number(row.estimate),
                    f"{format_number(row.low)} to {format_number(row.high)}",
                    "yes" if row.calibrated else "no",
                ]
            ),
        ]
        for row in rows[:_ROWS]
    ]
    more = f"The first {_ROWS} of {len(rows)} rows; the table has all. " * (len(rows) > _ROWS)
    return [table(head, body, text_columns=2 if several else 1, caption=f"{more}{rows[0].unit}")]


def _guard(found: Sequence[Mapping[str, Any] | None], several: bool) -> list[object]:
    rows = [(t, f) for t, one in enumerate(found) if one is not None for f in one["findings"]]
    searched = [one for one in found if one is not None]
    if not searched:
        return ["The guard did not run."]
    if not rows:
        volume = max(one["volume_ml"] for one in searched)
        return [f"Nothing was found in {volume:,.0f} mL."]
    head = [*(["frame"] if several else []), "finding", "centre [mm]", "width [mm]", "z",
            "image \u2212 output [SUV]", "output [SUV]"]  # fmt: skip
    body = [
        [
            *([t + 1] if several else []),
            {"erased": "more in the image: erased?", "invented": "less: invented?"}[f["sign"]],
            ", ".join(f"{c:.0f}" for c in f["centre_mm"]).replace("-", "\u2212"),
            format_number(f["width_mm"]),
            format_number(f["z"]),
            format_number(f["change_suv"]),
            format_number(f["uptake_suv"]),
        ]
        for t, f in rows[:_ROWS]
    ]
    omitted = len(rows) - len(body) + sum(one["omitted"] for one in searched)
    caption = f"{omitted} more; run.json has those that are listed." if omitted else ""
    return [table(head, body, text_columns=3 if several else 2, caption=caption)]
