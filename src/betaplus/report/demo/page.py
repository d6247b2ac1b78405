"""The demo's report: what was made, how it meets the truth, and how long it took."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.core.units import PARAMETER_UNITS
from betaplus.pipeline.demo import DemoResult
from betaplus.report.demo.agreement import intervals, truth_scatter
from betaplus.report.demo.bids import BIDS_NOTE, bids_images
from betaplus.report.demo.denoise import DENOISE_NOTE, denoise_images
from betaplus.report.demo.dicom import DICOM_NOTE, dicom_images
from betaplus.report.demo.methods import METHODS_NOTE, methods_side_by_side
from betaplus.report.demo.patlak import PATLAK_NOTE, patlak_images
from betaplus.report.demo.prior import PRIOR_NOTE, prior_images
from betaplus.report.demo.raw import RAW_NOTE, raw_images
from betaplus.report.demo.separate import separate_images, separate_note
from betaplus.report.demo.showcase import write_showcase
from betaplus.report.demo.volumes import REFERENCE_NOTE, reference_tables, total_volumes
from betaplus.report.elements import (
    Html,
    details,
    facts,
    field_list,
    format_number,
    format_unit,
    paragraphs,
    table,
    to_html,
)
from betaplus.report.figures import curve_panel, gallery, input_panel
from betaplus.report.kinetics.limits import limits, limits_of
from betaplus.report.kinetics.maps import add_diagnostics, add_maps
from betaplus.report.kinetics.regions import add_regions
from betaplus.report.page import Page
from betaplus.report.references import add_reference_list

__all__ = ["write_demo"]

_MAPS = ("K1", "Ki", "VB")
_SCATTER = ("K1", "Ki", "VB")
_INTERVALS = ("K1", "k2", "VT", "VB")
_REGIONS = ("FrontalCortex", "WhiteMatter", "Thalamus", "CerebellarCortex")
_LINKS = (
    ("kinetics/sub-01_kinetics_report.html", "all maps and settings of the FDG scan"),
    ("methods/consistency/sub-01_kinetics_report.html", "its regions by consistency"),
    ("raw/svrg/sub-01_reconstruct_report.html", "a reconstruction"),
    ("curves/exact/sub-01_kinetics_report.html", "the C-11 curves by exact"),
    ("curves/nlls/sub-01_kinetics_report.html", "the C-11 curves by nlls"),
    ("dicom/DICOM/series_patlak_report.html", "Ki from DICOM"),
    ("bids/derivatives/group_kinetics_report.html", "the group of the data set"),
)

_USED = (
    ("kinetics", "exact", "2TCM"), ("kinetics", "consistency", ""), ("kinetics", "flow", ""),
    ("kinetics", "nlls", ""), ("kinetics", "logan", ""), ("kinetics", "exact", "SRTM"),
    ("kinetics", "mrtm2", ""), ("reconstruct", "osem", ""), ("reconstruct", "svrg", ""),
    ("reconstruct", "dds", ""), ("reconstruct", "conditional", ""), ("patlak", "hqs", ""),
    ("patlak", "tv", ""),
)  # fmt: skip
"""Verb, method and model of what the page shows, for its citations."""


def write_demo(out: str | Path, result: DemoResult) -> Path:
    """Write ``demo.png`` and ``report.html`` and return the path of the latter.

    Raises:
        OutputError: If a file cannot be written.
    """
    out = Path(out)
    _picture(out / "demo.png", result)
    run = result.run
    page = Page(
        "betaplus demo",
        "A simulated FDG brain scan and simulated C-11 curves, the posteriors of their kinetics,"
        " and how these meet the truth.",
        header={
            "Method": "exact",
            "Model": "2TCM",
            "Prior": "default",
            "Date": run["date"][:16].replace("T", " "),
            "Version": run["versions"]["betaplus"],
        },
    )
    page.add_section("What was made", _overview(result))
    brain = result.brain
    if brain.maps is not None and brain.region_posterior is not None:
        chosen = {name: brain.maps[name] for name in _MAPS}
        add_maps(page, brain.posterior, chosen, brain.data.affine)
    page.add_section("Against the truth", _truth(result), _TRUTH_NOTE)
    if brain.regions is not None:
        names = brain.regions.names or ()
        shown = [n for n in _REGIONS if n in names] or list(names[:4])
        add_regions(page, brain.regions, _without_draws(brain.region_posterior), shown)
    page.add_section("Methods side by side", methods_side_by_side(result.methods), METHODS_NOTE)
    page.add_section("Input function", input_panel(brain.curve, brain.blood))
    page.add_section("C-11 curves", _curves(result), _CURVES_NOTE)
    page.add_section("Without blood", reference_tables(result), REFERENCE_NOTE)
    page.add_section("From raw counts", raw_images(result.raw), RAW_NOTE)
    page.add_section("Priors of images", prior_images(result.priors), PRIOR_NOTE)
    page.add_section("A body with few counts", denoise_images(result.denoised), DENOISE_NOTE)
    page.add_section("Ki of a body with few counts", patlak_images(result.patlak), PATLAK_NOTE)
    page.add_section(
        "Two tracers of one scan",
        separate_images(result.separate),
        separate_note(result.separate),
    )
    page.add_section("DICOM in, DICOM out", dicom_images(result.dicom), DICOM_NOTE)
    page.add_section("A data set of two people", bids_images(result.bids), BIDS_NOTE)
    add_diagnostics(page, brain.posterior)
    page.add_section("Timings", _timings(result))
    page.add_section("Limits", limits(limits_of(brain.posterior, True)))
    add_reference_list(page, _USED)
    record = {k: v for k, v in run.items() if k != "timings_s"}
    page.add_section("Settings", [
        details("Model, method and prior", field_list(brain.posterior.settings)),
        details("Run", field_list(record)),
    ])  # fmt: skip
    return page.write(out / "report.html")


_TRUTH_NOTE = (
    "Every voxel against the values it was simulated from: one noise realisation, kinetics that"
    " vary inside each region. Each dot is the median of a sixteenth of the voxels. Intervals hold"
    " the truth in 90 % of voxels when the truth is as the prior says; here the prior is much wider"
    " than the brain, so that other shares are no defect by themselves."
)
_CURVES_NOTE = (
    "Eight reversible curves with a metabolite-corrected input, drawn at random, with an unknown"
    " delay each; by the exact method and by non-linear least squares with its covariance."
)


def _picture(path: Path, result: DemoResult) -> None:
    posterior, data = result.brain.posterior, result.brain.data
    mask = np.asarray(posterior.diagnostics["status"]) != 0
    truth = np.zeros(mask.shape)
    truth[mask] = result.truth["Ki"]
    marginal = posterior["Ki"]
    write_showcase(
        path,
        truth,
        np.asarray(marginal.median),
        np.asarray(marginal.std),
        mask,
        np.asarray(data.affine),
        "Ki",
        format_unit(PARAMETER_UNITS["Ki"]),
        f"Simulated FDG scan: the posterior of each of {mask.sum():,} voxels.",
    )


def _without_draws(posterior: Posterior | None) -> Posterior | None:
    if posterior is None:
        return None
    bare = {k: dataclasses.replace(m, samples=None) for k, m in posterior.parameters.items()}
    return dataclasses.replace(posterior, parameters=bare)


def _overview(result: DemoResult) -> list[Html]:
    run, met = result.brain.run, result.agreement
    seconds = run["timings_s"]["fit"]
    links = ", ".join(
        f'<a href="{path}">{to_html(what)}</a>'
        for path, what in _LINKS
        if (result.out / path).exists()
    )
    return [
        facts([
            (f"{run['fitted']:,}", "voxels with a posterior"),
            (f"{run['fitted'] / seconds:,.0f}", "voxels per second"),
            (f"{100 * met['Ki'].coverage:.0f} %", "of true Ki in the 90 % interval"),
            (f"{100 * met['Ki'].error:.0f} %", "median error of Ki"),
        ]),
        paragraphs(
            "A head was drawn, its regions were given kinetics, blood and noise of an FDG scan,"
            " and the scan was written as PET-BIDS files. The kinetics verb then read those files"
            " as it reads anyone's. Nothing of the truth is known to it."
        ),
        Html(f"<p>More: {links}.</p>" if links else ""),
    ]  # fmt: skip


def _truth(result: DemoResult) -> list[object]:
    posterior = result.brain.posterior
    mask = np.asarray(posterior.diagnostics["status"]) != 0
    rows = [
        [
            name,
            f"{100 * met.coverage:.1f} %",
            f"{100 * met.error:.1f} %",
            f"{100 * met.spread:.1f} %",
            f"{met.correlation:.3f}",
        ]
        for name, met in result.agreement.items()
    ]
    voxels = table(
        ["voxels", "truth in the 90 % interval", "median error", "median SD", "correlation"],
        rows,
        caption="Errors and SDs are relative to the truth; the estimate is the posterior median.",
    )
    return [
        truth_scatter(posterior, result.truth, mask, _SCATTER), voxels, _region_table(result)
    ]  # fmt: skip


def _region_table(result: DemoResult) -> Html:
    table_, posterior = result.brain.regions, result.brain.region_posterior
    if table_ is None or posterior is None:
        return Html("")
    header: list[object] = ["region"]
    for name in _SCATTER:
        header += [f"{name}, truth", f"{name}, median (5 to 95 %)"]
    rows = []
    for i, region in enumerate(table_.names or ()):
        row: list[object] = [region]
        for name in _SCATTER:
            q = posterior[name].quantiles
            low, middle, high = (format_number(np.asarray(q[v])[i]) for v in (0.05, 0.5, 0.95))
            true = format_number(result.regions[region][name])
            row += [true, f"{middle} ({low} to {high})"]
        rows.append(row)
    return table(
        header,
        rows,
        caption="Mean curve of each region. Its kinetics vary from voxel to voxel, so that the"
        " mean curve is not quite that of the mean parameters, beyond what the noise explains.",
        dense=True,
    )


def _curves(result: DemoResult) -> list[object]:
    posteriors = {method: r.posterior for method, r in result.curves.items()}
    exact = result.curves["exact"]
    data = exact.data
    names = data.names
    panels = [
        curve_panel(
            data.frames,
            data.values[i],
            *(exact.posterior.prediction[k][i] for k in ("mean", "std", "sigma")),
            names[i],
            data.unit,
        )
        for i in range(2)
    ]
    rows = [
        [name, *(cell for met in result.curve_agreement.values() for cell in _met(met.get(name)))]
        for name in (*_INTERVALS, "k3", "k4")
    ]
    header = ["parameter"]
    for method in result.curves:
        header += [f"{method}: truth in 90 %", f"{method}: median error"]
    return [
        intervals(posteriors, result.curve_truth, names, _INTERVALS),
        table(header, rows, caption=f"{len(names)} curves: shares are of {len(names)}."),
        total_volumes(result),
        gallery(panels),
    ]


def _met(met) -> list[str]:
    if met is None:
        return ["n/a", "n/a"]
    return [f"{100 * met.coverage:.0f} %", f"{100 * met.error:.1f} %"]


def _timings(result: DemoResult) -> list[object]:
    rows = [[stage, f"{seconds:.1f} s"] for stage, seconds in result.run["timings_s"].items()]
    inner = result.brain.run["timings_s"]
    rows += [[f"maps: {stage}", f"{s:.1f} s"] for stage, s in inner.items() if stage != "total"]
    memory = result.run["peak_memory_bytes"]["process"] / 2**30
    return [
        table(["stage", "time"], rows),
        paragraphs(
            f"Peak memory {memory:.2f} GiB. Kernels are compiled when they first run, which is"
            " part of the first fit of each kind, and kept for the next time."
        ),
    ]
