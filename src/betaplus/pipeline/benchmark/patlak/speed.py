"""Time of every Patlak method on one study, beside weighted least squares in the same run."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.patlak.fitting import fit_study, read_study
from betaplus.patlak.method import LEARNED, METHODS, find_method
from betaplus.patlak.prior_choice import PriorChoice, choose_prior
from betaplus.patlak.study import Study
from betaplus.pipeline.benchmark.machine import machine_words
from betaplus.pipeline.benchmark.patlak.memory.torso import T_STAR, torso_blood, torso_image
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.wording import grid_name, opening
from betaplus.pipeline.patlak.request import PatlakRequest, check_options

__all__ = ["benchmark_speed", "speed_table"]

_REFERENCE = "wls"
_VOXEL = 4.0  # mm
_WARM = 16  # voxels: edge of what is fitted before, so that nothing is compiled or loaded later
_SHORT: Mapping[str, Mapping[str, int]] = {"gibbs": {"samples": 4, "burn": 1}}
"""Settings of a shorter run, whose turns all cost the same, that a method's time is scaled from."""


def benchmark_speed(
    out: str | Path,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    shape: Sequence[int] = (96, 96, 96),
    frames: int = 24,
    methods: Sequence[str] = tuple(METHODS),
    threads: int = 2,
    repeats: int = 3,
    enough: float = 10.0,
) -> dict[str, Any]:
    """Time the methods, settings at their defaults.

    Timed are the passes through the frames, from memory, and the fits. Writes
    ``benchmark_patlak_speed.json`` and ``.md``.

    Args:
        out: Folder.
        quick: A volume of 32 x 32 x 32.
        progress: What to report to.
        shape: Of the volume.
        frames: Of an hour.
        methods: In this order; `wls` among them.
        threads: Tiles or blocks at work at a time.
        repeats: Of a fit; the fastest counts.
        enough: Seconds after which a fit is not repeated.

    Raises:
        UsageError: If `wls` is not among the methods.
    """
    if _REFERENCE not in methods:
        raise UsageError(f"methods {', '.join(methods)}", f"expected {_REFERENCE} among them")
    out, progress = Path(out), progress or Silent()
    if quick:
        shape = (32, 32, 32)
    image = _image(shape, frames)
    small = _read(_image((_WARM,) * 3, frames), _REFERENCE)
    began = time.perf_counter(), time.process_time()
    study = _read(image, _REFERENCE)
    sums = {
        "wall_s": time.perf_counter() - began[0],
        "cpu_s": time.process_time() - began[1],
    }
    prior = choose_prior(study, None, "body") if set(methods) & set(LEARNED) else None
    rows = {}
    progress.start("methods", len(methods))
    for method in methods:
        _fitted(small, method, prior, threads)
        rows[method] = _timed(study, method, prior, threads, repeats, enough)
        progress.advance()
    progress.finish()
    voxels = math.prod(shape)
    for row in rows.values():
        row["per_voxel_us"] = 1e6 * row["wall_s"] / voxels
        row["cpu_per_voxel_us"] = 1e6 * row["cpu_s"] / voxels
        row["over_wls"] = row["wall_s"] / rows[_REFERENCE]["wall_s"]
        row["cpu_over_wls"] = row["cpu_s"] / rows[_REFERENCE]["cpu_s"]
        row["run_over_wls"] = (row["wall_s"] + sums["wall_s"]) / (
            rows[_REFERENCE]["wall_s"] + sums["wall_s"]
        )
    result = {
        "quick": quick,
        "shape": list(shape),
        "frames": frames,
        "fitted": int(study.problem.mask.sum()),
        "threads": threads,
        "prior": None if prior is None else prior.record["bundle"],
        "sums": {**sums, "per_voxel_us": 1e6 * sums["wall_s"] / voxels},
        "methods": rows,
        "gpu": _gpu(),
        "machine": machine_words(),
    }
    write_result(out, "patlak_speed", result, speed_table(result))
    return result


