"""The report of `betaplus benchmark denoise`: tables and figures of the parts in a folder."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from betaplus import __version__
from betaplus.core.errors import InputError
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.run import PARTS
from betaplus.pipeline.benchmark.denoise.writing import part_file
from betaplus.report.benchmark.denoise_calls import calls_figure
from betaplus.report.benchmark.denoise_curves import gain_figure, nema_figure, recovery_figure
from betaplus.report.benchmark.denoise_images import body_figure, sphere_figure
from betaplus.report.benchmark.markdown import markdown_blocks
from betaplus.report.elements import Html
from betaplus.report.figures.canvas import Picture
from betaplus.report.page import Page

__all__ = ["denoise_report"]

_TITLES = {
    "images": "Bodies", "scanners": "Scanners, tracers, doses", "recovery": "Recovery and noise",
    "nema": "Image quality phantom", "observer": "Observer", "calls": "Calls of the network",
    "baselines": "Learned baselines",
    "coverage": "Coverage", "guard": "Guard", "speed": "Speed", "real": "Real images",
}  # fmt: skip

_EMPHASIS = re.compile(r"\*([^*<>]+)\*")

_Figure = Callable[[Mapping[str, Any], Mapping[str, np.ndarray]], Picture | None]
_FIGURES: dict[str, dict[str, _Figure]] = {
    "images": {"images": body_figure, "gain": gain_figure},
    "recovery": {"curves": recovery_figure},
    "nema": {"spheres": sphere_figure, "curves": nema_figure},
    "calls": {"calls": calls_figure},
}


def denoise_report(folder: Path) -> Path:
    """Write ``benchmark_denoise_report.html`` of the parts that a folder holds, and its figures.

    Args:
        folder: Where `betaplus.pipeline.benchmark.denoise.run.benchmark_denoise` wrote.

    Returns:
        The path of the report.

    Raises:
        InputError: If there is no part.
        OutputError: If a file cannot be written.
    """
    parts = [part for part in (*PARTS, *_TITLES) if part_file(folder, part, "json").is_file()]
    if not parts:
        raise InputError(f"no part of the benchmark in {folder}", "expected one or more")
    results = {
        part: json.loads(part_file(folder, part, "json").read_text(encoding="utf-8"))
        for part in dict.fromkeys(parts)
    }
    quick = [part for part, result in results.items() if result.get("quick")]
    page = Page(
        "Benchmark of denoising",
        "Simulation unless a section says real.",
        header={"Date": datetime.now().strftime("%Y-%m-%d %H:%M"), "Version": __version__},
        warnings=[f"Quick runs, too little to judge by: {', '.join(quick)}."] if quick else [],
    )
    for part, result in results.items():
        pictures = _pictures(folder, part, result)
        text = part_file(folder, part, "md").read_text(encoding="utf-8")
        body = text.partition("\n")[2] if text.startswith("# ") else text
        page.add_section(_TITLES.get(part, part), [*pictures, *_blocks(body)])
    return page.write(folder / "benchmark_denoise_report.html")


def _blocks(text: str) -> Iterator[Html]:
    """Yield the blocks of a part's Markdown."""
    for piece in markdown_blocks(text):
        yield Html(_EMPHASIS.sub(r"<em>\1</em>", piece))


def _pictures(folder: Path, part: str, result: Mapping[str, Any]) -> list[Picture]:
    """Return the figures of a part, and write those of pixels as files, too."""
    stored = part_file(folder, part, "npz")
    arrays: dict[str, np.ndarray] = {}
    if stored.is_file():
        with np.load(stored) as file:
            arrays = {name: file[name] for name in file.files}
    pictures = []
    for name, draw in _FIGURES.get(part, {}).items():
        made = draw(result, arrays)
        if made is None:
            continue
        pictures.append(made)
        with atomic_path(folder / f"benchmark_denoise_{part}_{name}.png") as path:
            path.write_bytes(base64.b64decode(made.data))
    return pictures
