"""PMOD's text files: ``.tac`` with regional curves, ``.bld`` with blood.

A ``.tac`` has the headings ``start[seconds]``, ``end[kBq/cc]`` and one per region: the bracket of
``end`` holds the unit of the activity, that of ``start`` the unit of both times. A ``.bld`` has
``sample-time[seconds]`` and ``plasma[kBq/cc]``, ``whole-blood[kBq/cc]`` or ``parent[1/1]``. Neither
names the radionuclide or the time that its values are decay-corrected to.

Differences of times are taken in decimals, so that 0.1 to 0.3 is a frame of 0.2 s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.core.input_function import InputFunction
from betaplus.core.tacs import TacTable
from betaplus.io.blood_merge import BloodFile
from betaplus.io.clock_check import check_clock
from betaplus.io.frame_times import make_frames, refuse_minutes
from betaplus.io.pmod_text import PmodText, split_heading, time_scale, write_columns
from betaplus.io.sidecar import read_decay, read_tracer, read_unit

__all__ = [
    "load_pmod_blood",
    "load_pmod_tacs",
    "read_pmod_blood",
    "write_pmod_blood",
    "write_pmod_tacs",
]

_UNITS = {"Bq/mL": "Bq/cc", "kBq/mL": "kBq/cc", "MBq/mL": "MBq/ml", "SUV": "SUV"}
_FRACTION = (None, "1/1", "1", "fraction", "unitless", "-")


def load_pmod_tacs(
    path: str | Path,
    *,
    unit: str | None = None,
    radionuclide: str | None = None,
    decay_corrected_to: str | float | None = None,
) -> TacTable:
    """Load the curves of a ``.tac`` file; its time 0 is taken as the injection.

    Args:
        path: The file.
        unit: Activity unit, where ``end`` has none in brackets.
        radionuclide: For example ``F18``; needed, since the file does not say.
        decay_corrected_to: ``injection``, ``scan``, ``none`` or seconds from the injection;
            needed, since the file does not say.

    Raises:
        InputError: If the file is no ``.tac`` or something needed is missing.
        UsageError: If `unit` contradicts the file or an option is unknown.
    """
    path = Path(path)
    name = path.name
    text = PmodText.read(path)
    heads = [split_heading(heading)[0].lower() for heading in text.headings]
    if len(heads) < 3 or heads[:2] != ["start", "end"]:
        raise InputError(
            f"{name} begins with the headings {', '.join(text.headings[:3])}",
            "expected start[seconds], end[kBq/cc] and a heading per region",
        )
    scale = time_scale(text.headings[0], name)
    times = list(zip(text.numbers(0), text.numbers(1), strict=True))
    start = np.array([float(begin * scale) for begin, _ in times])
    duration = np.array([float((end - begin) * scale) for begin, end in times])
    frames, keep, remarks = make_frames(start, duration, name)
    values = np.array([_floats(text, i) for i in range(2, len(heads))])
    tracer, _ = read_tracer({}, radionuclide, name)
    if tracer is None:
        raise InputError(
            f"{name} does not name the radionuclide",
            "expected for example F18",
            "give --radionuclide",
        )
    refuse_minutes(frames, tracer, name)
    if decay_corrected_to is None:
        raise InputError(
            f"{name} does not say to which time its values are decay-corrected",
            "expected injection, scan, none or seconds from the injection",
            "give --decay-corrected-to",
        )
    corrected, _ = read_decay(
        {}, decay_corrected_to, name, scan_start=float(start[0]), injection=0.0
    )
    remarks += check_clock(frames, tracer, 0.0, corrected, name)
    return TacTable(
        values=values if keep is None else values[:, keep],
        frames=frames,
        unit=read_unit({"Units": split_heading(text.headings[1])[1]}, unit, name),
        names=tuple(text.headings[2:]),
        tracer=tracer,
        decay_corrected_to=corrected,
        source=path,
        remarks=(f"time 0 of {name} taken as the injection", *remarks),
    )


def write_pmod_tacs(path: str | Path, table: TacTable) -> None:
    """Write curves as a ``.tac`` file; times and values are read back bit-equal.

    The radionuclide and the decay correction have no place in it.

    Raises:
        InputError: If a region's name cannot be a heading.
        OutputError: If the file cannot be written.
    """
    names = table.names or tuple(f"curve-{i + 1}" for i in range(len(table)))
    for name in names:
        if (
            not name
            or name != name.strip()
            or re.search(r"[\t\r\n]", name)
            or names.count(name) > 1
        ):
            raise InputError(
                f"region {name!r} cannot be a heading of {Path(path).name}",
                "expected names of their own, without tabs or outer blanks",
            )
    start, duration = _cells(table.frames.start), _cells(table.frames.duration)
    with localcontext(prec=1000):
        end = [format(Decimal(s) + Decimal(d), "f") for s, d in zip(start, duration, strict=True)]
    headings = ["start[seconds]", f"end[{_UNITS[table.unit]}]", *names]
    write_columns(path, headings, [start, end, *(_cells(curve) for curve in table.values)])


def load_pmod_blood(
    *paths: str | Path, unit: str | None = None, injection: float = 0.0
) -> InputFunction:
    """Load one or several ``.bld`` files as one input function, merged as `load_blood` does it.

    Args:
        paths: The files.
        unit: Activity unit, where a heading has none in brackets.
        injection: Injection start [s on the files' clock].

    Raises:
        InputError: If a file is no ``.bld`` or they cannot be merged.
        UsageError: If `unit` contradicts a file, or a file is of another kind.
    """
    from betaplus.io.blood import load_blood

    for path in paths:
        if Path(path).suffix.lower() != ".bld":
            raise UsageError(f"{Path(path).name} is no .bld file", "expected PMOD's blood files")
    return load_blood(paths, unit=unit, injection=injection)


def write_pmod_blood(path: str | Path, blood: InputFunction) -> tuple[Path, ...]:
    """Write every series of an input function to a ``.bld`` of its own, read back bit-equal.

    Parent plasma gets the heading ``parent-plasma``, so that it is not corrected again. Injection
    and dispersion correction have no place in the files.

    Args:
        path: ``x.bld`` makes ``x_plasma.bld``, ``x_whole-blood.bld`` and ``x_parent.bld``.
        blood: The samples.

    Returns:
        The files written.

    Raises:
        OutputError: If a file cannot be written.
    """
    path = Path(path)
    stem = path.name[:-4] if path.name.lower().endswith(".bld") else path.name
    plasma = "parent-plasma" if blood.plasma_kind == "parent" else "plasma"
    activity = _UNITS[blood.unit]
    written = []
    for values, name, unit in (
        (blood.plasma, plasma, activity),
        (blood.whole_blood, "whole-blood", activity),
        (blood.parent_fraction, "parent", "1/1"),
    ):
        if values is None or not np.isfinite(values).any():
            continue
        known = np.isfinite(values)
        written.append(path.with_name(f"{stem}_{name}.bld"))
        write_columns(
            written[-1],
            ["sample-time[seconds]", f"{name}[{unit}]"],
            [_cells(blood.time[known]), _cells(values[known])],
        )
    return tuple(written)


def read_pmod_blood(path: Path, unit: str | None) -> BloodFile:
    """Return what one ``.bld`` file holds; `load_blood` makes an input function of it.

    A heading with ``parent`` or ``fraction`` is the parent fraction, one with ``whole`` whole
    blood, one with ``plasma`` total plasma; ``parent-plasma`` with an activity unit is plasma that
    was corrected for metabolites already.

    Raises:
        InputError: If it is no ``.bld`` file, or a heading or unit is unknown.
        UsageError: If `unit` contradicts a heading.
    """
    text = PmodText.read(path)
    first, *others = text.headings
    if not others or not re.fullmatch(r"(sample[-_ ]?)?time", split_heading(first)[0].lower()):
        raise InputError(
            f"{path.name} begins with the headings {', '.join(text.headings[:3])}",
            "expected sample-time[seconds] and plasma, whole-blood or parent",
        )
    scale = time_scale(first, path.name)
    time = np.array([float(t * scale) for t in text.numbers(0)])
    late = np.diff(time) <= 0
    if late.any():
        bad = int(np.argmax(late))
        raise InputError(
            f"times go from {time[bad]:g} to {time[bad + 1]:g} s on line {text.lines[bad + 1]}"
            f" of {path.name}",
            "expected increasing times, one line each",
        )
    file = BloodFile(path, time)
    for i, heading in enumerate(others, start=1):
        series, corrected = _series(heading, path.name, others)
        if series in file.series:
            raise InputError(f"{path.name} holds two columns of {series}", "expected one")
        file.series[series] = np.array(_floats(text, i))
        if series != "parent_fraction":
            about = {"Units": split_heading(heading)[1]}
            where = f"{heading} of {path.name}"
            file.units[series] = read_unit(about, unit, where, "--blood-unit")
        if corrected:
            file.kind = "parent"
    return file


def _series(heading: str, where: str, headings: Sequence[str]) -> tuple[str, bool]:
    """Return which series a heading names, and whether it is plasma corrected for metabolites."""
    name, unit = split_heading(heading.lower())
    parent, whole, plasma = "parent" in name, "whole" in name, "plasma" in name
    fraction = "fraction" in name
    if (parent or fraction) and unit in _FRACTION and not whole:
        return "parent_fraction", False
    if (parent or fraction) and unit in ("%", "percent"):
        raise InputError(
            f"{heading} in {where}", "expected fractions, parent[1/1]", "divide by 100"
        )
    if plasma and not whole and not fraction:
        return "plasma", parent
    if whole and not plasma and not parent and not fraction:
        return "whole_blood", False
    raise InputError(
        f"{where} has the headings {', '.join(headings)}",
        "expected whole-blood[kBq/cc], plasma[kBq/cc], parent-plasma[kBq/cc] or parent[1/1]",
        "rename the one that is neither",
    )


def _floats(text: PmodText, column: int) -> list[float]:
    return [float(value) for value in text.numbers(column)]


def _cells(values: np.ndarray) -> list[str]:
    return [repr(float(value)) for value in values]
