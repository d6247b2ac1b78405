"""Part `images`: denoised bodies beside the same reconstruction without noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.pipeline.benchmark.denoise.baselines import best_of_image, tuning_case
from betaplus.pipeline.benchmark.denoise.cases import DOSES, FIRST_TUNING, Group, Scan, groups
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse, judged_network
from betaplus.pipeline.benchmark.denoise.scans import QUICK_LENGTH, Scans, item_name, tuning_name
from betaplus.pipeline.benchmark.denoise.table import images_table
from betaplus.pipeline.benchmark.result_files import (
    read_arrays,
    result_file,
    write_arrays,
    write_result,
)
from betaplus.pipeline.benchmark.shelf import Task, work_through
from betaplus.pipeline.benchmark.wording import dose_key
from betaplus.pipeline.training.corpus import FIRST_TEST

__all__ = ["benchmark_images"]

_SHOWN = 1 / 20  # dose of the pictures
_FILTERS = "filters"  # the noisy image among them


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
    reference of an image is the same reconstruction of data without noise. Every figure is kept as
    it is made (`shelf`), those of a network by its weights: a run that was stopped goes on, and
    several processes started with the same folder share the work. Simulation throughout.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: One trunk and two doses, in voxels twice as large.
        progress: What to report to.
        people: Bodies in each group.
    """
    denoiser = judged_network(bundle)
    wanted, doses = groups(), DOSES
    if quick:
        wanted, doses, people = wanted[:1], doses[2::2], 1
    scans = Scans.at(
        out, voxel=denoiser.voxel * (2.0 if quick else 1.0), grid_voxel=denoiser.voxel,
        length=QUICK_LENGTH if quick else None,
    )  # fmt: skip
    bench = _Bench(scans=scans, denoiser=denoiser)
    tasks = [scans.tuning(group, doses) for group in wanted]
    tasks += [bench.task(group, n, doses) for n in range(people) for group in wanted]
    work_through(scans.shelf, tasks, progress, "tuning and images")
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": scans.voxel,
        "people": people,
        "first_person": FIRST_TEST,
        "tuned_on": FIRST_TUNING,
        "doses": list(doses),
        "groups": [group.name for group in wanted],
        "tuned": [scans.shelf.get(tuning_name(g, dose)) for g in wanted for dose in doses],
        "rows": [
            row
            for n in range(people)
            for group in wanted
            for dose in doses
            for part in bench.parts
            for row in scans.shelf.get(_name(group, n, dose, part))["rows"]
        ],
    }
    write_result(out, "denoise_images", result, images_table(result))
    write_arrays(result_file(out, "denoise_images", "npz"), bench.slices(wanted))
    return result


def _name(group: Group, number: int, dose: float, part: str) -> str:
    """Return the name of the item of a person's scores."""
    return item_name("scores", group, number, dose_key(dose), part)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bench:
    """What scans are denoised with, filters and network each by themselves."""

    scans: Scans
    denoiser: TrainedDenoiser

    @property
    def parts(self) -> tuple[str, str]:
        """What items are of: filters, and a network of these weights."""
        return _FILTERS, f"mmse-{self.denoiser.bundle.checksum[:8]}"

    def task(self, group: Group, number: int, doses: Sequence[float]) -> Task:
        """Return the task that scores the images of a person, with all doses."""
        return Task(
            item_name("scores", group, number),
            [_name(group, number, dose, part) for dose in doses for part in self.parts],
            partial(self._score, group, number, doses),
            [tuning_name(group, dose) for dose in doses],
        )

    def slices(self, wanted: Sequence[Group]) -> dict[str, np.ndarray]:
        """Return the slices that were kept: ``group|method``, shape (X, Z)."""
        return {
            f"{group.name}|{name}": image
            for group in wanted
            for part in self.parts
            for name, image in read_arrays(self._slice_file(group, part)).items()
        }

    def _slice_file(self, group: Group, part: str) -> Path:
        return self.scans.shelf.folder / f"{item_name('slices', group, part)}.npz"

    def _score(self, group: Group, number: int, doses: Sequence[float]) -> None:
        shelf = self.scans.shelf
        scan, targets = self.scans.judged(group, FIRST_TEST + number)
        for dose in doses:
            for part in self.parts:
                name = _name(group, number, dose, part)
                if shelf.has(name):
                    continue
                images = self._images(group, scan, dose, part)
                with ThreadPoolExecutor(self.scans.threads) as pool:
                    scores = list(pool.map(targets.score, images.values()))
                if dose == _SHOWN and number == 0:
                    known = {"reference": scan.reference} if part == _FILTERS else {}
                    write_arrays(self._slice_file(group, part), _slices(scan, {**known, **images}))
                rows = [
                    {"group": group.name, "person": number, "dose": dose, "method": method,
                     **score.as_dict()}
                    for method, score in zip(images, scores, strict=True)
                ]  # fmt: skip
                shelf.put(name, {"rows": rows})

    def _images(self, group: Group, scan: Scan, dose: float, part: str) -> dict[str, np.ndarray]:
        """Return method to image."""
        volume, threads = self.scans.volume(scan, dose), self.scans.threads
        if part != _FILTERS:
            return {"mmse": apply_mmse(self.denoiser, volume, threads)}
        filters = self.scans.filters(group, dose)
        own = best_of_image(tuning_case(scan, volume), filters, threads)
        images = {"noisy": volume.data, **filters.apply(volume, threads, scan.body)}
        images["best gaussian"] = own.smooth(volume)
        images["best nlm"] = (
            images["nlm"] if own.nlm == filters.nlm else own.means(volume, threads, scan.body)
        )
        return images


def _slices(scan: Scan, images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the coronal slice through the liver, or the middle, of each image."""
    labels = {n: k for k, n in scan.scan.phantom.names.items()}
    middle = scan.reference.shape[1] // 2
    if "Liver" in labels:
        inside = np.nonzero(scan.scan.phantom.labels == labels["Liver"])[1]
        middle = int(np.median(inside)) if inside.size else middle
    return {name: np.asarray(image[:, middle], np.float32) for name, image in images.items()}
