"""Quality of draws against what they cost in calls of the network, and in time.

Each sampler draws crops of bodies that no training saw several times. What is judged is a draw, the
mean of the draws, and whether they differ from each other as much as their mean is wrong.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.denoising.device import find_device
from betaplus.engine import default_workers
from betaplus.evaluation.images.errors import peak, psnr
from betaplus.pipeline.benchmark.denoise.calls import crops as calls_crops
from betaplus.pipeline.benchmark.denoise.calls.draws import (
    fingerprint,
    jobs_of,
    make_draws,
    read_draws,
)
from betaplus.pipeline.benchmark.denoise.calls.lines import find_networks, lines_of
from betaplus.pipeline.benchmark.denoise.calls.table import calls_table, summary
from betaplus.pipeline.benchmark.denoise.calls.timing import time_lines
from betaplus.pipeline.benchmark.result_files import write_result

__all__ = ["benchmark_calls", "score_draws"]

_BLOCK = 4  # voxels
_BLOCK_BODY = 0.75  # share of a block that is body
_QUICK = {"crops": 1, "draws": 2, "steps": 20, "repeats": 1, "edge": 24, "voxel": 6.0}


def benchmark_calls(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    crops: int = 4,
    draws: int = 8,
    steps: int = 1000,
    repeats: int = 8,
    edge: int = 64,
    voxel: float = 3.0,
    device: str = "auto",
    workers: int | None = None,
) -> dict[str, Any]:
    """Judge `consistency`, `ddim` and `ddpm` by the calls that a draw takes.

    Writes ``benchmark_denoise_calls.json`` and ``.md``. Crops, draws and times are kept in
    ``out/calls``, each as soon as it is there, so that a run goes on where it was stopped; draws of
    other weights are never taken for those of these. Times are those of one thread of the CPU
    whatever the device; draws are made before them.

    Args:
        out: Folder.
        bundle: A folder of bundles, or one bundle in place of the one of its kind, see
            `betaplus.pipeline.benchmark.denoise.calls.lines.find_networks`; those that are shipped
            if None.
        quick: One coarse crop, two draws, few steps: too little to judge by.
        progress: What to report to.
        crops: How many.
        draws: Of each crop.
        steps: Of ``ddpm``.
        repeats: Turns that quick samplers take, while ``ddpm`` is timed.
        edge: Of a crop [voxels].
        voxel: Edge of a voxel [mm].
        device: Where draws are made: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        workers: Processes of one thread that make draws; the cores available if None, 1 on a GPU.

    Raises:
        UsageError: If a network is missing; it says what trains it.
    """
    out, progress, device = Path(out), progress or Silent(), find_device(device)
    sizes: dict[str, Any] = {
        "crops": crops, "draws": draws, "steps": steps, "repeats": repeats, "edge": edge,
        "voxel": voxel,
    }  # fmt: skip
    if quick:
        sizes = _QUICK
    networks = find_networks(bundle, bf16=True)
    drawing = networks if device == "cpu" else find_networks(bundle, device=device, bf16=True)
    if workers is None:
        workers = default_workers() if device == "cpu" and not quick else 1
    folder = out / "calls"
    files = calls_crops.make_crops(
        folder / "crops", sizes["crops"], sizes["edge"], sizes["voxel"], progress
    )
    lines = lines_of(sizes["draws"], sizes["steps"], *([(10,)] if quick else []))
    jobs = jobs_of(folder / "draws", files, lines, networks)
    make_draws(jobs, drawing, workers=workers, progress=progress)
    rows = []
    for file in files:
        crop = calls_crops.read_crop(file)
        sd = crop.volume(networks["body"].voxel).sd
        about = {"person": crop.person, "place": crop.place}
        noisy = score_draws(crop.noisy[None], crop.clean, crop.body, sd)
        rows.append({**about, "name": "noisy", "calls": 0, **noisy})
        for line in lines:
            images, calls = read_draws(jobs, file, line)
            found = score_draws(images, crop.clean, crop.body, sd)
            rows.append({**about, "name": line.name, "calls": calls, **found})
    timed = calls_crops.read_crop(files[0]).volume(networks["body"].voxel)
    weights = "-".join(fingerprint(networks[name]) for name in sorted(networks))
    about = f"{sizes['steps']}-{sizes['repeats']}"
    times = time_lines(
        folder / "times" / f"{weights}-{files[0].stem}-{about}.json",
        timed,
        lines,
        networks,
        repeats=sizes["repeats"],
        progress=progress,
    )
    result = {
        "quick": quick, **sizes, "dose": calls_crops.DOSE, "device": device,
        "bf16": True, "first_person": calls_crops.FIRST,
        "networks": {
            name: {
                "bundle": network.bundle.path.name,
                "sha256": network.bundle.checksum,
                "parameters": sum(weights.numel() for weights in network.network.parameters()),
            }
            for name, network in networks.items()
        },
        "lines": {line.name: {"method": line.method, "steps": line.steps} for line in lines},
        "times": times, "rows": rows,
    }  # fmt: skip
    result |= summary(result)
    write_result(out, "denoise_calls", result, calls_table(result))
    return result


def score_draws(
    images: np.ndarray, clean: np.ndarray, body: np.ndarray, sd: np.ndarray
) -> dict[str, float | None]:
    """Return figures of draws of one crop, in the body.

    Error over spread is sqrt(mean squared error of the mean of K draws / (1 + 1/K) mean variance),
    which is 1 where truth and draws are of one distribution (Fortin et al., J. Hydrometeorol. 15,
    1708, 2014), in units of the noise of the crop; of voxels, and of means of blocks of 4^3 voxels,
    most of which is body.

    Args:
        images: Shape (K, X, Y, Z) [SUV].
        clean: The truth, shape (X, Y, Z) [SUV].
        body: Where the body is, likewise.
        sd: Of the noise of the crop, likewise [SUV].

    Returns:
        ``psnr``: of one draw, mean over draws [dB]; ``psnr_mean``: of their mean; ``rmse`` of their
        mean [SUV]; ``sd``: mean over voxels of their SD [SUV]; ``voxels`` and ``blocks``: error
        over spread. The last three are None with one draw, and ``blocks`` without a block.
    """
    top, k = peak(clean, body), len(images)
    mean = images.mean(0, dtype=np.float64)
    found: dict[str, float | None] = {
        "psnr": float(np.mean([psnr(image, clean, body, top=top) for image in images])),
        "psnr_mean": psnr(mean.astype(np.float32), clean, body, top=top),
        "rmse": float(np.sqrt(np.mean((mean - clean)[body] ** 2))),
        "sd": None, "voxels": None, "blocks": None,
    }  # fmt: skip
    if k > 1:
        found["sd"] = float(images.std(0, ddof=1, dtype=np.float64)[body].mean())
        off = (images - clean).astype(np.float64) / sd
        found["voxels"] = _error_over_spread(off[:, body])
        inside = _blocks(body[None].astype(np.float64))[0] >= _BLOCK_BODY
        if inside.any():
            found["blocks"] = _error_over_spread(_blocks(off)[:, inside])
    return found


def _error_over_spread(off: np.ndarray) -> float:
    """Return it of differences from the truth, shape (K, places)."""
    error, variance = float(np.mean(off.mean(0) ** 2)), float(np.mean(off.var(0, ddof=1)))
    return math.sqrt(error / ((1.0 + 1.0 / len(off)) * variance)) if variance else math.inf


def _blocks(x: np.ndarray) -> np.ndarray:
    """Return means of blocks of 4^3 voxels, shape (K, X // 4, Y // 4, Z // 4)."""
    k, *shape = x.shape
    a, b, c = (n // _BLOCK for n in shape)
    cut = x[:, : a * _BLOCK, : b * _BLOCK, : c * _BLOCK]
    return cut.reshape(k, a, _BLOCK, b, _BLOCK, c, _BLOCK).mean((2, 4, 6))
