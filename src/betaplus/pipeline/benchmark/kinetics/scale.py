"""A million voxels from files to maps: time by stage, peak memory, and how Ki meets the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.image import PetImage
from betaplus.core.progress import Progress, Silent
from betaplus.engine import parse_memory
from betaplus.io.derivatives import write_map
from betaplus.io.jsons import read_json
from betaplus.io.labels import load_labels
from betaplus.io.nifti import open_nifti
from betaplus.io.open import load
from betaplus.pipeline.benchmark.kinetics.region_accuracy import region_accuracy
from betaplus.pipeline.benchmark.machine import machine_record
from betaplus.pipeline.benchmark.verb_run import run_verb
from betaplus.pipeline.benchmark.wording import grid_name

__all__ = ["scale", "scale_table"]

_SIZES = {"small": 27_000, "full": 330_000, "large": 1_200_000, "largest": 2_200_000}
"""Size of a simulated study to voxels that its head has at least, with seed 0."""

_STATISTICS = ("mean", "std", "median", "q05", "q95")
_STAGES = ("read", "fit", "regions", "write", "report", "total")


def scale(
    folder: str | Path,
    *,
    voxels: int = 1_000_000,
    format: str = "zarr",
    max_memory: str = "4G",
    options: Sequence[str] = (),
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run ``betaplus kinetics`` on a large simulated study in a process of its own.

    The study is in ``folder/study-<format>``; where it is there already it is taken, so that a run
    that was stopped continues. Voxels are spread evenly over the head, so that every region has its
    share. Coverage is that of single regions at a fixed truth, which need not be 90 % for a
    Bayesian interval: see `region_accuracy`.

    Args:
        folder: Where study and results are kept.
        voxels: Voxels to fit.
        format: ``zarr`` or ``nii.gz``: what the dynamic image is kept as.
        max_memory: Bound on memory, as on the command line.
        options: More options of ``betaplus kinetics``.
        progress: What to report to.

    Returns:
        ``voxels``, ``grid``, ``frames``, ``format``, ``input_bytes``; ``seconds`` by stage of the
        run record, ``wall_seconds`` of the whole process; ``voxels_per_second`` of the fit and
        ``overall``; ``peak_bytes`` (the larger of the sampled sum over the process tree and the
        kernel's count for the process), ``limit_bytes``; ``blocks_done``, ``blocks_resumed``,
        ``status``; ``delay`` fitted and true [s]; ``Ki``, as `region_accuracy` returns it;
        ``options``, ``machine``, ``versions``.

    Raises:
        UsageError: If no simulated study has that many voxels, or the format is unknown.
        OutputError: If the folder cannot be written.
        RuntimeError: If the run fails.
    """
    progress = progress or Silent()
    if not 1 <= voxels <= max(_SIZES.values()):
        raise UsageError(f"{voxels} voxels", f"expected 1 to {max(_SIZES.values())}")
    folder = Path(folder)
    study, out = folder / f"study-{format}", folder / f"out-{format}-{voxels}"
    source = study / f"sub-01_pet.{format}"
    if not source.exists():
        from betaplus.simulation import simulate_dynamic

        size = next(name for name, most in _SIZES.items() if voxels <= most)
        simulate_dynamic(study, size=size, format=format, overwrite=True, progress=progress)
    image = load(source)
    assert isinstance(image, PetImage)
    labels, names = load_labels(study / "sub-01_dseg.nii.gz", image)
    mask = _spread(labels > 0, voxels)
    mask_path = folder / f"mask-{format}-{voxels}.nii.gz"
    write_map(mask_path, mask.astype(np.float32), image, {"Units": "1"})
    arguments = [
        *(str(source), "-o", str(out), "--blood", str(study / "sub-01_recording-manual_blood.tsv")),
        *("--mask", str(mask_path), "--max-memory", max_memory, "--resume", *options),
    ]
    progress.note(f"fitting {voxels} voxels in a process of its own")
    record, log = out / "sub-01_kinetics_run.json", folder / f"log-{format}-{voxels}.txt"
    done = run_verb("kinetics", arguments, record, log=log)
    run = done.record
    simulated = read_json(study / "truth" / "sub-01_simulation.json")
    seconds = {name: run["timings_s"][name] for name in _STAGES if name in run["timings_s"]}
    return {
        "voxels": run["fitted"],
        "grid": list(image.shape[:3]),
        "frames": image.n_frames,
        "format": format,
        "input_bytes": _size(source),
        "seconds": seconds,
        "wall_seconds": round(done.wall_s, 1),
        "voxels_per_second": run["per_second"],
        "overall": round(run["fitted"] / seconds["total"], 1),
        "peak_bytes": done.peak_bytes,
        "limit_bytes": parse_memory(max_memory),
        "blocks_done": run["blocks_done"],
        "blocks_resumed": run["blocks_resumed"],
        "status": run["status"],
        "delay": {"fitted": run["delay"], "true": simulated["delay"]},
        "Ki": region_accuracy(_maps(out, "Ki", mask), _truth(study, mask), labels[mask], names),
        "options": list(options),
        "machine": machine_record(),
        "versions": run["versions"],
    }


