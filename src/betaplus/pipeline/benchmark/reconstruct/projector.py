"""`betaplus benchmark projector`: speed of the projector beside a kernel for single lines."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.grid import ImageGrid
from betaplus.core.progress import Progress, Silent
from betaplus.core.scanner import Scanner
from betaplus.core.scanners import find_scanner
from betaplus.engine import peak_memory
from betaplus.physics.projector.line_projector import LineProjector
from betaplus.physics.projector.projector import Projector
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.wording import grid_name

__all__ = ["benchmark_projector", "projector_table"]

_SUBSET = 21  # a twenty-first of the views
_TOF = {"tof_bins": 29, "tof_width": 143.2, "tof_resolution": 214.0}


def benchmark_projector(
    out: str | Path | None = None, quick: bool = False, progress: Progress | None = None
) -> dict[str, Any]:
    """Time the projector on the mMR (span 11, 837 planes) and an image of 128 x 128 x 127.

    Kernels of one thread are timed in pairs, the structured one and the one for single lines, on
    the same lines; each three times, of which the fastest counts. Times do not hold compilation.

    Args:
        out: Folder for ``benchmark_projector.json`` and ``.md``; None writes nothing.
        quick: A twenty-first of the views in place of all.
        progress: What to report to.

    Returns:
        ``lines`` and milliseconds per million lines of every kernel and direction (``structured``,
        ``single``, ``tof``, ``odd``: slices that are no fraction of the ring pitch), ``ratios``,
        ``whole`` (seconds of a full projection with all threads and its memory), ``agreement``.
    """
    progress = progress or Silent()
    scanner = find_scanner("mMR")
    grid = ImageGrid(shape=(128, 128, 127), voxel_size=(2.0, 2.0, scanner.ring_pitch / 2.0))
    odd = ImageGrid(shape=(128, 128, 127), voxel_size=(2.0, 2.0, 2.0))
    image = np.random.default_rng(0).random(grid.shape, dtype=np.float32)
    views = np.arange(0, scanner.views, _SUBSET)
    whole = Projector(scanner, grid, views=views if quick else None)
    progress.note("a full projection")
    warm = Projector(scanner, grid, views=[0])
    warm.adjoint(warm.forward(image))
    before = peak_memory().process
    began = time.perf_counter()
    sinogram = whole.forward(image)
    forward = time.perf_counter() - began
    began = time.perf_counter()
    whole.adjoint(sinogram)
    back = time.perf_counter() - began
    above = peak_memory().process - before - sinogram.nbytes
    million = sinogram.size / 1e6
    del sinogram
    structured = Projector(scanner, grid, views=views, threads=1)
    single = LineProjector(_lines(scanner, views), grid, threads=1)
    timed = scanner.replace(**_TOF)
    kernels: dict[str, Any] = {
        "structured": structured,
        "single": single,
        "odd": Projector(scanner, odd, views=views, threads=1),
        "tof": Projector(timed, grid, views=views, threads=1),
    }
    count = structured.out_shape[0] * scanner.radial * scanner.planes / 1e6
    found: dict[str, dict[str, float]] = {}
    for name, kernel in kernels.items():
        progress.note(f"{name}, one thread")
        y = kernel.forward(image)
        found[name] = {
            "forward": 1e3 * _fastest(_again(kernel, image, y)) / count,
            "back": 1e3 * _fastest(lambda k=kernel, v=y: k.adjoint(v)) / count,
        }
    a, b = structured.forward(image), single.forward(image).reshape(structured.out_shape)
    result = {
        "machine": {**machine_record(), "processor": _processor()},
        "quick": quick,
        "grid": list(grid.shape),
        "shape": list(scanner.shape),
        "whole": {
            "million_lines": million,
            "forward_s": forward,
            "back_s": back,
            "forward_ms": 1e3 * forward / million,
            "back_ms": 1e3 * back / million,
            "threads": whole.threads,
            "memory_above_sinogram": max(0, above),
        },
        "ms_per_million_lines": found,
        "ratios": {
            way: {
                "single": found["single"][way] / found["structured"][way],
                "tof": found["tof"][way] / found["structured"][way],
            }
            for way in ("forward", "back")
        },
        "agreement": float(np.abs(a - b).max() / a.max()),
    }
    if out is not None:
        write_result(Path(out), "projector", result, projector_table(result))
    return result


def projector_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_projector` as Markdown."""
    machine, whole = result["machine"], result["whole"]
    grid, shape = (grid_name(result[name]) for name in ("grid", "shape"))
    lines = [
        "# Benchmark of the projector",
        "",
        f"mMR, {shape} lines, image of {grid}, {machine['processor']}, {machine['cores']} cores.",
        "",
        f"All threads ({whole['threads']}), {whole['million_lines']:.1f} million lines: forward"
        f" {whole['forward_s']:.2f} s ({whole['forward_ms']:.1f} ms per million), back"
        f" {whole['back_s']:.2f} s ({whole['back_ms']:.1f} ms); memory above the sinogram's own"
        f" {whole['memory_above_sinogram'] / 1e6:.0f} MB.",
        "",
        "| one thread, a twenty-first of the views | forward, ms per million lines | back |",
        "|---|---|---|",
    ]
    names = {
        "structured": "structured",
        "single": "lines one by one",
        "odd": "structured, slices of 2 mm",
        "tof": "structured, 29 bins of time of flight",
    }
    for name, text in names.items():
        row = result["ms_per_million_lines"][name]
        lines.append(f"| {text} | {row['forward']:.1f} | {row['back']:.1f} |")
    forward, back = result["ratios"]["forward"], result["ratios"]["back"]
    lines += [
        "",
        f"Lines one by one take {forward['single']:.1f} and {back['single']:.1f} times as long;"
        f" time of flight {forward['tof']:.1f} and {back['tof']:.1f} times. Both agree to"
        f" {result['agreement']:.1g} of the largest value.",
    ]
    return "\n".join(lines) + "\n"


def _fastest(call: Callable[[], Any], times: int = 3) -> float:
    best = np.inf
    for _ in range(times):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return float(best)


def _again(kernel: Any, image: np.ndarray, out: np.ndarray) -> Callable[[], Any]:
    """Return the projection into memory that is there already, as iterations do it."""
    if isinstance(kernel, Projector):
        return lambda: kernel.forward(image, out)
    return lambda: kernel.forward(image)


def _lines(scanner: Scanner, views: np.ndarray) -> np.ndarray:
    """Return the ends of all lines of some views, shape (n, 6) [mm]."""
    pairs = scanner.pairs[views]
    xy, michelogram = scanner.detector_xy[pairs], scanner.michelogram
    out = np.empty((*pairs.shape[:2], scanner.planes, 6))
    out[..., 0:2], out[..., 3:5] = xy[:, :, None, 0], xy[:, :, None, 1]
    for s in michelogram.segments:
        middle = michelogram.midpoints[s.slice] - 0.5 * (scanner.rings - 1)
        out[:, :, s.slice, 2] = scanner.ring_pitch * (middle - 0.5 * s.mean_difference)
        out[:, :, s.slice, 5] = scanner.ring_pitch * (middle + 0.5 * s.mean_difference)
    return out.reshape(-1, 6)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
