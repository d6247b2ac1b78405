"""Scans that are judged, simulated when they are asked for, and filters tuned on another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from betaplus.denoising.nlm import NlmSettings
from betaplus.denoising.volume import Volume
from betaplus.io.jsons import read_json, write_json
from betaplus.pipeline.benchmark.denoise.baselines import (
    Baselines,
    tune_baselines,
    tuning_case,
)
from betaplus.pipeline.benchmark.denoise.cases import FIRST_TUNING, Group, Scan, make_scan
from betaplus.pipeline.benchmark.denoise.scores import Targets
from betaplus.pipeline.benchmark.denoise.targets import dose_name
from betaplus.pipeline.benchmark.denoise.trunk import make_trunk

__all__ = ["Scans", "kept_row"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Scans:
    """Scans in memory, of which the last one is kept, and filters on disk.

    Attributes:
        folder: Where filters are kept.
        voxel: Edge [mm].
        grid_voxel: Of our denoiser [mm].
        length: Of a trunk that stands for the body [mm]; None for all of it.
        threads: To use.
    """

    folder: Path
    voxel: float
    grid_voxel: float
    length: float | None
    threads: int
    _last: dict[tuple[str, int], tuple[Scan, Targets]] = field(default_factory=dict)

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

    def tune(self, group: Group, doses: tuple[float, ...]) -> dict[float, Baselines]:
        """Return dose to the filters that are best there on a body that nothing else uses."""
        key, found, scan = f"voxel {self.voxel:g}, length {self.length}", {}, None
        for dose in doses:
            name = f"filters_{group.name}_{dose_name(dose)}.json"
            file = self.folder / name.replace(" ", "_").replace("/", "-")
            row = kept_row(file, key)
            if row is None:
                scan = self._simulate(group, FIRST_TUNING) if scan is None else scan
                case = tuning_case(scan, self.volume(scan, dose))
                row = tune_baselines([case], self.threads).as_dict()
                write_json(file, {"key": key, "row": row})
            settings = NlmSettings(strength=row["strength"])
            found[dose] = Baselines(fwhm=row["fwhm"], nlm=settings, gains={})
        return found

    def _simulate(self, group: Group, person: int) -> Scan:
        if self.length is None:
            return make_scan(group, person, self.voxel)
        return make_trunk(group, person, self.voxel, length=self.length)


def kept_row(file: Path, key: str) -> dict[str, Any] | None:
    """Return what an earlier run wrote to a file, if it was made with the same."""
    if not file.exists():
        return None
    found = read_json(file)
    row: dict[str, Any] | None = found.get("row") if found.get("key") == key else None
    return row