def scale_table(result: Mapping[str, Any]) -> str:
    """Return a result of `scale` as Markdown."""
    seconds = ", ".join(f"{name} {value:.0f} s" for name, value in result["seconds"].items())
    grid = grid_name((*result["grid"], result["frames"]))
    status = ", ".join(
        f"{count:,} {name}"
        for name, count in result["status"].items()
        if count and name != "outside"
    )
    resumed = result["blocks_resumed"]
    lines = [
        f"{result['voxels']:,} voxels of a {grid} study ({result['format']},"
        f" {result['input_bytes'] / 1e6:.0f} MB), {result['machine']['cores']} cores.",
        f"Time: {seconds}; {result['voxels_per_second']:.0f} voxels/s in the fit,"
        f" {result['overall']:.0f} overall."
        + (f" {resumed} of {result['blocks_done']} blocks came from a run before." * bool(resumed)),
        f"Peak memory of the process tree: {result['peak_bytes'] / 1e9:.2f} GB"
        f" (limit {result['limit_bytes'] / 1e9:.2f} GB). Voxels: {status}."
        f" Delay {result['delay']['fitted']:g} s, true {result['delay']['true']:.2f} s.",
        "",
        "| region | voxels | true Ki | mean: bias | in SD | median: bias | in SD | 90 % interval |"
        " truth below / above |",
        "|---" * 9 + "|",
    ]
    for region, row in result["Ki"].items():
        lines.append(
            f"| {region} | {row['voxels']:,} | {row['truth']:.4f}"
            f" | {row['mean_percent']:+.1f} % | {row['mean_sd']:+.2f}"
            f" | {row['median_percent']:+.1f} % | {row['median_sd']:+.2f}"
            f" | {100 * row['coverage']:.1f} %"
            f" | {100 * row['below']:.1f} / {100 * row['above']:.1f} % |"
        )
    lines += [
        "",
        "Ki in mL/cm3/min; biases are medians over voxels. Coverage at a fixed truth need not be"
        " 90 % for a Bayesian interval.",
    ]
    return "\n".join(lines)


def _spread(inside: np.ndarray, voxels: int) -> np.ndarray:
    """Return a mask of so many voxels, evenly spread over those inside."""
    at = np.flatnonzero(inside)
    if at.size < voxels:
        raise UsageError(
            f"{voxels} voxels asked of a study of {at.size}", todo="choose another folder or fewer"
        )
    mask = np.zeros(inside.size, dtype=bool)
    mask[at[np.arange(voxels) * at.size // voxels]] = True
    return mask.reshape(inside.shape)


def _maps(out: Path, name: str, mask: np.ndarray) -> dict[str, np.ndarray]:
    stem = f"sub-01_model-2TCM_meas-{name}"
    return {s: open_nifti(out / f"{stem}_stat-{s}_mimap.nii.gz").read()[mask] for s in _STATISTICS}


def _truth(study: Path, mask: np.ndarray) -> np.ndarray:
    return open_nifti(study / "truth" / "sub-01_model-2TCM_meas-Ki_mimap.nii.gz").read()[mask]


def _size(path: Path) -> int:
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    return sum(p.stat().st_size for p in files)
