"""The report of the kinetics verb."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.posterior import Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.report.elements import Html, details, facts, field_list, paragraphs, to_html
from betaplus.report.figures import input_panel
from betaplus.report.figures.motion import add_motion
from betaplus.report.kinetics.checks import Maps, doubts, joined, key_numbers
from betaplus.report.kinetics.limits import limits, limits_of
from betaplus.report.kinetics.maps import add_diagnostics, add_maps
from betaplus.report.kinetics.models import add_models
from betaplus.report.kinetics.regions import add_regions
from betaplus.report.page import Page
from betaplus.report.references import add_references

if TYPE_CHECKING:
    from betaplus.kinetics.compare import Comparison

__all__ = ["add_kinetics_sections", "kinetics_report"]

_ESTIMATORS = ("nlls", "patlak", "logan", "mrtm2", "suvr")
_TIMES = " \u00d7 "


def kinetics_report(
    path: str | Path,
    *,
    title: str,
    posterior: Posterior,
    data: PetImage | TacTable,
    maps: Maps | None = None,
    affine: np.ndarray | None = None,
    regions: TacTable | None = None,
    region_posterior: Posterior | None = None,
    input_curve: InputCurve | None = None,
    input_function: InputFunction | None = None,
    run: Mapping[str, Any] | None = None,
    remarks: Sequence[str] = (),
    chosen: Sequence[str] | None = None,
    comparison: Comparison | None = None,
    region_comparison: Comparison | None = None,
) -> Path:
    """Write the report of a kinetic analysis of an image or of curves.

    Args:
        path: The HTML file to write.
        title: Its title, for example the name of the input.
        posterior: The posterior, for the voxels or for the curves.
        data: What was analysed.
        maps: Parameter to (mean, SD) or (mean, SD, median), each of shape (X, Y, Z); None for
            curves.
        affine: Voxel to world matrix of the maps, shape (4, 4) [mm]; the image's by default.
        regions: Region curves to show; by default `data` where it is a table.
        region_posterior: Their posterior; by default `posterior` where `data` is a table.
        input_curve: The input as the model used it.
        input_function: The blood samples.
        run: What goes into run.json; ``date`` and ``command`` are used in the text.
        remarks: What was found untidy besides the remarks of posterior, data and input.
        chosen: Names of the regions to draw; up to 8; by default the first ones and the two
            with the largest chi-square.
        comparison: Of models, for the voxels or for the curves.
        region_comparison: For an image, that of its region curves.

    Returns:
        The path written.

    Raises:
        OutputError: If the file cannot be written.
    """
    from betaplus import __version__

    run = run or {}
    if isinstance(data, TacTable):
        regions = data if regions is None else regions
        region_posterior = posterior if region_posterior is None else region_posterior
    gathered = [*remarks, *posterior.remarks, *data.remarks]
    for source in (regions, region_posterior, input_function, input_curve):
        gathered += [] if source is None else source.remarks
    page = Page(
        title,
        _sentence(posterior, data, input_function),
        header={
            "Verb": "kinetics",
            "Model": posterior.model,
            "Method": posterior.method,
            "Date": str(run.get("date") or datetime.now().isoformat())[:16].replace("T", " "),
            "Version": __version__,
        },
        warnings=doubts(posterior, _what(data), regions, region_posterior),
        remarks=list(dict.fromkeys(gathered)),
    )
    add_kinetics_sections(
        page,
        posterior=posterior,
        data=data,
        maps=maps,
        affine=affine,
        regions=regions,
        region_posterior=region_posterior,
        input_curve=input_curve,
        input_function=input_function,
        run=run,
        chosen=chosen,
        comparison=comparison,
        region_comparison=region_comparison,
    )
    return page.write(path)


def add_kinetics_sections(
    page: Page,
    *,
    posterior: Posterior,
    data: PetImage | TacTable,
    maps: Maps | None = None,
    affine: np.ndarray | None = None,
    regions: TacTable | None = None,
    region_posterior: Posterior | None = None,
    input_curve: InputCurve | None = None,
    input_function: InputFunction | None = None,
    run: Mapping[str, Any] | None = None,
    chosen: Sequence[str] | None = None,
    comparison: Comparison | None = None,
    region_comparison: Comparison | None = None,
) -> None:
    """Add the sections of `kinetics_report`, with its arguments, to a page."""
    from betaplus.kinetics.models import find_kinetic_model

    if isinstance(data, TacTable):
        regions = data if regions is None else regions
        region_posterior = posterior if region_posterior is None else region_posterior
    page.add_section("Summary", _summary(posterior, data))
    if affine is None and isinstance(data, PetImage):
        affine = data.affine
    if maps and affine is not None:
        add_maps(page, posterior, maps, affine, data if isinstance(data, PetImage) else None)
    if regions is not None and len(regions):
        add_regions(page, regions, region_posterior, chosen)
    if comparison is not None:
        add_models(page, comparison, region_comparison)
    reference = find_kinetic_model(posterior.model).reference
    if input_curve is not None:
        heading = "Reference region" if reference else "Input function"
        page.add_section(heading, input_panel(input_curve, input_function, reference=reference))
    add_diagnostics(page, posterior, maps, affine)
    page.add_section("Limits", limits(limits_of(posterior, bool(maps))))
    add_motion(page, run or {})
    add_references(page, "kinetics", posterior.method, posterior.model)
    settings = [details("Model, method and prior", field_list(posterior.settings), opened=True)]
    if run:
        settings.append(details("Run", field_list(run)))
    page.add_section("Settings", settings)


def _sentence(posterior: Posterior, data: PetImage | TacTable, blood: InputFunction | None) -> Html:
    status = posterior.diagnostics.get("status")
    if isinstance(data, PetImage):
        count = None if status is None else int((np.asarray(status) != 0).sum())
        what = "the voxels" if count is None else f"{count:,} voxels"
    else:
        what = f"{len(data):,} curve{'s' if len(data) != 1 else ''}"
    source = f" of {_file(data.source)}" if data.source else ""
    given = f", with the input function {_file(blood.source)}" if blood and blood.source else ""
    names, model, method = map(
        to_html, (joined(list(posterior.parameters)), posterior.model, posterior.method)
    )
    kind = "Estimates" if posterior.method in _ESTIMATORS else "Posteriors"
    return Html(f"{kind} of {names} for {what}{source}: model {model}, method {method}{given}.")


def _what(data: PetImage | TacTable) -> str:
    return "voxels" if isinstance(data, PetImage) else "curves"


def _file(path: Path) -> Html:
    return Html(f'<span class="file">{to_html(path.name)}</span>')


def _summary(posterior: Posterior, data: PetImage | TacTable) -> list[Html]:
    shape = ""
    if isinstance(data, PetImage):
        size = _TIMES.join(f"{v:.4g}" for v in data.voxel_size)
        shape = f"{_TIMES.join(map(str, data.shape[:3]))} voxels of {size} mm, "
    parts = [f"{shape}{_scan(data.frames)} Activity in {data.unit}"]
    if data.tracer is not None:
        name = f"{data.tracer.name}, " if data.tracer.name else ""
        half_life = data.tracer.half_life / SECONDS_PER_MINUTE
        parts.append(f"; {name}{data.tracer.radionuclide}, half-life {half_life:.2f} min")
    parts.append(". Times are in minutes here and in seconds in files; rate constants per minute.")
    numbers = key_numbers(posterior, _what(data))
    return [paragraphs("".join(parts)), *([facts(numbers)] if numbers else [])]


def _scan(frames: FrameTiming | None) -> str:
    if frames is None:
        return "one frame."
    start, end = (t / SECONDS_PER_MINUTE for t in (frames.start[0], frames.end[-1]))
    return f"{len(frames)} frames from {start:.3g} to {end:.4g} min."