def _image(shape: Sequence[int], frames: int) -> PetImage:
    image = torso_image(shape, _VOXEL, frames)
    whole = slice(None)
    return dataclasses.replace(image, data=np.asarray(image.data[whole, whole, whole]))


def _read(image: PetImage, method: str) -> Study:
    return read_study(
        image, torso_blood(), method=method, t_star=T_STAR, mask=None, delay=0.0, relative=False,
        bed_times="once", dose=None, weight=None, level=1.0, progress=None,
    )  # fmt: skip


def _timed(
    study: Study,
    method: str,
    prior: PriorChoice | None,
    threads: int,
    repeats: int,
    enough: float,
) -> dict[str, Any]:
    """Return wall and CPU seconds of the fastest fit, and what they are scaled by."""
    runs: list[tuple[float, float]] = []
    while len(runs) < repeats and sum(wall for wall, _ in runs) < enough:
        began = time.perf_counter(), time.process_time()
        scale = _fitted(study, method, prior, threads)
        runs.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    wall, cpu = (scale * min(run[i] for run in runs) for i in (0, 1))
    return {"wall_s": wall, "cpu_s": cpu, "repeats": len(runs), "scaled_by": scale}


def _fitted(study: Study, method: str, prior: PriorChoice | None, threads: int) -> float:
    """Fit, shorter where that is done; return how many times longer the default takes."""
    usual = find_method(method).Settings()
    settings = dataclasses.replace(usual, **_SHORT.get(method, {}))
    fit_study(
        study,
        method=method,
        settings=settings,
        prior=prior if method in LEARNED else None,
        seed=0,
        workers=threads,
        progress=None,
    )
    if settings == usual:
        return 1.0
    return _turns(usual) / _turns(settings)


def _turns(settings: Any) -> int:
    return int(settings.burn + settings.samples * settings.thin)


def _gpu() -> str:
    """Return what the verb says of a GPU."""
    request = PatlakRequest(source=Path("a"), out=Path("b"), blood=("c",), device="cuda")
    try:
        check_options(request)
    except UsageError as error:
        return f"refused: {error}"
    return "not measured"


def speed_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_speed` as Markdown."""
    grid, sums = grid_name(result["shape"]), result["sums"]
    lines = opening("Speed of Patlak maps", result)
    lines += [
        f"A torso of {grid} voxels of {_VOXEL:g} mm in {result['frames']} frames,"
        f" {result['fitted']:,} voxels in the mask, {result['threads']} threads"
        f" ({result['machine']}); prior {result['prior']}. Fastest of up to 3 fits with the"
        " default settings; CPU seconds are of all threads, and on a machine that others use too"
        " they are the steadier figure. Times a voxel are over all voxels of the volume.",
        "",
        f"Two passes through the frames, in memory, the same for all methods: {sums['wall_s']:.2f}"
        f" s, {sums['per_voxel_us']:.2f} us a voxel.",
        "",
        "| method | fit [s] | CPU [s] | fit [us/voxel] | CPU [us/voxel] | fit over that of wls |"
        " the same of CPU | passes and fit over those of wls |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for method, row in result["methods"].items():
        mark = "" if row["scaled_by"] == 1 else " (*)"
        lines.append(
            f"| {method}{mark} | {row['wall_s']:.2f} | {row['cpu_s']:.2f} |"
            f" {row['per_voxel_us']:,.3g} | {row['cpu_per_voxel_us']:,.3g} |"
            f" {row['over_wls']:,.3g} | {row['cpu_over_wls']:,.3g} | {row['run_over_wls']:,.3g} |"
        )
    scaled = {m: r["scaled_by"] for m, r in result["methods"].items() if r["scaled_by"] != 1}
    lines.append("")
    for method, scale in scaled.items():
        lines.append(f"(*) {method}: timed are 1 in {scale:g} of its turns, which are alike.")
    return "\n".join([*lines, "", f"GPU: {result['gpu']}", ""])
