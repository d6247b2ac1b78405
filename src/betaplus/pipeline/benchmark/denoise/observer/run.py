"""Part `observer`: how well small lesions can be told from their surroundings.

A channelised Hotelling observer in three dimensions looks at cubes around a known place, in liver
and lung, in images with and without a lesion of known size and contrast; what varies is the noise.
A denoiser cannot add to what counts tell of such a lesion (data processing never does), so that the
noisy image is what others are held against: a method that erases lesions falls below it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress
from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.evaluation.images.observer import dog_channels, observer_auc
from betaplus.evaluation.images.suv import deepest_sphere
from betaplus.pipeline.benchmark.denoise.cases import Group, groups
from betaplus.pipeline.benchmark.denoise.learned import judged_network
from betaplus.pipeline.benchmark.denoise.methods import METHODS, apply_methods
from betaplus.pipeline.benchmark.denoise.observer.table import observer_table
from betaplus.pipeline.benchmark.denoise.scans import Scans, item_name, tuning_name
from betaplus.pipeline.benchmark.denoise.trunk import TRUNK, Box, cut_scan, information_of
from betaplus.pipeline.benchmark.result_files import write_result
from betaplus.pipeline.benchmark.shelf import Task, work_through
from betaplus.pipeline.benchmark.wording import dose_key
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.simulation.static import StaticScan, draw_static, make_anatomy
from betaplus.simulation.surrogate.information import Information
from betaplus.simulation.surrogate.surrogate import Surrogate

__all__ = ["Place", "benchmark_observer", "sphere_share"]

_PERSON = FIRST_TEST + 700
_DOSES = (1 / 20, 1 / 100)
_DIAMETERS = (10.0, 12.0)  # mm
_CONTRASTS = {
    ("Liver", 1 / 20): 1.13,
    ("Liver", 1 / 100): 1.3,
    ("Lungs", 1 / 20): 1.2,
    ("Lungs", 1 / 100): 1.45,
}
"""Uptake of the lesion over that around: so that in the noisy image it is neither lost nor sure."""

_BOX = 48  # voxels of a part that is denoised
_SEEN = 17  # voxels of the cube that the observer sees
_SUB = 5  # sub-voxels along an edge
_NOISE = {"absent": 1, "present": 2}  # seeds: noise of their own


@dataclass(frozen=True, eq=False, kw_only=True)
class Place:
    """A part of a healthy body, with the place of a lesion in its middle.

    Attributes:
        region: Where it is.
        part: The part.
        low: Centre of its first voxel, from that of the body's [mm].
        centre: Voxel in the middle.
        information: What counts tell of the body.
    """

    region: str
    part: StaticScan
    low: tuple[float, float, float]
    centre: tuple[int, ...]
    information: Information

    def surrogate(self, group: Group, diameter: float | None, contrast: float = 1.0) -> Surrogate:
        """Return what makes images, with a lesion or, without a diameter [mm], none."""
        activity, voxel = self.part.activity, self.part.phantom.voxel_size
        if diameter is not None:
            share = sphere_share(activity.shape, voxel, self.centre, diameter)
            own = self.part.phantom.labels == self.part.phantom.labels[self.centre]
            level = float(activity[own].mean())
            activity = (activity + share * (contrast - 1.0) * level).astype(np.float32)
        return Surrogate(
            activity, self.part.mu, voxel, group.style, information=self.information, low=self.low
        )


def sphere_share(
    shape: tuple[int, ...], voxel: tuple[float, ...], centre: tuple[int, ...], diameter: float
) -> np.ndarray:
    """Return the share of each voxel that lies in a sphere around a voxel's centre."""
    offsets = (np.arange(_SUB) - 0.5 * (_SUB - 1)) / _SUB
    squares = [
        (((np.arange(n)[:, None] - c + offsets) * v) ** 2).ravel()
        for n, c, v in zip(shape, centre, voxel, strict=True)
    ]
    x, y, z = squares
    within = x[:, None, None] + y[:, None] + z <= (0.5 * diameter) ** 2
    parts = [k for n in shape for k in (n, _SUB)]
    return np.asarray(within.reshape(parts).mean(axis=(1, 3, 5)))


