"""The report of the separate verb: images, curves, checks, comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus import __version__
from betaplus.core.units import activity_factor
from betaplus.pipeline.separation.result import SeparateRun
from betaplus.report.elements import Html, details, facts, field_list, format_number, table, to_html
from betaplus.report.figures import centre, gallery, input_panel, orthogonal_slices
from betaplus.report.figures.motion import add_motion
from betaplus.report.page import Page
from betaplus.report.references import add_references
from betaplus.report.separation.checks import chi_square_plot, separability_bars
from betaplus.report.separation.curves import mixture_curves, tracer_curves
from betaplus.report.separation.slices import late_frames, late_mean, late_sd, slice_row
from betaplus.report.separation.viewer import separation_viewer

__all__ = ["separation_report"]

_ROWS = 80
_IMAGES = (
    "Click into a slice or move a slider: all slices follow."
    " Means over the frames that hold both tracers: the mixture as measured, each tracer"
    " decay-corrected to its own injection. Colours end where a few voxels stand out;"
    " a tracer has the same colours by every method."
)
_CURVES = (
    "Means of regions. Above, what was measured and the two parts that a method makes of it; a line"
    " marks the second injection. Below, each tracer decay-corrected to its own injection, also by"
    " linear and by extrapolation of the first tracer, which are given the means of the mixture:"
    " where methods differ much, the scan does not say which is right."
)
_CHECKS = (
    "Chi-square is the mean square of what the pair leaves of the mixture, over what noise leaves:"
    " 1 where the pair explains the frame. The noise is that which no common curve of the scan"
    " explains, so that chi-square does not depend on the method's own model. A frame that stands"
    " out was moved, misread or is not described by the model. A pass does not say that the parts"
    " are right: what one tracer has lost and the other gained leaves no residual. For that there"
    " is the bound at the right: by how much the SD of any unbiased estimate grows because both"
    " tracers are in the scan, for grey matter in this protocol. Above 3 what a method shows leans"
    " on what it expected."
)


def separation_report(path: str | Path, result: SeparateRun) -> Path:
    """Write the report of a separation; return its path.

    Args:
        path: The HTML file to write.
        result: From `betaplus.pipeline.separation.run_separate`.

    Raises:
        OutputError: If the file cannot be written.
    """
    run = result.run
    a, b = (one.label for one in result.fit.study.tracers)
    page = Page(
        f"{a} and {b} of {run['input']}",
        f"Two tracers of one scan, {b} injected {run['delay_s'] / 60:.3g} min after {a}; by"
        f" {run['method']}.",
        header={"Verb": "separate", "Method": run["method"],
                "Date": run["date"][:16].replace("T", " "), "Version": __version__},
        warnings=list(result.warnings),
        remarks=list(result.remarks),
    )  # fmt: skip
    page.add_section("Data", facts(_facts(result)))
    page.add_section("Images", _images(result), _IMAGES)
    curves = [mixture_curves(result), *(tracer_curves(result, i) for i in (0, 1))]
    page.add_section("Curves", curves, _CURVES)
    plots = [chi_square_plot(result), separability_bars(result)]
    page.add_section(
        "Checks", [gallery(p for p in plots if p is not None), _chi_table(result)], _CHECKS
    )
    page.add_section("Beside other methods", _compared(result))
    shown = _inputs(result)
    if shown:
        page.add_section("Input functions", shown)
    add_motion(page, run)
    add_references(page, "separate", run["method"])
    page.add_section("Settings", details("Run", field_list(run)))
    return page.write(path)


def _facts(result: SeparateRun) -> list[tuple[object, object]]:
    run = result.run
    x, y, z = run["voxel_mm"]
    pairs: list[tuple[object, object]] = [
        (f"{run['fitted']:,}", f"voxels of {x:.3g} x {y:.3g} x {z:.3g} mm"),
        (f"{result.fit.study.image.n_frames}", "frames"),
        (f"{run['delay_s'] / 60:.3g} min", "between the injections"),
        (f"{run['mixing']['chi2']:.2f}", f"mixing chi-square: {run['mixing']['flag']}"),
        (f"{run['timings_s']['fit']:.1f} s", run["method"]),
    ]
    if run["network"] is not None:
        pairs.append((run["network"]["bundle"], "network"))
    return pairs


def _images(result: SeparateRun) -> list[object]:
    still = Html("".join(to_html(p) for p in _slices(result)))
    return [separation_viewer(result), slice_row(result), details("The tracers as pictures", still)]


def _slices(result: SeparateRun) -> list[object]:
    fit = result.fit
    mask, affine = fit.study.problem.mask.numpy(), fit.study.image.affine
    at = centre(mask, affine)
    kilo = activity_factor("Bq/mL", "kBq/mL")
    pictures: list[object] = []
    for i, one in enumerate(fit.study.tracers):
        sd = late_sd(result, i)
        sd = None if sd is None else sd * kilo
        pictures.append(
            orthogonal_slices(
                late_mean(result, i) * kilo, affine, one.label, "kBq/mL", sd, mask=mask, at=at
            )
        )
    return pictures


def _chi_table(result: SeparateRun) -> Html:
    check = result.check
    rows = []
    for r, name in enumerate(check.names[:_ROWS]):
        chi = check.chi_square[r]
        worst = "n/a"
        if np.isfinite(chi).any():
            f = int(np.nanargmax(chi))
            worst = f"{format_number(chi[f])} (frame {f + 1})"
        rows.append([name, check.flags[r], format_number(check.overall[r]), worst])
    head = ["region", "", "chi-square", "largest of a frame"]
    return table(head, rows, text_columns=2, caption="What the pair leaves of the mixture")


def _compared(result: SeparateRun) -> list[object]:
    curves, weights = result.curves, late_frames(result)
    kilo = activity_factor("Bq/mL", "kBq/mL")
    methods = {result.fit.method: curves.pair, **curves.references}
    tables: list[object] = []
    for i, one in enumerate(result.fit.study.tracers):
        rows = [
            [name, *(format_number(kilo * float(x[i, r] @ weights)) for x in methods.values())]
            for r, name in enumerate(curves.names[:_ROWS])
        ]
        caption = f"{one.label}: mean over the frames with both tracers [kBq/mL]"
        tables.append(table(["region", *methods], rows, caption=caption))
    return tables


def _inputs(result: SeparateRun) -> list[object]:
    study = result.fit.study
    shown: list[object] = []
    for i, samples in enumerate(study.problem.blood):
        if samples is not None:
            curve = samples.curve(float(study.mixing.own_frames(i).end[-1]))
            shown.append(input_panel(curve, samples))
    return shown
