"""Scores of bodies, doses and methods, each kept in a file, so that a run that stops goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from betaplus.denoising.bundle import TrainedDenoiser
from betaplus.denoising.volume import Volume
from betaplus.io.jsons import read_json, write_json
from betaplus.pipeline.benchmark.denoise.baselines import Baselines, best_of_image, tuning_case
from betaplus.pipeline.benchmark.denoise.cases import Group, Scan
from betaplus.pipeline.benchmark.denoise.learned import apply_mmse
from betaplus.pipeline.benchmark.denoise.learned_baselines.networks import images_of, methods_of
from betaplus.pipeline.benchmark.denoise.learned_baselines.plan import BaselinePlan
from betaplus.pipeline.benchmark.denoise.learned_baselines.training import Trained
from betaplus.pipeline.benchmark.denoise.learned_baselines.whole_volume import around_signal
from betaplus.pipeline.benchmark.denoise.scans import Scans
from betaplus.pipeline.benchmark.wording import dose_name

__all__ = ["FILTERS", "Scorer"]

FILTERS = ("noisy", "best gaussian", "nlm")
"""Methods without a network."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Scorer:
    """Denoises scans and judges what comes of it.

    Attributes:
        folder: Where scores are kept.
        scans: Of which scans are taken.
        denoiser: Our own.
        trained: The baselines.
        plan: Their settings.
        draws: Of `ddpm2d`.
        seed: Of these.
    """

    folder: Path
    scans: Scans
    denoiser: TrainedDenoiser
    trained: Sequence[Trained]
    plan: BaselinePlan
    draws: int
    seed: int

    @cached_property
    def keys(self) -> dict[str, str]:
        """Method to what its scores follow from, in the order of the table."""
        where = f"voxel {self.scans.voxel:g}, length {self.scans.length}"
        keys = {name: where for name in FILTERS}
        for one in self.trained:
            drawn = f", {self.plan.calls} calls, seed {self.seed}" if one.name == "ddpm2d" else ""
            for method in methods_of(one.name, self.draws):
                keys[method] = f"{where}, {one.checksum}{drawn}"
        keys["mmse"] = f"{where}, {self.denoiser.bundle.checksum}"
        return keys

    def rows(
        self, group: Group, person: int, dose: float, filters: Baselines
    ) -> list[dict[str, Any]]:
        """Return the scores of all methods; those that are not kept are made.

        Args:
            group: Kind of the scan.
            person: Number of the anatomy.
            dose: Fraction of the counts.
            filters: For this dose.
        """
        files = {method: self._file(group, person, dose, method) for method in self.keys}
        known = {method: _kept_row(file, self.keys[method]) for method, file in files.items()}
        missing = [method for method, row in known.items() if row is None]
        if missing:
            scan, targets = self.scans.judged(group, person)
            for method, image, seconds in self._images(scan, dose, missing, filters):
                row = {
                    "group": group.name, "person": person, "dose": dose, "method": method,
                    "seconds": seconds, **targets.score(image).as_dict(),
                }  # fmt: skip
                write_json(files[method], {"key": self.keys[method], "row": row})
                known[method] = read_json(files[method])["row"]
        return [row for row in known.values() if row is not None]

    def _file(self, group: Group, person: int, dose: float, method: str) -> Path:
        name = f"{group.name}_{person}_{dose_name(dose)}_{method}.json"
        return self.folder / name.replace(" ", "_").replace("/", "-")

    def _images(
        self, scan: Scan, dose: float, wanted: Sequence[str], filters: Baselines
    ) -> Iterator[tuple[str, np.ndarray, float]]:
        """Yield method, image and the seconds it took, of each that is wanted or made with it."""
        volume, threads = self.scans.volume(scan, dose), self.scans.threads
        if "noisy" in wanted:
            yield "noisy", volume.data, 0.0
        if "nlm" in wanted:
            since = time.perf_counter()
            image = filters.means(volume, threads, scan.body)
            yield "nlm", image, time.perf_counter() - since
        if "best gaussian" in wanted:
            own = best_of_image(tuning_case(scan, volume), filters, threads)
            since = time.perf_counter()
            image = own.smooth(volume)
            yield "best gaussian", image, time.perf_counter() - since
        for one in self.trained:
            if set(methods_of(one.name, self.draws)) & set(wanted):
                yield from self._by_network(one, volume, dose)
        if "mmse" in wanted:
            since = time.perf_counter()
            image = apply_mmse(self.denoiser, volume, threads)
            yield "mmse", image, time.perf_counter() - since

    def _by_network(
        self, one: Trained, volume: Volume, dose: float
    ) -> Iterator[tuple[str, np.ndarray, float]]:
        box, seconds = around_signal(volume.data), 0.0
        part = torch.from_numpy(np.ascontiguousarray(volume.data[box]))[None, None]
        since = time.perf_counter()
        for method, found in images_of(
            one.name, one.network, part, dose, self.plan, self.seed, self.draws
        ):
            seconds += time.perf_counter() - since
            image = volume.data.copy()
            image[box] = found[0, 0].numpy()
            yield method, image, seconds
            since = time.perf_counter()


def _kept_row(file: Path, key: str) -> dict[str, Any] | None:
    """Return what an earlier run wrote to a file, if it was made with the same."""
    if not file.exists():
        return None
    found = read_json(file)
    row: dict[str, Any] | None = found.get("row") if found.get("key") == key else None
    return row
