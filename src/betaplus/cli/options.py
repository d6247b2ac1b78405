"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Bf16",
    "Blood",
    "BloodUnit",
    "Config",
    "DecayCorrectedTo",
    "Device",
    "Dicom",
    "Dose",
    "DynamicImage",
    "Engine",
    "Mask",
    "MaxMemory",
    "NetworkDevice",
    "Out",
    "Overwrite",
    "Plasma",
    "Quiet",
    "Radionuclide",
    "Report",
    "Resume",
    "Seed",
    "Settings",
    "Unit",
    "UnitOrSuv",
    "Weight",
    "Workers",
]

# typer reads these at run time, where `from __future__ import annotations` does not reach.

# What there is to work on.
DynamicImage = Annotated[
    Path, typer.Argument(metavar="INPUT", help="Dynamic image: NIfTI, zarr, DICOM, ECAT 7.")
]
Mask = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Voxels wanted.", show_default="those not zero in all frames"
    ),
]
Blood = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Blood samples, once per file (TSV or PMOD .bld); idif:MASK for an image-derived"
        " input; population:FILE for a curve in SUV.",
    ),
]
Plasma = Annotated[
    str,
    typer.Option(
        metavar="measured|...",
        help="measured; unmetabolised, if total plasma is the parent; whole-blood, if that"
        " stands in for plasma.",
    ),
]

# What a sidecar lacks.
BloodUnit = Annotated[
    str | None,
    typer.Option(metavar="UNIT", help="Activity unit of the blood, where its JSON gives none."),
]
Unit = Annotated[
    str | None,
    typer.Option(
        metavar="UNIT", help="Activity unit, where the sidecar gives none: Bq/mL, kBq/mL."
    ),
]
UnitOrSuv = Annotated[
    str | None,
    typer.Option(metavar="UNIT", help="Unit, where the sidecar gives none: Bq/mL, kBq/mL, SUV."),
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
Dose = Annotated[
    float | None,
    typer.Option(metavar="BQ", help="Activity administered, where the sidecar gives none."),
]
Weight = Annotated[
    float | None,
    typer.Option(metavar="KG", help="Body weight, where no sidecar or table gives it."),
]

# Settings of the method.
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable."),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML file with settings of the method.")
]

# How it is run.
Out = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write to.")]
Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Seed of every random draw.")]
Engine = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="threads, inline, processes, dask, dask:ADDRESS (a scheduler) or slurm:CONFIG (TOML).",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(metavar="N", help="Threads or processes at work.", show_default="cores"),
]
MaxMemory = Annotated[str | None, typer.Option(metavar="SIZE", help="Bound on memory, such as 4G.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace earlier outputs.")]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto or cpu.")]
Bf16 = Annotated[
    bool,
    typer.Option(
        "--bf16/--fp32", help="Precision of the network: bf16 is faster where the machine has it."
    ),
]
NetworkDevice = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
Report = Annotated[bool, typer.Option("--report/--no-report", help="Write an HTML report.")]
Dicom = Annotated[
    bool,
    typer.Option(
        "--dicom",
        help="Write images and maps as DICOM too, into the study of the INPUT series.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
