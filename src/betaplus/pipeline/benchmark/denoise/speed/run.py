"""How long `betaplus denoise` takes on a whole body at fine voxels, and in how much memory."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.core.seeds import generator
from betaplus.engine import parse_memory
from betaplus.io.derivatives import write_image
from betaplus.pipeline.benchmark.denoise.speed.published_cost import BLOCKS, published_cost
from betaplus.pipeline.benchmark.machine import machine_words
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.verb_run import run_verb
from betaplus.pipeline.benchmark.wording import grid_name, opening, passed

__all__ = ["analytic_body", "benchmark_speed", "speed_table"]

_SHAPE = (192, 288, 520)  # of the published method's volumes (Yu et al., EJNMMI 2025)
_VOXEL = 1.65  # mm, likewise
_SEED = 71_000
_STAGES = ("read", "denoise", "write", "report", "total")


def benchmark_speed(
    out: str | Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    shape: Sequence[int] = _SHAPE,
    voxel: float = _VOXEL,
    threads: int = 2,
    max_memory: str = "4G",
    repeats: int = 3,
    blocks: Sequence[tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """Time the verb in a process of its own, and estimate the published network's cost beside it.

    Precisions take turns, so that both meet the same neighbours on a shared machine; times are
    those of the fastest repeat, memory is the largest of all. Writes
    ``benchmark_denoise_speed.json`` and ``.md``.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: Half of each edge length, one repeat.
        progress: What to report to.
        shape: Of the volume.
        voxel: Its edge [mm].
        threads: Tiles at work at a time, and threads of the published network's blocks.
        max_memory: Bound, as on the command line.
        repeats: Of each precision.
        blocks: Of the published network that are timed, as for `published_cost`.

    Raises:
        RuntimeError: If the verb fails.
    """
    out, progress = Path(out), progress or Silent()
    out.mkdir(parents=True, exist_ok=True)
    if quick:
        shape, repeats = tuple(n // 2 for n in shape), 1
    wanted = [] if bundle is None else ["--bundle", str(bundle)]
    found: dict[str, list[dict[str, Any]]] = {"fp32": [], "bf16": []}
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folder = Path(scratch)
        source = folder / "sub-01_pet.nii.gz"
        write_image(source, analytic_body(shape, voxel))
        progress.start("speed", 2 * repeats)
        for repeat in range(repeats):
            for precision, runs in found.items():
                target = folder / f"{precision}-{repeat}"
                options = ["-o", str(target), "--workers", str(threads), f"--{precision}"]
                options += ["--max-memory", max_memory, "--quiet", *wanted]
                runs.append(_run([str(source), *options], target))
                progress.advance()
        progress.finish()
    progress.note("timing blocks of the published network")
    published = published_cost(threads, blocks=blocks or (BLOCKS if not quick else BLOCKS[1:]))
    result = {
        "quick": quick,
        "shape": list(shape),
        "voxel": voxel,
        "threads": threads,
        "max_memory_bytes": parse_memory(max_memory),
        "repeats": repeats,
        "seed": _SEED,
        **{precision: _best(runs) for precision, runs in found.items()},
        "published": published,
        "machine": machine_words(),
    }
    scaled = float(np.prod(shape)) / float(np.prod(_SHAPE))
    for precision in found:
        volume = published[precision]["volume_s"] * scaled
        published[precision]["this_volume_s"] = volume
        result[precision]["times_faster"] = volume / result[precision]["wall_s"]
    write_result(out, "denoise_speed", result, speed_table(result))
    return result


def analytic_body(shape: Sequence[int], voxel: float, seed: int = _SEED) -> PetImage:
    """Return a torso of ellipsoids with a liver and a hot bladder, with noise [SUV].

    Noise of PET's kind, with an SD of .35 SUV^.3 of the uptake to the .7, correlated over 3.5 mm.
    The time of a run does not depend on what is in the image.

    Args:
        shape: (X, Y, Z).
        voxel: Edge [mm].
        seed: Of the noise.
    """
    from scipy.ndimage import gaussian_filter

    half = [0.5 * n * voxel for n in shape]
    lines = [
        ((np.arange(n) - (n - 1) / 2) * voxel / h).astype(np.float32)
        for n, h in zip(shape, half, strict=True)
    ]
    x, y, z = np.meshgrid(*lines, indexing="ij", sparse=True)
    mean = np.where((x / 0.7) ** 2 + (y / 0.85) ** 2 < 1, np.float32(1.0), np.float32(0.0))
    mean = mean * (np.abs(z) < 0.96)
    mean[((x + 0.1) / 0.45) ** 2 + ((y - 0.3) / 0.35) ** 2 + ((z - 0.1) / 0.16) ** 2 < 1] = 2.5
    mean[(x / 0.22) ** 2 + (y / 0.15) ** 2 + ((z + 0.6) / 0.08) ** 2 < 1] = 30.0
    mean = gaussian_filter(mean, 2.5 / voxel)
    noise = generator(seed).standard_normal(tuple(shape), dtype=np.float32)
    noise = gaussian_filter(noise, 1.5 / voxel)
    noise *= np.float32(0.35 / noise.std())
    noise *= mean**0.7
    data = np.maximum(mean + noise, 0.0, dtype=np.float32)
    return PetImage(
        data=data,
        affine=np.diag([voxel, voxel, voxel, 1.0]),
        unit="SUV",
        metadata={"SUVType": "SUVbw", "TracerName": "FDG"},
    )


def _run(arguments: Sequence[str], target: Path) -> dict[str, Any]:
    """Run the verb to its end; return its wall time, peak memory and the stages of its record."""
    run = run_verb("denoise", arguments, target / "sub-01_denoise_run.json")
    timings = run.record["timings_s"]
    return {
        **run.as_dict(),
        "tiles": run.record["blocks_done"],
        "stages_s": {name: timings[name] for name in _STAGES if name in timings},
        "network": run.record["network"]["bundle"],
    }


def _best(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    fastest = min(runs, key=lambda run: run["wall_s"])
    return {
        **fastest,
        "peak_bytes": max(run["peak_bytes"] for run in runs),
        "wall_s_all": [run["wall_s"] for run in runs],
    }


def speed_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_speed` as Markdown."""
    published, limit = result["published"], result["max_memory_bytes"]
    grid = grid_name(result["shape"])
    lines = opening("Speed and memory of denoising", result)
    lines += [
        f"{result['fp32']['network']}, method mmse, on {grid} voxels of {result['voxel']:g} mm with"
        f" {result['threads']} threads ({result['machine']}); an analytic torso with noise (seed"
        f" {result['seed']}). Fastest of {result['repeats']}, from the start of the process to its"
        " end, gzip and report among it; CPU seconds are of all threads. Memory is the largest"
        " resident set.",
        "",
        "| precision | wall [s] | CPU [s] | read | denoise | write | report | peak [GB] |"
        " limit [GB] | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for precision in ("fp32", "bf16"):
        run = result[precision]
        stages = " | ".join(f"{run['stages_s'].get(name, 0.0):.1f}" for name in _STAGES[:4])
        kept = passed(run["peak_bytes"] <= limit)
        lines.append(
            f"| {precision} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} | {stages} |"
            f" {run['peak_bytes'] / 1e9:.2f} | {limit / 1e9:.2f} | {kept} |"
        )
    network = published["network"]
    lines += [
        "",
        f"The published 3-D DDPM (Yu et al., EJNMMI 2025; {network['parameters']:,} parameters,"
        f" {network['tile_flop'] / 1e12:.0f} TFLOP for a call on a tile of {network['tile']}^3,"
        f" {network['tiles']} tiles, {network['steps']} steps, {network['volume_flop']:.1e} FLOP"
        f" for a volume of {' x '.join(map(str, _SHAPE))}) on the same threads. Timed: residual"
        " blocks of two 3 x 3 x 3 convolutions at the widths below; scaled: everything else, by"
        " FLOP.",
        "",
        "| precision | timed: channels, edge: GFLOP/s | a tile [min] | this volume [days] |"
        " this toolkit is faster by |",
        "|---|---|---|---|---|",
    ]
    for precision in ("fp32", "bf16"):
        part = published[precision]
        timed = "; ".join(
            f"{one['channels']}, {one['edge']}^3: {one['flop_per_s'] / 1e9:.0f}"
            for one in part["timed"]
        )
        lines.append(
            f"| {precision} | {timed} | {part['tile_s'] / 60:.1f} |"
            f" {part['this_volume_s'] / 86400:.1f} | {result[precision]['times_faster']:,.0f} |"
        )
    return "\n".join([*lines, ""])
