"""Tables of regional curves: ``*_tacs.tsv`` with a JSON beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.frames import FrameTiming
from betaplus.core.tacs import TacTable
from betaplus.core.tracer import Tracer
from betaplus.core.units import activity_unit
from betaplus.io.clock_check import check_clock
from betaplus.io.frame_times import make_frames, refuse_minute_units, refuse_minutes
from betaplus.io.jsons import number_list, read_sidecar
from betaplus.io.sidecar import read_decay, read_injection, read_tracer, read_unit
from betaplus.io.tsv import column_numbers, read_table, write_table

__all__ = ["load_tacs", "timing_fields", "tracer_fields", "write_tacs"]

_TIMES = ("frame_start", "frame_end")
_ROUNDING = 0.01  # s: by how much the table's times may differ from the sidecar's


def load_tacs(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> TacTable:
    """Load curves from a TSV with ``frame_start``, ``frame_end`` [s] and a column per region.

    Args:
        path: The TSV.
        unit: Activity unit, where the JSON beside it gives none.
        radionuclide: Radionuclide, where the JSON lacks ``TracerRadionuclide``.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from TimeZero, where the
            JSON does not say.

    Raises:
        InputError: If the table or a field that is needed is missing or wrong.
        UsageError: If an option contradicts the JSON.
    """
    path = Path(path)
    columns = read_table(path)
    fields, where, remarks = read_sidecar(path)
    missing = [name for name in _TIMES if name not in columns]
    if missing:
        raise InputError(
            f"no column {' and '.join(missing)} in {path.name}",
            "expected frame_start and frame_end in seconds and a column per region",
        )
    names = tuple(name for name in columns if name not in _TIMES)
    if not names:
        raise InputError(f"{path.name} has no region columns", "expected a column per region")
    frames, keep, notes = _frames(columns, fields, path.name, where)
    remarks += notes
    values = np.stack([column_numbers(columns[name], name, path.name) for name in names])
    if keep is not None:
        values = values[:, keep]
    if np.isnan(values).any():
        region, frame = np.argwhere(np.isnan(values))[0]
        raise InputError(
            f"region {names[region]} has no value in frame {frame + 1} of {path.name}",
            "expected a number in every frame",
            "remove the region or the frame",
        )
    tracer, notes = read_tracer(fields, radionuclide, where)
    if tracer is None:
        raise InputError(
            f"TracerRadionuclide is missing in {where}",
            "expected for example F18",
            "add it or give --radionuclide",
        )
    remarks += notes
    refuse_minutes(frames, tracer, path.name)
    injection, notes = read_injection(fields, where)
    remarks += notes
    corrected, notes = read_decay(
        fields,
        decay_corrected_to,
        where,
        scan_start=float(frames.start[0]),
        injection=injection,
    )
    remarks += notes
    remarks += check_clock(frames, tracer, injection, corrected, path.name)
    return TacTable(
        values=values,
        frames=frames,
        unit=read_unit(_with_column_units(fields, names, where), unit, where),
        names=names,
        tracer=tracer,
        decay_corrected_to=corrected,
        metadata=fields,
        source=path,
        remarks=tuple(remarks),
    )


def write_tacs(path: str | Path, table: TacTable) -> None:
    """Write curves as a TSV with a JSON beside it; `load_tacs` reads them back bit-equal.

    Raises:
        OutputError: If a file cannot be written.
    """
    names = table.names or tuple(f"curve-{i + 1}" for i in range(len(table)))
    fields = {
        **table.metadata,
        "Units": table.unit,
        **timing_fields(table.frames),
        **tracer_fields(table.tracer, table.decay_corrected_to),
    }
    fields = {key: value for key, value in fields.items() if value is not None}
    columns: dict[str, Any] = {"frame_start": table.frames.start, "frame_end": table.frames.end}
    columns.update(zip(names, table.values, strict=True))
    write_table(path, columns, fields)


def timing_fields(frames: FrameTiming | None) -> dict[str, Any]:
    """Return the PET-BIDS fields of frame times, None for those to leave out."""
    return {
        "FrameTimesStart": None if frames is None else frames.start,
        "FrameDuration": None if frames is None else frames.duration,
    }


def tracer_fields(tracer: Tracer | None, decay_corrected_to: float | None) -> dict[str, Any]:
    """Return the PET-BIDS fields of tracer and decay correction, None for those to leave out."""
    return {
        **({"TracerName": tracer.name} if tracer and tracer.name else {}),
        "TracerRadionuclide": (tracer.radionuclide or None) if tracer else None,
        "RadionuclideHalfLife": tracer.half_life if tracer else None,
        "ImageDecayCorrected": decay_corrected_to is not None,
        "ImageDecayCorrectionTime": decay_corrected_to,
    }


def _frames(
    columns: Mapping[str, list[str]], fields: Mapping[str, Any], name: str, where: str
) -> tuple[FrameTiming, np.ndarray | None, list[str]]:
    """Return timing, kept rows and remarks; the sidecar's own times win where they agree."""
    refuse_minute_units(fields, ("frame_start", "frame_end", "FrameTimesStart", "Time"), where)
    start, end = (column_numbers(columns[key], key, name) for key in _TIMES)
    for key, values in zip(_TIMES, (start, end), strict=True):
        if np.isnan(values).any():
            row = int(np.argmax(np.isnan(values)))
            raise InputError(f"{key} is n/a on line {row + 2} of {name}", "expected seconds")
    duration = end - start
    begin = number_list(fields, "FrameTimesStart", where)
    last = number_list(fields, "FrameDuration", where)
    if begin is not None and last is not None:
        same = begin.size == last.size == start.size
        if not (
            same
            and np.allclose(begin, start, rtol=0.0, atol=_ROUNDING)
            and np.allclose(last, duration, rtol=0.0, atol=_ROUNDING)
        ):
            raise InputError(
                f"frame times in {name} are not those of FrameTimesStart and FrameDuration"
                f" in {where}",
                "expected the same frames in both",
                "correct one or remove the two fields",
            )
        start, duration = begin, last
    return make_frames(start, duration, name)


def _with_column_units(
    fields: Mapping[str, Any], names: tuple[str, ...], where: str
) -> Mapping[str, Any]:
    """Return the fields with ``Units`` from the columns where only those have one."""
    if fields.get("Units") is not None:
        return fields
    stated: dict[str, str] = {}
    for name in names:
        column = fields.get(name)
        if isinstance(column, Mapping) and column.get("Units") is not None:
            stated[name] = activity_unit(column["Units"], f"{name} of {where}")
    if not stated:
        return fields
    if len(set(stated.values())) > 1:
        raise InputError(
            f"regions in {where} have the units {', '.join(sorted(set(stated.values())))}",
            "expected one unit for the whole table",
        )
    if len(stated) < len(names):
        lacking = next(name for name in names if name not in stated)
        raise InputError(f"region {lacking} has no Units in {where}", "expected one for each")
    return {**fields, "Units": next(iter(stated.values()))}
