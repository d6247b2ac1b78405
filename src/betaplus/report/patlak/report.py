"""The report of the patlak verb: maps, comparison, residuals, regions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.pipeline.patlak.outputs import map_unit
from betaplus.pipeline.patlak.regions import outside
from betaplus.pipeline.patlak.result import PatlakRun
from betaplus.report.elements import (
    Html,
    details,
    facts,
    field_list,
    format_number,
    format_unit,
    table,
    to_html,
)
from betaplus.report.figures import centre, gallery, input_panel, orthogonal_slices
from betaplus.report.figures.motion import add_motion
from betaplus.report.figures.volumes import colour_range
from betaplus.report.page import Page
from betaplus.report.patlak.comparison import beside_wls
from betaplus.report.patlak.frames import patlak_plot, residual_plot
from betaplus.report.references import add_references
from betaplus.report.viewer import Layer, curves_of, slice_viewer

__all__ = ["patlak_report"]

_ROWS = 80
_MAPS = (
    "Click into a slice or move a slider: all slices follow. Voxels as computed, without smoothing."
    " Colours end where a few voxels stand out, and each can be stretched. The left of the picture"
    " is the left of the world: of a patient who lies head first and supine, the left."
)
_COMPARED = (
    "Weighted least squares look at every voxel for itself and are unbiased, but noisy. The"
    " difference should look like noise: an organ or a lesion that can be seen in it was changed."
    " Joint histogram of the voxels of the mask, logarithmic."
)
_FITTED = (
    "Above, the mean curve of the mask: from t* on it should be a line. Residuals are those of"
    " single voxels, weighted so that noise alone gives frames about the same height (less at both"
    " ends, which draw the line): a frame that stands out was misread (motion, a wrong time, blood)"
    " or t* is too early. What a method leaves beyond wls is what it took for noise."
)
_REGIONS = (
    "The estimate is the mean of least squares over the region, with the SD and the 90 % interval"
    " that the noise of the frames gives it. Beside it is the mean of the maps above: where that"
    " lies outside the interval, the maps are off for the region as a whole, and the estimate is"
    " what can be quoted. Of maps without error about one in ten would be outside."
)


def patlak_report(path: str | Path, result: PatlakRun) -> Path:
    """Write the report of Patlak maps; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.patlak.run_patlak`.

    Raises:
        OutputError: If the file cannot be written.
    """
    run, fit, names = result.run, result.fit, result.names
    kind = "Relative Patlak plot" if names.relative else "Patlak plot"
    page = Page(
        f"Ki and V0 of {run['input']}",
        f"{kind} by {run['method']}. {run['t_star_rule']}.",
        header={"Verb": "patlak", "Method": run["method"],
                "Date": run["date"][:16].replace("T", " "), "Version": __version__},
        remarks=list(result.remarks),
    )  # fmt: skip
    page.add_section("Data", facts(_facts(result)))
    page.add_section("Maps", [_viewer(result), _table(result), _maps(result)], _MAPS)
    if result.wls is not None:
        page.add_section("Beside weighted least squares", _compared(result), _COMPARED)
    pictures = [
        patlak_plot(fit, run["delay_s"]),
        residual_plot(fit.study, result.residual, result.wls_residual, run["method"]),
    ]
    page.add_section("Curve and residuals", gallery(pictures), _FITTED)
    page.add_section("Input function", input_panel(fit.study.curve, result.samples))
    if result.regions is not None and result.regions["region"]:
        page.add_section("Regions", _regions(result), _REGIONS)
    add_motion(page, run)
    add_references(page, "patlak", run["method"])
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


def _facts(result: PatlakRun) -> list[tuple[object, object]]:
    run, study = result.run, result.fit.study
    x, y, z = run["voxel_mm"]
    pairs: list[tuple[object, object]] = [
        (f"{run['fitted']:,}", f"voxels of {x:.3g} x {y:.3g} x {z:.3g} mm"),
        (f"{len(study.used)} of {study.image.n_frames}", "frames used"),
        (f"{study.t_star / 60:.3g} min", "t*"),
        (f"{run['timings_s']['fit']:.1f} s", run["method"]),
    ]
    if run["prior"] is not None:
        pairs.append((run["prior"]["bundle"], "prior"))
    return pairs


def _units(result: PatlakRun) -> dict[str, str]:
    return {name: map_unit(name, result.names.relative) for name in result.fit.maps}


def _table(result: PatlakRun) -> Any:
    mask = result.fit.study.problem.mask.numpy()
    rows = []
    for name, unit in _units(result).items():
        values = result.fit.maps[name][mask]
        q = np.percentile(values, (5, 50, 95))
        row = [name, format_unit(unit), values.mean(dtype=np.float64), *q]
        if result.fit.std is not None:
            row.append(np.median(result.fit.std[name][mask]))
        rows.append([*row[:2], *(format_number(v) for v in row[2:])])
    head = ["", "unit", "mean", "5th percentile", "median", "95th percentile"]
    if result.fit.std is not None:
        head.append("median SD")
    return table(head, rows, text_columns=2, caption="Over the voxels of the mask")


def _viewer(result: PatlakRun) -> Html:
    fit = result.fit
    std, wls = fit.std, result.wls
    groups = {}
    for name, unit in _units(result).items():
        layers = [Layer(name if std is None else "mean", fit.maps[name], unit)]
        if std is not None:
            layers.append(Layer("SD", std[name], unit, "sd"))
        if wls is not None:
            mask = fit.study.problem.mask.numpy()
            ends = colour_range(np.asarray(fit.maps[name])[mask])
            layers.append(Layer("weighted least squares", wls[name], unit, ends=ends))
        groups[name] = layers
    image, mask = fit.study.image, fit.study.problem.mask.numpy()
    curves = curves_of(image, mask)
    return slice_viewer(
        groups, image.affine, mask=mask, at=centre(mask, image.affine), curves=curves
    )


def _maps(result: PatlakRun) -> Html:
    fit = result.fit
    mask, affine = fit.study.problem.mask.numpy(), fit.study.image.affine
    at = centre(mask, affine)
    pictures = [
        orthogonal_slices(
            fit.maps[name], affine, name, unit, None if fit.std is None else fit.std[name],
            mask=mask, at=at,
        )
        for name, unit in _units(result).items()
    ]  # fmt: skip
    return details("The maps as pictures", Html("".join(to_html(p) for p in pictures)))


def _compared(result: PatlakRun) -> list[object]:
    fit = result.fit
    assert result.wls is not None
    mask, affine = fit.study.problem.mask.numpy(), fit.study.image.affine
    return [
        beside_wls(result.wls[name], fit.maps[name], mask, affine, name, unit, fit.method)
        for name, unit in _units(result).items()
    ]


def _regions(result: PatlakRun) -> list[object]:
    columns: Mapping[str, Any] = result.regions or {}
    head: list[object] = ["region", "volume [mL]"]
    off = {}
    for name, unit in _units(result).items():
        head += [f"{name} [{format_unit(unit)}]", "SD", "90 % interval", f"{name} of maps"]
        off[name] = outside(columns, name)
    rows = []
    for i, region in enumerate(columns["region"][:_ROWS]):
        row: list[object] = [region, format_number(columns["volume_ml"][i])]
        for name, flags in off.items():
            mean, sd, low, high, maps = (
                format_number(columns[name + end][i])
                for end in ("", "-sd", "-q05", "-q95", "-maps")
            )
            row += [mean, sd, f"{low} to {high}", f"{maps} (outside)" if flags[i] else maps]
        rows.append(row)
    omitted = len(columns["region"]) - len(rows)
    more = f"The first {_ROWS}; the table has {omitted} more." if omitted else ""
    return [table(head, rows, caption=more)]
