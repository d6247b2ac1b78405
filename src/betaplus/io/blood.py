"""Blood: PET-BIDS ``*_blood.tsv``, bloodstream ``*_inputfunction.tsv`` and PMOD ``.bld``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.units import convert_activity
from betaplus.io.blood_merge import BloodFile, Samples, merge_samples
from betaplus.io.jsons import read_sidecar
from betaplus.io.pmod import read_pmod_blood
from betaplus.io.sidecar import read_unit
from betaplus.io.tsv import column_numbers, read_table, write_table

__all__ = ["load_blood", "write_blood"]

_COLUMNS = {
    "AIF": "plasma",
    "plasma_radioactivity": "plasma",
    "whole_blood_radioactivity": "whole_blood",
    "metabolite_parent_fraction": "parent_fraction",
}
_MOST_UNLIKE = 50.0  # nominal: between the peaks of plasma and whole blood
_USUAL_PEAK = (500.0, 1e8)  # Bq/mL: outside it a wrong unit is likelier
_AVAILABLE = {
    "PlasmaAvail": "plasma_radioactivity",
    "WholeBloodAvail": "whole_blood_radioactivity",
    "MetaboliteAvail": "metabolite_parent_fraction",
}


def load_blood(
    path: str | Path | Sequence[str | Path],
    *,
    unit: str | None = None,
    injection: float = 0.0,
) -> InputFunction:
    """Load blood samples; of several files (manual and autosampler), the union of their times.

    Plasma or whole blood that two files hold is taken from the denser one as long as that lasts,
    and from the sparser one outside (`merge_samples`).

    Args:
        path: One file or several: TSVs, each with its JSON beside it, and PMOD's ``.bld``.
        unit: Activity unit, where a file gives none.
        injection: Injection start [s from TimeZero], from the image's sidecar.

    Raises:
        InputError: If a file is missing, its columns or units are, or a value is no sample.
        UsageError: If the option contradicts the JSON.
    """
    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(item) for item in path]
    if not paths:
        raise UsageError("no blood file", "expected at least one")
    files = [_read(item, unit) for item in paths]
    remarks = [remark for file in files for remark in file.remarks]
    units = list(dict.fromkeys(u for file in files for u in file.units.values()))
    if len(units) > 1:
        remarks.append(f"blood in {' and '.join(units)} converted to {units[0]}")
    if len(files) > 1:
        remarks.append(f"blood merged from {', '.join(item.name for item in paths)}")
    time = np.unique(np.concatenate([file.time for file in files])) if files[1:] else files[0].time
    series: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(name for file in files for name in file.series):
        holders = [file for file in files if name in file.series]
        parts = [_samples(file, name, units[0] if units else "") for file in holders]
        if parts[1:]:
            _refuse_two(name, holders)
            part, notes = merge_samples(name, parts)
            remarks += notes
        else:
            part = parts[0]
        series[name] = _spread(part.values, part.time, time)
    if "plasma" not in series and "whole_blood" not in series:
        raise InputError(
            f"no samples of plasma or whole blood in {', '.join(item.name for item in paths)}",
            "expected at least one of them",
        )
    parent = any(file.kind == "parent" for file in files)
    if parent and series.pop("parent_fraction", None) is not None:
        remarks.append("metabolite_parent_fraction not used: AIF is corrected already")
    _refuse_unlike(series, units[0], ", ".join(item.name for item in paths))
    remarks += _unlikely_peak(series, units[0])
    return InputFunction(
        time=time,
        plasma=series.get("plasma"),
        whole_blood=series.get("whole_blood"),
        parent_fraction=series.get("parent_fraction"),
        unit=units[0],
        plasma_kind="parent" if parent else "total",
        injection=injection,
        dispersion_corrected=_dispersion(files),
        source=paths[0],
        remarks=tuple(remarks),
    )


def write_blood(path: str | Path, blood: InputFunction) -> None:
    """Write blood as a PET-BIDS TSV with its JSON; `load_blood` reads it back bit-equal.

    Parent plasma is written as ``AIF``, as bloodstream does, so that it is not corrected again.
    ``DispersionCorrected`` is written where it is known.

    Raises:
        OutputError: If a file cannot be written.
    """
    parent = blood.plasma_kind == "parent"
    columns: dict[str, Any] = {"time": blood.time}
    activity = {"Units": blood.unit}
    fields: dict[str, Any] = {
        "PlasmaAvail": blood.plasma is not None,
        "WholeBloodAvail": blood.whole_blood is not None,
        "MetaboliteAvail": blood.parent_fraction is not None,
        "time": {"Description": "Time from TimeZero of the _pet.json", "Units": "s"},
    }
    if blood.dispersion_corrected is not None:
        fields["DispersionCorrected"] = blood.dispersion_corrected
    if blood.plasma is not None:
        name = "AIF" if parent else "plasma_radioactivity"
        what = "Parent (metabolite-corrected)" if parent else "Total"
        columns[name] = blood.plasma
        fields[name] = {"Description": f"{what} radioactivity in arterial plasma", **activity}
    if blood.whole_blood is not None:
        columns["whole_blood_radioactivity"] = blood.whole_blood
        fields["whole_blood_radioactivity"] = {
            "Description": "Radioactivity in whole blood",
            **activity,
        }
    if blood.parent_fraction is not None:
        columns["metabolite_parent_fraction"] = blood.parent_fraction
        fields["metabolite_parent_fraction"] = {
            "Description": "Fraction of plasma radioactivity in unchanged tracer",
            "Units": "unitless",
        }
    write_table(path, columns, fields)


def _read(path: Path, unit: str | None) -> BloodFile:
    if path.suffix.lower() == ".bld":
        return read_pmod_blood(path, unit)
    columns = read_table(path)
    fields, where, remarks = read_sidecar(path)
    if "time" not in columns:
        raise InputError(f"no column time in {path.name}", "expected times in seconds")
    time = column_numbers(columns["time"], "time", path.name)
    if np.isnan(time).any():
        line = int(np.argmax(np.isnan(time))) + 2
        raise InputError(f"time is n/a on line {line} of {path.name}", "expected seconds")
    _check_times(time, path.name)
    file = BloodFile(path, time, remarks=remarks)
    file.dispersion_corrected = _stated_dispersion(fields, where)
    file.remarks += _time_unit(fields, where)
    file.remarks += _availability(fields, columns, where)
    taken = [name for name in _COLUMNS if name in columns]
    if "AIF" in taken:
        file.kind = "parent"
        dropped = [n for n in ("plasma_radioactivity", "metabolite_parent_fraction") if n in taken]
        if dropped:
            file.remarks.append(f"{' and '.join(dropped)} not used: AIF is corrected already")
        taken = [name for name in taken if name not in dropped]
    if not taken:
        raise InputError(
            f"no blood columns in {path.name}", f"expected at least one of {', '.join(_COLUMNS)}"
        )
    for name in taken:
        values = column_numbers(columns[name], name, path.name)
        if np.isnan(values).all():
            file.remarks.append(f"{name} holds no samples in {path.name}")
            continue
        series = _COLUMNS[name]
        file.series[series] = values
        about = fields.get(name)
        about = about if isinstance(about, Mapping) else {}
        if series == "parent_fraction":
            _refuse_percent(about, name, where)
        else:
            file.units[series] = _activity_unit(about, unit, name, where)
    return file


def _samples(file: BloodFile, name: str, unit: str) -> Samples:
    values = file.series[name]
    if name in file.units:
        values = convert_activity(values, file.units[name], unit)
    known = np.isfinite(values)
    return Samples(file.path.name, file.time[known], values[known])


def _refuse_two(name: str, holders: Sequence[BloodFile]) -> None:
    """Refuse parent fractions in two files, and plasma that only one of them has corrected."""
    if name != "parent_fraction" and len({f.kind for f in holders if name == "plasma"}) < 2:
        return
    raise InputError(
        f"{name} is in both {holders[0].path.name} and {holders[1].path.name}",
        "expected it in one file",
        "give one of the two or remove the column from one",
    )


def _dispersion(files: Sequence[BloodFile]) -> bool | None:
    """True if any of the files says so, None if none of them says anything."""
    stated = [f.dispersion_corrected for f in files if f.dispersion_corrected is not None]
    return any(stated) if stated else None


def _stated_dispersion(fields: Mapping[str, Any], where: str) -> bool | None:
    stated = fields.get("DispersionCorrected")
    if stated in (None, "n/a"):
        return None
    if not isinstance(stated, bool):
        raise InputError(f"DispersionCorrected is {stated!r} in {where}", "expected true or false")
    return stated


def _check_times(time: np.ndarray, name: str) -> None:
    step = np.diff(time)
    if (step <= 0).any():
        bad = int(np.argmax(step <= 0))
        raise InputError(
            f"times go from {time[bad]:g} to {time[bad + 1]:g} s on line {bad + 3} of {name}",
            "expected increasing times, one line each",
        )


def _time_unit(fields: Mapping[str, Any], where: str) -> list[str]:
    about = fields.get("time")
    stated = about.get("Units") if isinstance(about, Mapping) else None
    if stated is None:
        return [f"no Units of time in {where}: seconds, as PET-BIDS defines it"]
    if not re.fullmatch(r"s|secs?|seconds?", str(stated).strip().lower()):
        raise InputError(
            f"time is in {stated!r} in {where}",
            "expected seconds, as PET-BIDS requires",
            "convert the times to seconds",
        )
    return []


def _activity_unit(about: Mapping[str, Any], option: str | None, name: str, where: str) -> str:
    found = f"{name} of {where}"
    return read_unit({"Units": about.get("Units")}, option, found, "--blood-unit")


def _refuse_percent(about: Mapping[str, Any], name: str, where: str) -> None:
    stated = str(about.get("Units", "")).strip().lower()
    if stated in ("%", "percent", "percentage"):
        raise InputError(f"{name} is in {stated} in {where}", "expected fractions", "divide by 100")


def _availability(fields: Mapping[str, Any], columns: Mapping[str, Any], where: str) -> list[str]:
    remarks = []
    for flag, name in _AVAILABLE.items():
        stated = fields.get(flag)
        if "AIF" in columns and flag != "WholeBloodAvail":
            continue
        if isinstance(stated, bool) and stated != (name in columns):
            there = "is there" if name in columns else "is not"
            remarks.append(f"{flag} is {str(stated).lower()} in {where} but {name} {there}")
    return remarks


def _refuse_unlike(series: Mapping[str, np.ndarray], unit: str, where: str) -> None:
    """Refuse plasma and whole blood that cannot be in one unit."""
    if "plasma" not in series or "whole_blood" not in series:
        return
    plasma, blood = (float(np.nanmax(series[name])) for name in ("plasma", "whole_blood"))
    if min(plasma, blood) > 0 and max(plasma, blood) > _MOST_UNLIKE * min(plasma, blood):
        raise InputError(
            f"plasma peaks at {plasma:.4g} but whole_blood at {blood:.4g} {unit} in {where}",
            f"expected them within a factor of {_MOST_UNLIKE:g}",
            "correct Units of the one that is wrong",
        )


def _unlikely_peak(series: Mapping[str, np.ndarray], unit: str) -> list[str]:
    """Remark on a peak that suggests a wrong unit; the unit stated is used all the same."""
    if unit == "SUV":
        return []
    peak = max(float(np.nanmax(series[n])) for n in ("plasma", "whole_blood") if n in series)
    low, high = (convert_activity(limit, "Bq/mL", unit) for limit in _USUAL_PEAK)
    if low <= peak <= high or peak <= 0:
        return []
    return [f"blood peaks at {peak:.4g} {unit}, which is unusual: check Units"]


def _spread(values: np.ndarray, time: np.ndarray, union: np.ndarray) -> np.ndarray:
    out = np.full(union.size, np.nan)
    out[np.searchsorted(union, time)] = values
    return out
