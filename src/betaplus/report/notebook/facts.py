"""What an object holds, as a small table for notebooks."""

from __future__ import annotations

from typing import Any

import numpy as np

from betaplus.core.frames import FrameTiming
from betaplus.core.image import PetImage
from betaplus.core.posterior import STATUS, Marginal, Posterior
from betaplus.core.tacs import TacTable
from betaplus.core.units import PARAMETER_UNITS, SECONDS_PER_MINUTE
from betaplus.report.elements import Html, format_number, format_unit, table, to_html

__all__ = ["facts_of"]

_LISTED = 24  # regions or parameters that are listed
_TIMES = " \u00d7 "


def facts_of(item: Any) -> Html:
    """Return facts of an image, a table of curves, a posterior, or a result of a verb.

    Voxels of an image are not read.
    """
    if isinstance(item, PetImage):
        return _named("PetImage", _image(item), item.remarks)
    if isinstance(item, TacTable):
        return _named("TacTable", _curves(item), item.remarks)
    if isinstance(item, Marginal):
        return _marginal(item)
    if isinstance(item, Posterior):
        return _posterior(item)
    return _named(type(item).__name__, _result(item), getattr(item, "remarks", ()))


def _named(title: str, rows: list[tuple[str, str]], remarks: tuple[str, ...] = ()) -> Html:
    lines = [*rows, *(("remark", text) for text in remarks)]
    body = "".join(
        f"<tr><th style='text-align:left'>{to_html(name)}</th>"
        f"<td style='text-align:left'>{to_html(value)}</td></tr>"
        for name, value in lines
    )
    return Html(f"<b>{to_html(title)}</b><table>{body}</table>")


def _image(image: PetImage) -> list[tuple[str, str]]:
    edges = _TIMES.join(f"{v:.4g}" for v in image.voxel_size)
    rows = [("voxels", f"{_TIMES.join(map(str, image.shape[:3]))} of {edges} mm")]
    if image.source is not None:
        rows.insert(0, ("file", image.source.name))
    return [*rows, *_measured(image)]


def _curves(curves: TacTable) -> list[tuple[str, str]]:
    names = curves.names
    rows = [("curves", f"{len(curves):,}" + ("" if names is None else f": {_list(names)}"))]
    return [*rows, *_measured(curves)]


def _measured(data: PetImage | TacTable) -> list[tuple[str, str]]:
    rows = [("unit", data.unit)]
    if data.frames is not None:
        rows.append(("frames", _frames(data.frames)))
    if data.tracer is not None:
        half_life = data.tracer.half_life / SECONDS_PER_MINUTE
        name = f"{data.tracer.name}, " if data.tracer.name else ""
        rows.append(("tracer", f"{name}{data.tracer.radionuclide}, half-life {half_life:.2f} min"))
    to = data.decay_corrected_to
    rows.append(("decay", "not corrected" if to is None else f"corrected to {to:g} s"))
    return rows


def _frames(frames: FrameTiming) -> str:
    start, end = frames.start[0] / SECONDS_PER_MINUTE, frames.end[-1] / SECONDS_PER_MINUTE
    return f"{len(frames)} from {start:.3g} to {end:.3g} min"


def _marginal(marginal: Marginal) -> Html:
    unit = format_unit(PARAMETER_UNITS.get(marginal.name, ""))
    title = f"{marginal.name or 'Marginal'}" + (f" [{unit}]" if unit else "")
    return Html(f"<b>{to_html(title)}</b>" + _table({marginal.name: marginal}, marginal.regions))


def _posterior(posterior: Posterior) -> Html:
    status = posterior.diagnostics.get("status")
    rows = [("model", posterior.model), ("method", posterior.method)]
    if status is not None:
        codes, counts = np.unique(np.asarray(status), return_counts=True)
        said = [f"{n:,} {STATUS.get(int(c), c)}" for c, n in zip(codes, counts, strict=True) if c]
        rows.append(("curves", ", ".join(said) or "none"))
    first = _named("Posterior", rows, posterior.remarks)
    return Html(first + _table(posterior.parameters, posterior.regions, status))


def _table(
    parameters: Any, regions: tuple[str, ...] | None, status: np.ndarray | None = None
) -> Html:
    """A row a region; over voxels, what half of them are below and what the SDs are."""
    shape = np.shape(next(iter(parameters.values())).mean)
    if len(shape) == 1 and shape[0] <= _LISTED:
        header = ["", *(_with_unit(name) for name in parameters)]
        labels = regions or tuple(f"curve {i + 1}" for i in range(shape[0]))
        rows = [[label, *(_cell(m, i) for m in parameters.values())]
                for i, label in enumerate(labels)]  # fmt: skip
        return table(header, rows, caption="Median (5 to 95 %).", dense=True)
    where = np.isfinite(next(iter(parameters.values())).mean)
    if status is not None and np.shape(status) == shape:
        where &= np.asarray(status) != 0
    else:
        where &= next(iter(parameters.values())).mean != 0
    rows = []
    for name, marginal in parameters.items():
        medians, sds = np.asarray(marginal.median)[where], np.asarray(marginal.std)[where]
        cells = (
            [*np.nanquantile(medians, (0.5, 0.05, 0.95)), np.nanmedian(sds)] if where.any() else []
        )
        rows.append([_with_unit(name), *(format_number(v) for v in cells)])
    caption = f"Over {int(where.sum()):,} curves."
    return table(["", "median", "5 %", "95 %", "median SD"], rows, caption=caption, dense=True)


def _with_unit(name: str) -> str:
    unit = format_unit(PARAMETER_UNITS.get(name, ""))
    return f"{name} [{unit}]" if unit else name


def _cell(marginal: Marginal, i: int) -> str:
    q = marginal.quantiles
    low, middle, high = (format_number(np.asarray(q[v])[i]) for v in (0.05, 0.5, 0.95))
    return f"{middle} ({low} to {high})"


def _result(result: Any) -> list[tuple[str, str]]:
    """Facts of a result of `denoise`, `patlak` or `separate`."""
    settings = getattr(result, "settings", None)
    method = settings.get("method") if isinstance(settings, dict) else result.method
    rows = [("method", str(method))]
    if hasattr(result, "maps"):
        rows.append(("maps", _list([_with_unit(name) for name in result.maps])))
        rows.append(("t*", f"{result.study.t_star:g} s"))
        rows.append(("SD", "no" if result.std is None else "yes"))
    elif hasattr(result, "found") and hasattr(result.study, "tracers"):
        rows.append(("tracers", " and ".join(tracer.label for tracer in result.study.tracers)))
        rows.append(("SD", "no" if result.found.std is None else "yes"))
    elif hasattr(result, "image") and isinstance(result.image, PetImage):
        rows += _image(result.image)
        rows.append(("SD", "no" if result.std is None else "yes"))
    return rows


def _list(names: Any) -> str:
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
