"""Denoisers judged on bodies, scanners, tracers and doses that no training saw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.cases import FIRST_TUNING, Scan, groups, make_scans
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.table import denoise_table
from betaplus.pipeline.training.corpus import FIRST_TEST

__all__ = ["DOSES", "benchmark_denoise"]

DOSES = (1 / 4, 1 / 10, 1 / 20, 1 / 50, 1 / 100)
"""Doses that are judged; no training saw one near 1/50."""

_NAME = "benchmark_denoise"
_SHOWN = 1 / 20  # dose of the pictures


def benchmark_denoise(
    out: str | Path,
    *,
    people: int = 3,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the denoisers.

    Writes ``benchmark_denoise.json``, ``.md`` and ``_images.npz`` to `out`. The reference of an
    image is the same reconstruction of data without noise. Simulation throughout.

    Args:
        out: Folder.
        people: Bodies in each group.
        bundle: Of the network; the one that is shipped if None.
        quick: One body and two doses, in voxels twice as large.
        progress: What to report to.
    """
    import torch

    from betaplus.denoising.bundle import load_denoiser
    from betaplus.denoising.volume import Volume
    from betaplus.engine import default_workers
    from betaplus.pipeline.benchmark.denoise.baselines import best_gaussian, tune_baselines
    from betaplus.pipeline.benchmark.denoise.learned import apply_mmse

    out, progress = Path(out), progress or Silent()
    out.mkdir(parents=True, exist_ok=True)
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    doses, voxel = (DOSES, denoiser.voxel) if not quick else (DOSES[1:3], 2.0 * denoiser.voxel)
    wanted = groups() if not quick else groups()[:1]
    torch.set_num_threads(1)
    progress.note("tuning filters on bodies of their own")
    tuning = make_scans(groups()[:1], FIRST_TUNING, 1 if quick else 2, voxel)
    tuned = {dose: tune_baselines(tuning, dose, denoiser.voxel, progress) for dose in doses}
    rows: list[dict[str, Any]] = []
    shown: dict[str, np.ndarray] = {}
    progress.note("simulating bodies that no training saw")
    people = 1 if quick else people
    progress.start("images", len(wanted) * people * len(doses))
    for group in wanted:
        for person in range(people):
            scan = make_scans([group], FIRST_TEST + person, 1, voxel)[0]
            targets = Targets(scan)
            for dose in doses:
                volume = Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=denoiser.voxel)
                images = {"noisy": volume.data, **tuned[dose].apply(volume)}
                width = best_gaussian(scan, volume.data)
                images["best gaussian"] = _smooth(volume, width)
                images["mmse"] = apply_mmse(denoiser, volume, default_workers())
                for method, image in images.items():
                    rows.append({
                        "group": group.name, "person": person, "dose": dose, "method": method,
                        **targets.score(image).as_dict(),
                    })  # fmt: skip
                if dose == _SHOWN and person == 0:
                    shown |= _slices(group.name, scan, images)
                progress.advance()
    progress.finish()
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": voxel,
        "people": people,
        "doses": list(doses),
        "groups": [group.name for group in wanted],
        "tuned": {
            f"1/{1 / dose:.0f}": {"fwhm": t.fwhm, "strength": t.nlm.strength, **t.gains}
            for dose, t in tuned.items()
        },
        "rows": rows,
    }
    _write(out, result, shown)
    return result


def _smooth(volume: Any, fwhm: float) -> np.ndarray:
    from betaplus.denoising.gaussian import GaussianSettings, gaussian

    return gaussian(volume.data, 0.0, volume.voxel, GaussianSettings(fwhm=fwhm))


def _slices(name: str, scan: Scan, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the coronal slice through the liver, or the middle, of each image."""
    labels = {n: k for k, n in scan.scan.phantom.names.items()}
    middle = scan.reference.shape[1] // 2
    if "Liver" in labels:
        inside = np.nonzero(scan.scan.phantom.labels == labels["Liver"])[1]
        middle = int(np.median(inside)) if inside.size else middle
    known = {"reference": scan.reference, **images}
    return {f"{name}|{k}": np.asarray(v[:, middle], np.float32) for k, v in known.items()}


def _write(folder: Path, result: Mapping[str, Any], images: Mapping[str, np.ndarray]) -> None:
    texts: Sequence[tuple[str, str]] = (
        ("json", json.dumps(result, indent=1) + "\n"),
        ("md", denoise_table(result)),
    )
    for kind, text in texts:
        with atomic_path(folder / f"{_NAME}.{kind}") as path:
            path.write_text(text, encoding="utf-8")
    with atomic_path(folder / f"{_NAME}_images.npz") as path, path.open("wb") as file:
        np.savez_compressed(file, **dict(images))
