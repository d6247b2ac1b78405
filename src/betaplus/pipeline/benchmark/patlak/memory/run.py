"""Memory of `betaplus patlak`: with volumes, not with frames, and a whole body at fine voxels."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from betaplus.core.errors import UsageError
from betaplus.core.progress import Progress, Silent
from betaplus.engine import parse_memory
from betaplus.pipeline.benchmark.machine import machine_words
from betaplus.pipeline.benchmark.patlak.memory.table import memory_gates, memory_table
from betaplus.pipeline.benchmark.patlak.memory.torso import T_STAR, write_torso
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.verb_run import run_verb

__all__ = ["benchmark_memory"]

_LARGE = (192, 288, 520)  # total-body volumes at 1.65 mm, as in part speed of denoise
_VOXEL = 1.65  # mm
_BOX = 4.0  # mm: voxels of the volumes in which frames are counted
_HALF = 2  # edges of the volume that a time is estimated from are shorter by this
_SHORT: Mapping[str, Sequence[str]] = {
    "red-diff": ("steps=2",),
    "hqs": ("steps=2",),
    "gibbs": ("samples=2", "burn=0"),
}
"""Settings of fewer turns, in which as much memory is held (of `gibbs` less by its draws)."""


def benchmark_memory(
    out: str | Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    shape: Sequence[int] = (96, 96, 256),
    counts: Sequence[int] = (12, 48),
    kinds: Sequence[str] = ("zarr", "nii.gz"),
    large: Sequence[int] = _LARGE,
    large_frames: int = 35,
    methods: Sequence[str] = ("wls", "hqs"),
    max_memory: str = "6GB",
    most_minutes: float = 40.0,
    threads: int = 2,
) -> dict[str, Any]:
    """Measure the verb's peak memory, each run in a process of its own.

    Studies are written into the folder and removed when they have been measured. Writes
    ``benchmark_patlak_memory.json`` and ``.md``.

    Args:
        out: Folder.
        quick: Smaller volumes.
        progress: What to report to.
        shape: Of the volume that is seen in several numbers of frames, by `wls`; half of it along
            z shows what a voxel takes.
        counts: Numbers of frames, ascending.
        kinds: Formats.
        large: Of the whole body, a zarr store at voxels of 1.65 mm.
        large_frames: Its frames.
        methods: That it is given to.
        max_memory: Bound for it, as on the command line.
        most_minutes: A method that would take more CPU time, by what an eighth of the voxels
            takes, is run for fewer turns, if it has any.
        threads: Tiles or blocks at work at a time.

    Raises:
        RuntimeError: If the verb fails.
        UsageError: If there is no room for the study.
    """
    out, progress = Path(out), progress or Silent()
    out.mkdir(parents=True, exist_ok=True)
    voxel = _VOXEL
    if quick:
        shape = tuple(max(1, n // 2) for n in shape)
        large, voxel = tuple(max(1, n // 4) for n in large), 4 * _VOXEL
    half = (*shape[:2], max(1, shape[2] // 2))
    cases = [(half, kinds[0], counts[0]), *((shape, k, n) for k in kinds for n in counts)]
    progress.start("memory", len(cases) + 2 * len(methods))
    rows = []
    for grid, kind, count in cases:
        with _study(out, grid, _BOX, count, kind) as study:
            rows.append(_measured(study, "wls", grid, count, kind, threads, []))
        progress.advance()
    bound = ["--max-memory", max_memory]
    small = tuple(max(1, n // _HALF) for n in large)
    estimates = {}
    with _study(out, small, voxel, large_frames, "zarr") as study:
        for method in methods:
            run = _measured(study, method, small, large_frames, "zarr", threads, bound)
            times = math.prod(large) / math.prod(small)
            estimates[method] = {**run, "estimate_s": times * run["cpu_s"]}
            progress.advance()
    wholes = []
    with _study(out, large, voxel, large_frames, "zarr") as study:
        for method in methods:
            progress.note(f"{method} on {' x '.join(map(str, large))} x {large_frames}")
            short = ()
            if estimates[method]["estimate_s"] > 60 * most_minutes:
                short = _SHORT.get(method, ())
            more = [*bound, *(word for text in short for word in ("--set", text))]
            run = _measured(study, method, large, large_frames, "zarr", threads, more)
            wholes.append({**run, "shortened": list(short)})
            progress.advance()
    progress.finish()
    result: dict[str, Any] = {
        "quick": quick,
        "voxel": voxel,
        "threads": threads,
        "limit_bytes": parse_memory(max_memory),
        "most_minutes": most_minutes,
        "frames": rows,
        "large": wholes,
        "estimates": estimates,
        "machine": machine_words(),
    }
    result["gates"] = [gate.as_dict() for gate in memory_gates(result)]
    write_result(out, "patlak_memory", result, memory_table(result))
    return result


@contextmanager
def _study(
    out: Path, shape: Sequence[int], voxel: float, frames: int, kind: str
) -> Iterator[tuple[Path, Path]]:
    """Have image and blood in a folder that is gone afterwards."""
    size, free = 4 * math.prod(shape) * frames, shutil.disk_usage(out).free
    if free < 1.5 * size:
        raise UsageError(
            f"{free / 1e9:.1f} GB are free in {out}", f"expected {1.5 * size / 1e9:.1f} GB"
        )
    with tempfile.TemporaryDirectory(dir=out, prefix="study-") as folder:
        yield write_torso(Path(folder), shape, voxel, frames, kind)


def _measured(
    study: tuple[Path, Path],
    method: str,
    shape: Sequence[int],
    frames: int,
    kind: str,
    threads: int,
    more: Sequence[str],
) -> dict[str, Any]:
    source, blood = study
    target = source.parent / f"maps-{method}"
    arguments = [str(source), "--blood", str(blood), "-o", str(target), "--method", method]
    arguments += ["--t-star", f"{T_STAR:g}", "--workers", str(threads), "--quiet", *more]
    run = run_verb("patlak", arguments, target / "sub-01_patlak_run.json")
    shutil.rmtree(target)
    return {
        "method": method,
        "format": kind,
        "shape": list(shape),
        "frames": frames,
        "image_bytes": 4 * math.prod(shape) * frames,
        **run.as_dict(),
        "found": run.record["found"],
        "fitted": run.record["fitted"],
    }
