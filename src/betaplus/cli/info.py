"""`betaplus info`: what a file is and everything wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from betaplus.cli.options import DecayCorrectedTo, Radionuclide, Unit
from betaplus.core.errors import visible

__all__ = ["info"]


def info(
    file: Annotated[Path, typer.Argument(help="Image, curves or blood.")],
    unit: Unit = None,
    radionuclide: Radionuclide = None,
    decay_corrected_to: DecayCorrectedTo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a file is: shape, frames, unit, tracer, and everything wrong with it."""
    import json

    from betaplus.io.describe import describe

    about = describe(
        file, unit=unit, radionuclide=radionuclide, decay_corrected_to=decay_corrected_to
    )
    if as_json:
        typer.echo(json.dumps(about, indent=2))
        return
    problems = about.pop("problems")
    rows = list(_rows(about))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(visible(f"{name:<{width}}  {value}"))
    if not problems:
        typer.echo("\nNothing wrong found.")
        return
    typer.echo("")
    for problem in sorted(problems, key=lambda p: p["level"] != "error"):
        typer.echo(visible(f"{problem['level']:<6}  {problem['text']}"))


def _rows(about: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in about.items():
        label = f"{prefix}{name.removesuffix('_s').removesuffix('_mm').replace('_', ' ')}"
        unit = " s" if name.endswith("_s") else " mm" if name.endswith("_mm") else ""
        if isinstance(value, Mapping):
            yield from _rows(value, f"{label}: ")
        elif value is None:
            yield label, "unknown"
        elif isinstance(value, list) and name in ("shape", "voxel_size_mm"):
            yield label, " x ".join(f"{v:g}" for v in value) + unit
        elif isinstance(value, list) and name == "range":
            yield label, " to ".join(f"{v:g}" for v in value)
        elif isinstance(value, list):
            yield label, ", ".join(map(str, value))
        elif isinstance(value, float):
            yield label, f"{value:g}{unit}"
        else:
            yield label, f"{value}{unit if isinstance(value, int) else ''}"
