"""Part `nema`: the image quality phantom of NEMA NU 2 with few counts, denoised.

Contrast recovery of each sphere and background variability, as the standard defines them, for
several noise draws. Nothing like it was among what networks learned from, nor what filters were
tuned on: those are bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.evaluation.images.recovery import ImageQuality, image_quality
from betaplus.pipeline.benchmark.denoise.cases import groups
from betaplus.pipeline.benchmark.denoise.learned import judged_network
from betaplus.pipeline.benchmark.denoise.methods import METHODS, apply_methods
from betaplus.pipeline.benchmark.denoise.scans import Scans
from betaplus.pipeline.benchmark.denoise.trunk import TRUNK
from betaplus.pipeline.benchmark.result_files import result_file, write_arrays, write_result
from betaplus.pipeline.benchmark.wording import dose_name, opening
from betaplus.simulation.nema import NemaPhantom, make_nema
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["benchmark_nema", "nema_table"]

_DOSES = (1 / 4, 1 / 20, 1 / 100)
_RATIO = 4.0
_FREE = "without noise"


def benchmark_nema(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    draws: int = 8,
) -> dict[str, Any]:
    """Measure recovery and variability of the image quality phantom.

    Writes ``benchmark_denoise_nema.json``, ``.md`` and ``.npz``, the slice through the spheres.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: One draw at one dose.
        progress: What to report to.
        draws: Of the noise.
    """
    from betaplus.engine import default_workers

    progress, threads = progress or Silent(), default_workers()
    denoiser = judged_network(bundle)
    doses, draws = (_DOSES[1:2], 1) if quick else (_DOSES, draws)
    group = groups()[0]
    coarse = 2.0 * denoiser.voxel if quick else denoiser.voxel
    scans = Scans.at(out, voxel=coarse, grid_voxel=denoiser.voxel, length=TRUNK, threads=threads)
    filters = scans.tune(group, doses)
    phantom = make_nema(denoiser.voxel, ratio=_RATIO)
    surrogate = Surrogate(phantom.activity, phantom.mu, phantom.voxel_size, group.style)
    rows = [{"dose": None, "method": _FREE, **_quality(phantom, [surrogate.mean_image()])}]
    shown = {_FREE: surrogate.mean_image()}
    progress.start("image quality phantom", len(doses) * draws)
    for dose in doses:
        made: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
        for draw in range(draws):
            image = surrogate.image(dose, seed=1, draw=draw)
            found = apply_methods(image, phantom.voxel_size, denoiser, filters[dose], threads)
            for method, result in found.items():
                made[method].append(result)
            progress.advance()
        rows += [{"dose": dose, "method": m, **_quality(phantom, made[m])} for m in METHODS]
        shown |= {f"{dose_name(dose)}|{m}": made[m][0] for m in METHODS}
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": denoiser.voxel,
        "scanner": group.style.name,
        "draws": draws,
        "ratio": _RATIO,
        "diameters": list(phantom.diameters),
        "doses": list(doses),
        "tuned": [{"dose": dose, **found.as_dict()} for dose, found in filters.items()],
        "rows": rows,
    }
    write_result(out, "denoise_nema", result, nema_table(result))
    plane = round(-phantom.affine[2, 3] / phantom.voxel_size[2])
    slices = {name: np.asarray(image[:, :, plane], np.float32) for name, image in shown.items()}
    write_arrays(result_file(out, "denoise_nema", "npz"), slices)
    return result


def _quality(phantom: NemaPhantom, images: list[np.ndarray]) -> dict[str, Any]:
    found: list[ImageQuality] = [
        image_quality(
            image, phantom.affine, spheres=phantom.spheres, diameters=phantom.diameters,
            backgrounds=phantom.backgrounds, ratio=phantom.ratio, lung=phantom.lung,
        )
        for image in images
    ]  # fmt: skip
    recovery = np.array([q.recovery for q in found])
    spread = recovery.std(axis=0, ddof=1) if len(found) > 1 else np.full(recovery.shape[1], np.nan)
    return {
        "recovery": recovery.mean(axis=0).tolist(),
        "recovery_sd": [None if np.isnan(s) else float(s) for s in spread],
        "variability": np.mean([q.variability for q in found], axis=0).tolist(),
        "lung_error": float(np.mean([q.lung_error for q in found])),
    }


def nema_table(result: Mapping[str, Any]) -> str:
    """Return a result of `benchmark_nema` as Markdown."""
    lines = opening("Image quality phantom", result)
    lines += [
        f"Simulation of the phantom of NEMA NU 2-2018 in a {result['scanner']}, spheres with"
        f" {result['ratio']:g} times the background's 1 SUV, {result['draws']} noise draws"
        f" (seed 1), voxels of {result['voxel']:g} mm. {result['bundle']}; filters tuned on a"
        " body. Contrast recovery / background variability of circles of each sphere's diameter"
        " [%], means over draws (SD of recovery over draws).",
        "",
    ]
    heads = [f"{d:g} mm" for d in result["diameters"]]
    lines += [
        "| dose | method | " + " | ".join(heads) + " | lung error [%] |",
        "|---" * (len(heads) + 3) + "|",
    ]
    for row in result["rows"]:
        cells = [
            f"{q:.0f} / {n:.1f}" + ("" if s is None else f" ({s:.0f})")
            for q, n, s in zip(row["recovery"], row["variability"], row["recovery_sd"], strict=True)
        ]
        dose = "" if row["dose"] is None else dose_name(row["dose"])
        lines.append(
            f"| {dose} | {row['method']} | " + " | ".join(cells) + f" | {row['lung_error']:.1f} |"
        )
    return "\n".join(lines)
