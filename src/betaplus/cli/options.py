"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DecayCorrectedTo",
    "Device",
    "Engine",
    "MaxMemory",
    "Out",
    "Overwrite",
    "Quiet",
    "Radionuclide",
    "Report",
    "Resume",
    "Seed",
    "Unit",
    "Workers",
]

# typer reads these at run time, where `from __future__ import annotations` does not reach.
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of every random draw.")]
Engine = Annotated[str, typer.Option(metavar="NAME", help="threads, inline or processes.")]
Workers = Annotated[
    int | None, typer.Option(metavar="N", help="Blocks at work at a time.  [default: cores]")
]
MaxMemory = Annotated[str | None, typer.Option(metavar="SIZE", help="Bound on memory, such as 4G.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier outputs.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto or cpu.")]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write an HTML report.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
Unit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT", help="Activity unit, where the sidecar gives none: Bq/mL, kBq/mL."
    ),
]
Radionuclide = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Radionuclide, where the sidecar gives none: F18, C11."),
]
DecayCorrectedTo = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Time values are decay-corrected to, where the sidecar gives none: injection, scan,"
        " none, or seconds from TimeZero.",
    ),
]
