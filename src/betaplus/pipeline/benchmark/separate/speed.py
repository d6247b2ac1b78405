"""Part `speed`: seconds and memory of `betaplus separate` on a whole scan, method by method."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.io.derivatives import write_blood, write_image
from betaplus.pipeline.benchmark.machine import machine_words
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.writing import skip_lines, write_part
from betaplus.pipeline.benchmark.verb_run import run_verb
from betaplus.pipeline.benchmark.wording import grid_name, opening
from betaplus.separation.method import LEARNED, METHODS
from betaplus.simulation.dataset import pet_fields
from betaplus.simulation.dual_study import (
    FIRST_TEST,
    STANDARD,
    draw_dual_person,
    draw_dual_study,
    dual_protocol,
)

__all__ = ["benchmark_speed", "speed_table", "write_scan"]

_VOXEL = 1.8  # mm: a head about fills 128 x 128 x 64
_DELAY = 1200.0  # s
_TRACERS = ("FMZ", "FDG")
_MB = 1 << 20


def benchmark_speed(
    out: Path,
    networks: Networks,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    shape: Sequence[int] = (128, 128, 64),
    threads: int = 2,
    methods: Sequence[str] = tuple(METHODS),
) -> dict[str, Any]:
    """Run the verb in a process of its own for each method, default settings, no mask.

    Writes ``benchmark_separate_speed.json`` and ``.md``.

    Args:
        out: Folder.
        networks: That are judged.
        quick: Small images, two methods.
        progress: What to report to.
        shape: Of the images; frames are 18.
        threads: At work at a time.
        methods: Names.
    """
    progress = progress or Silent()
    if quick:
        shape, methods = (24, 24, 16), ("linear", "extrapolation")
    rows: dict[str, dict[str, Any]] = {}
    missing = {m: networks.missing[m] for m in methods if m in networks.missing}
    with tempfile.TemporaryDirectory(dir=out, prefix=".speed-") as folder:
        arguments = write_scan(Path(folder), shape)
        progress.start("methods", len(methods))
        for method in methods:
            if method not in missing:
                rows[method] = _run(Path(folder), arguments, method, networks, threads)
            progress.advance()
        progress.finish()
    result = {
        "quick": quick,
        "shape": list(shape),
        "frames": 18,
        "threads": threads,
        "methods": rows,
        "skipped": missing,
        "machine": machine_words(),
    }
    write_part(out, "speed", result, speed_table(result))
    return result


def speed_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_speed` as Markdown."""
    grid = grid_name(result["shape"])
    lines = opening("Speed of separation", result)
    lines += [
        f"`betaplus separate` on {grid} voxels in {result['frames']} frames, all voxels,"
        f" {result['threads']} threads ({result['machine']}), from the start of the process to its"
        " end with files and checks; *fit* is the method alone. CPU seconds are of all threads, and"
        " on a machine that others use too they are the steadier figure.",
        "",
        *skip_lines(result["skipped"]),
        "| method | all [s] | CPU [s] | fit [s] | peak memory [MiB] | planned [MiB] |",
        "|---" * 6 + "|",
    ]
    for method, row in result["methods"].items():
        lines.append(
            f"| {method} | {row['wall_s']:.1f} | {row['cpu_s']:.1f} |"
            f" {row['stages_s'].get('fit', float('nan')):.1f} |"
            f" {row['peak_bytes'] / _MB:,.0f} | {row['planned_bytes'] / _MB:,.0f} |"
        )
    return "\n".join([*lines, ""])


def _run(
    folder: Path, arguments: Sequence[str], method: str, networks: Networks, threads: int
) -> dict[str, Any]:
    out = folder / f"out-{method}"
    more = ["-o", str(out), "--method", method, "--workers", str(threads), "--no-report"]
    trained = networks.of(method)
    if method in LEARNED and trained is not None and trained.bundle is not None:
        more += ["--bundle", str(trained.bundle.path)]
    run = run_verb("separate", [*arguments, *more], out / "sub-01_separate_run.json")
    return {**run.as_dict(), "found": run.record.get("found", {}), "fitted": run.record["fitted"]}


def write_scan(folder: Path, shape: Sequence[int]) -> list[str]:
    """Write a simulated scan of two tracers and its blood; return the arguments of the verb."""
    person = draw_dual_person(FIRST_TEST, STANDARD.replace(voxel=_VOXEL))
    study = draw_dual_study(person, dual_protocol(*_TRACERS, _DELAY), item=0, shape=tuple(shape))
    first = study.protocol.tracers[0]
    image = PetImage(
        data=study.mixture(),
        affine=study.affine,
        unit="Bq/mL",
        frames=study.frames,
        tracer=first.tracer,
        decay_corrected_to=None,
        metadata=pet_fields(first),
    )
    source = folder / "sub-01_pet.nii.gz"
    write_image(source, image)
    arguments = [str(source), "--tracers", ",".join(_TRACERS), "--delay", f"{_DELAY:g}"]
    for option, tracer, blood in zip("ab", _TRACERS, study.blood, strict=True):
        path = folder / f"sub-01_trc-{tracer}_recording-manual_blood.tsv"
        write_blood(path, blood)
        arguments += [f"--blood-{option}", str(path)]
    return arguments
