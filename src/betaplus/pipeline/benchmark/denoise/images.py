"""Part `images`: denoised bodies beside the same reconstruction without noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.denoising.bundle import TrainedDenoiser, load_denoiser
from betaplus.denoising.volume import Volume
from betaplus.io.atomic import atomic_path
from betaplus.pipeline.benchmark.denoise.baselines import (
    Baselines,
    best_of_image,
    tune_baselines,
    tuning_case,
)
from betaplus.pipeline.benchmark.denoise.cases import (
    DOSES,
    FIRST_TUNING,
    Group,
    Scan,
    groups,
    make_scan,
)
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.table import images_table
from betaplus.pipeline.benchmark.denoise.trunk import make_trunk
from betaplus.pipeline.benchmark.denoise.writing import part_file, write_part
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import make_anatomy

__all__ = ["benchmark_images"]

_SHOWN = 1 / 20  # dose of the pictures
_QUICK = 120.0  # mm of a body


def benchmark_images(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    people: int = 3,
) -> dict[str, Any]:
    """Measure the denoisers on bodies, scanners, tracers and doses that no training saw.

    Writes ``benchmark_denoise_images.json``, ``.md`` and ``.npz``, the slices for figures. The
    reference of an image is the same reconstruction of data without noise. Simulation throughout.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: One trunk and two doses, in voxels twice as large.
        progress: What to report to.
        people: Bodies in each group.
    """
    import torch

    from betaplus.engine import default_workers

    progress = progress or Silent()
    denoiser = load_denoiser(explicit=bundle, bf16=True)
    torch.set_num_threads(1)
    bench = _Bench(
        denoiser=denoiser,
        voxel=denoiser.voxel * (2.0 if quick else 1.0),
        length=_QUICK if quick else None,
        threads=default_workers(),
    )
    wanted, doses = groups(), DOSES
    if quick:
        wanted, doses, people = wanted[:1], doses[2::2], 1
    progress.start("filters tuned on another body", len(wanted) * len(doses))
    body = make_anatomy("body", FIRST_TUNING, voxel=bench.voxel)
    tuned = {
        (group.name, dose): filters
        for group in wanted
        for dose, filters in bench.tune(group, body, doses, progress)
    }
    progress.finish()
    rows: list[dict[str, Any]] = []
    shown: dict[str, np.ndarray] = {}
    progress.start("images", len(wanted) * people * len(doses))
    for person in range(people):
        body = make_anatomy("body", FIRST_TEST + person, voxel=bench.voxel)
        for group in wanted:
            scan = bench.simulate(group, FIRST_TEST + person, body)
            targets = Targets(scan)
            for dose in doses:
                images = bench.denoise(scan, dose, tuned[group.name, dose])
                with ThreadPoolExecutor(bench.threads) as pool:
                    scores = list(pool.map(targets.score, images.values()))
                rows += [
                    {"group": group.name, "person": person, "dose": dose, "method": method,
                     **score.as_dict()}
                    for method, score in zip(images, scores, strict=True)
                ]  # fmt: skip
                if dose == _SHOWN and person == 0:
                    shown |= _slices(group.name, scan, images)
                progress.advance()
            result = {
                "quick": quick,
                "bundle": denoiser.bundle.path.name,
                "voxel": bench.voxel,
                "people": person + 1,
                "first_person": FIRST_TEST,
                "tuned_on": FIRST_TUNING,
                "doses": list(doses),
                "groups": list(dict.fromkeys(row["group"] for row in rows)),
                "tuned": [
                    {"group": name, "dose": dose, **found.as_dict()}
                    for (name, dose), found in tuned.items()
                ],
                "rows": rows,
            }
            _write(out, result, shown)  # what is there so far
    progress.finish()
    return result


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bench:
    """What every scan is simulated and denoised with; `length` is that of a trunk [mm] or None."""

    denoiser: TrainedDenoiser
    voxel: float
    length: float | None
    threads: int

    def simulate(self, group: Group, person: int, body: Phantom) -> Scan:
        """Return a scan of a body, or of its trunk."""
        if self.length is None:
            return make_scan(group, person, self.voxel, phantom=body)
        return make_trunk(group, person, self.voxel, phantom=body, length=self.length)

    def volume(self, scan: Scan, dose: float) -> Volume:
        """Return the image of a scan at a dose."""
        return Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=self.denoiser.voxel)

    def tune(
        self, group: Group, body: Phantom, doses: Sequence[float], progress: Progress
    ) -> Iterator[tuple[float, Baselines]]:
        """Yield each dose and the filters that are best there on the tuning body."""
        scan = self.simulate(group, FIRST_TUNING, body)
        for dose in doses:
            case = tuning_case(scan, self.volume(scan, dose))
            yield dose, tune_baselines([case], self.threads)
            progress.advance()

    def denoise(self, scan: Scan, dose: float, filters: Baselines) -> dict[str, np.ndarray]:
        """Return method to image."""
        volume = self.volume(scan, dose)
        own = best_of_image(tuning_case(scan, volume), filters, self.threads)
        images = {"noisy": volume.data, **filters.apply(volume, self.threads, scan.body)}
        images["best gaussian"] = own.smooth(volume)
        images["best nlm"] = (
            images["nlm"] if own.nlm == filters.nlm else own.means(volume, self.threads, scan.body)
        )
        images["mmse"] = apply_mmse(self.denoiser, volume, self.threads)
        return images


def _write(out: Path, result: Mapping[str, Any], shown: Mapping[str, np.ndarray]) -> None:
    write_part(out, "images", result, images_table(result))
    with atomic_path(part_file(out, "images", "npz")) as path, path.open("wb") as file:
        np.savez_compressed(file, **shown)


def _slices(name: str, scan: Scan, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the coronal slice through the liver, or the middle, of each image."""
    labels = {n: k for k, n in scan.scan.phantom.names.items()}
    middle = scan.reference.shape[1] // 2
    if "Liver" in labels:
        inside = np.nonzero(scan.scan.phantom.labels == labels["Liver"])[1]
        middle = int(np.median(inside)) if inside.size else middle
    known = {"reference": scan.reference, **images}
    return {f"{name}|{k}": np.asarray(v[:, middle], np.float32) for k, v in known.items()}