def benchmark_observer(
    out: Path,
    *,
    bundle: Path | None = None,
    quick: bool = False,
    progress: Progress | None = None,
    draws: int = 120,
) -> dict[str, Any]:
    """Measure the area under the ROC curve of an observer after each method.

    Writes ``benchmark_denoise_observer.json`` and ``.md``. Filters and the areas of a region at a
    dose are kept as they are made (`shelf`), so that a run that was stopped goes on.

    Args:
        out: Folder.
        bundle: Of the network; the one that is shipped if None.
        quick: Few draws of one lesion at one dose.
        progress: What to report to.
        draws: Of the noise, with a lesion and without.
    """
    denoiser = judged_network(bundle)
    doses, diameters, regions = _DOSES, _DIAMETERS, ("Liver", "Lungs")
    if quick:
        doses, diameters, regions, draws = doses[:1], diameters[1:], regions[:1], 16
    group, voxel = groups()[0], denoiser.voxel
    tuned_at = 2.0 * voxel if quick else voxel
    scans = Scans.at(out, voxel=tuned_at, grid_voxel=voxel, length=TRUNK)
    bench = _Bench(scans=scans, denoiser=denoiser, group=group, diameters=diameters, draws=draws)
    cells = [(region, dose) for region in regions for dose in doses]
    tasks = [scans.tuning(group, doses), *(bench.task(*cell) for cell in cells)]
    work_through(scans.shelf, tasks, progress, "tuning and observer")
    result = {
        "quick": quick,
        "bundle": denoiser.bundle.path.name,
        "voxel": voxel,
        "person": _PERSON,
        "draws": draws,
        "box": _BOX,
        "seen": _SEEN,
        "doses": list(doses),
        "rows": [row for cell in cells for row in scans.shelf.get(bench.name(*cell))["rows"]],
    }
    write_result(out, "denoise_observer", result, observer_table(result))
    return result


@dataclass(frozen=True, eq=False, kw_only=True)
class _Bench:
    """What is seen of lesions, and by what methods."""

    scans: Scans
    denoiser: TrainedDenoiser
    group: Group
    diameters: tuple[float, ...]
    draws: int

    def name(self, region: str, dose: float) -> str:
        """Return the name of the item of a region at a dose."""
        sizes = "-".join(f"{diameter:g}" for diameter in self.diameters)
        at, weights = dose_key(dose), self.denoiser.bundle.checksum[:8]
        return item_name("observer", self.group, region, at, sizes, self.draws, weights)

    def task(self, region: str, dose: float) -> Task:
        """Return the task that measures a region at a dose, lesions of all diameters."""
        name = self.name(region, dose)
        run = partial(self._measure, region, dose)
        return Task(name, [name], run, [tuning_name(self.group, dose)])

    @cached_property
    def whole(self) -> StaticScan:
        """The body."""
        anatomy = make_anatomy("body", _PERSON, voxel=self.denoiser.voxel)
        return draw_static(anatomy, self.group.tracer, _PERSON, lesions=0)

    @cached_property
    def known(self) -> Information:
        """What counts tell of it."""
        return information_of(self.whole, self.group)

    def _measure(self, region: str, dose: float) -> None:
        place, contrast = find_place(self.whole, region, self.known), _CONTRASTS[region, dose]
        channels, rows = dog_channels((_SEEN,) * 3), []
        absent = self._seen(place, place.surrogate(self.group, None), dose, "absent")
        for diameter in self.diameters:
            ill = place.surrogate(self.group, diameter, contrast)
            present = self._seen(place, ill, dose, "present")
            for method in METHODS:
                found = observer_auc(present[method], absent[method], channels, seed=0)
                rows.append({
                    "region": region, "dose": dose, "diameter": diameter, "contrast": contrast,
                    "method": method, "auc": found.auc, "snr": found.snr,
                })  # fmt: skip
        self.scans.shelf.put(self.name(region, dose), {"rows": rows})

    def _seen(
        self, place: Place, surrogate: Surrogate, dose: float, kind: str
    ) -> dict[str, np.ndarray]:
        """Return method to the cubes around a place, shape (draws, X, Y, Z)."""
        filters, voxel = self.scans.filters(self.group, dose), place.part.phantom.voxel_size
        cube = tuple(slice(c - _SEEN // 2, c + _SEEN // 2 + 1) for c in place.centre)

        def one(draw: int) -> dict[str, np.ndarray]:
            image = surrogate.image(dose, seed=_NOISE[kind], draw=draw)
            found = apply_methods(image, voxel, self.denoiser, filters)
            return {method: found[method][cube].copy() for method in METHODS}

        first = one(0)  # what all share is made once
        with ThreadPoolExecutor(self.scans.threads) as pool:
            made = [first, *pool.map(one, range(1, self.draws))]
        return {method: np.stack([m[method] for m in made]) for method in METHODS}


def find_place(whole: StaticScan, region: str, information: Information) -> Place:
    """Return the part of a body around the deepest point of a region."""
    labels = {name: label for label, name in whole.phantom.names.items()}
    sphere = deepest_sphere(
        whole.phantom.labels == labels[region], whole.phantom.voxel_size, diameter=20.0
    )
    middle = np.rint(np.mean(np.nonzero(sphere), axis=1)).astype(int)
    box: list[slice] = []
    for m, n in zip(middle, sphere.shape, strict=True):
        first = int(min(max(m - _BOX // 2, 0), max(n - _BOX, 0)))
        box.append(slice(first, min(first + _BOX, n)))
    part, low = cut_scan(whole, _box(box))
    centre = tuple(int(m) - s.start for m, s in zip(middle, box, strict=True))
    return Place(region=region, part=part, low=low, centre=centre, information=information)


def _box(slices: list[slice]) -> Box:
    x, y, z = slices
    return x, y, z
