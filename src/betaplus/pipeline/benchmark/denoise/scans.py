"""Scans that are judged, simulated when they are asked for, and filters tuned on another body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from betaplus.denoising.volume import Volume
from betaplus.engine import default_workers
from betaplus.pipeline.benchmark.denoise.baselines import (
    Baselines,
    tune_baselines,
    tuning_case,
)
from betaplus.pipeline.benchmark.denoise.cases import FIRST_TUNING, Group, Scan, make_scan
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.trunk import make_trunk
from betaplus.pipeline.benchmark.shelf import Shelf, Task
from betaplus.pipeline.benchmark.wording import dose_key
from betaplus.simulation.phantom import Phantom
from betaplus.simulation.static import make_anatomy

__all__ = ["QUICK_LENGTH", "Scans", "item_name", "tuning_name"]

QUICK_LENGTH = 120.0
"""Of the trunk that stands for a body in a quick run [mm]."""


def item_name(folder: str, group: Group, *words: str | int) -> str:
    """Return the name of an item of a group's scans."""
    return f"{folder}/{'_'.join(map(str, (group.name, *words)))}".replace(" ", "-")


def tuning_name(group: Group, dose: float) -> str:
    """Return the name of the item that holds the best filters at a dose."""
    return item_name("tuning", group, dose_key(dose))


@dataclass(frozen=True, eq=False, kw_only=True)
class Scans:
    """Scans in memory, of which the last one is kept, and filters on a shelf.

    Attributes:
        shelf: Where filters are kept.
        voxel: Edge [mm].
        grid_voxel: Of our denoiser [mm].
        length: Of a trunk that stands for the body [mm]; None for all of it.
        threads: To use.
    """

    shelf: Shelf
    voxel: float
    grid_voxel: float
    length: float | None
    threads: int
    _body: dict[int, Phantom] = field(default_factory=dict)
    _last: dict[tuple[str, int], tuple[Scan, Targets]] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        out: Path,
        *,
        voxel: float,
        grid_voxel: float,
        length: float | None,
        threads: int | None = None,
    ) -> Scans:
        """Return the scans of a folder of results; items of other sizes do not mix.

        Args:
            out: The folder.
            voxel: Edge [mm].
            grid_voxel: Of our denoiser [mm].
            length: Of a trunk that stands for the body [mm]; None for all of it.
            threads: To use; the cores available if None.
        """
        part = "body" if length is None else f"{length:g}mm"
        return cls(
            shelf=Shelf(out / f"denoise_items_{part}_{voxel:g}mm_{grid_voxel:g}mm"),
            voxel=voxel,
            grid_voxel=grid_voxel,
            length=length,
            threads=threads or default_workers(),
        )

    def judged(self, group: Group, person: int) -> tuple[Scan, Targets]:
        """Return a scan and what of it is measured."""
        if (group.name, person) not in self._last:
            self._last.clear()
            scan = self._simulate(group, person)
            self._last[group.name, person] = scan, Targets(scan)
        return self._last[group.name, person]

    def volume(self, scan: Scan, dose: float) -> Volume:
        """Return the image of a scan at a dose."""
        return Volume(data=scan.noisy(dose), voxel=scan.voxel, grid_voxel=self.grid_voxel)

    def tuning(self, group: Group, doses: Sequence[float]) -> Task:
        """Return the task that looks for the best filters at some doses."""
        names = [tuning_name(group, dose) for dose in doses]
        return Task(item_name("tuning", group), names, partial(self.tune, group, doses))

    def tune(self, group: Group, doses: Sequence[float]) -> dict[float, Baselines]:
        """Return dose to the filters that are best there on a body that nothing else uses."""
        scan: Scan | None = None
        for dose in doses:
            name = tuning_name(group, dose)
            if not self.shelf.has(name):
                scan = scan or self._simulate(group, FIRST_TUNING)
                case = tuning_case(scan, self.volume(scan, dose))
                found = tune_baselines([case], self.threads).as_dict()
                self.shelf.put(name, {"group": group.name, "dose": dose, **found})
        return {dose: self.filters(group, dose) for dose in doses}

    def filters(self, group: Group, dose: float) -> Baselines:
        """Return the filters that were found."""
        item = self.shelf.get(tuning_name(group, dose))
        return Baselines.of({k: v for k, v in item.items() if k not in ("group", "dose")})

    def _simulate(self, group: Group, person: int) -> Scan:
        if person not in self._body:
            self._body.clear()
            self._body[person] = make_anatomy("body", person, voxel=self.voxel)
        body = self._body[person]
        if self.length is None:
            return make_scan(group, person, self.voxel, phantom=body)
        return make_trunk(group, person, self.voxel, phantom=body, length=self.length)
