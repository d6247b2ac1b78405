"""Volumes to learn from, kept on disk as float16: simulated people, or a user's images.

A volume is in the plan's unit and voxels, RAS. Files are named by whose they are, so that people,
never slices, are kept apart for validation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.seeds import generator
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["FIRST_TEST", "Corpus", "make_corpus", "simulate_volume"]

FIRST_TEST = 900_000
"""Anatomies from this number on are never trained on nor validated with."""

_ONE_IN = 12
_DRAW = 31


@dataclass(frozen=True, eq=False)
class Corpus:
    """Volumes on disk.

    Attributes:
        files: In a fixed order.
    """

    files: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path) -> Corpus:
        """Return the volumes of a folder."""
        return cls(tuple(sorted(folder.glob("*.npy"))))

    @property
    def owners(self) -> list[str]:
        """Whose each volume is."""
        return [file.stem.partition("_")[0] for file in self.files]

    def split(self) -> tuple[Corpus, Corpus]:
        """Return training and validation: one in twelve people, at least one, is in the second.

        Raises:
            InputError: If there are fewer than two people.
        """
        people = sorted(set(self.owners))
        if len(people) < 2:
            raise InputError(
                f"volumes of {len(people)} person", "expected two or more, one of them to validate"
            )
        # By name and not by place, so that more people leave the others where they are.
        rank = sorted(people, key=lambda name: hashlib.sha256(name.encode()).digest())
        held = set(rank[: max(1, len(people) // _ONE_IN)])
        pairs = list(zip(self.files, self.owners, strict=True))
        train = tuple(file for file, owner in pairs if owner not in held)
        return Corpus(train), Corpus(tuple(file for file, owner in pairs if owner in held))

    def volume(self, index: int) -> np.ndarray:
        """Return a volume, shape (X, Y, Z) float16, mapped and not read."""
        return np.load(self.files[index], mmap_mode="r")

    def checksum(self) -> str:
        """Return a checksum of the names and sizes of all volumes and the bytes of a few."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{file.name} {file.stat().st_size}".encode())
        for file in self.files[:: max(1, len(self.files) // 8)]:
            digest.update(file.read_bytes())
        return digest.hexdigest()


def make_corpus(
    folder: Path, plan: PriorPlan, people: Sequence[int], seed: int, workers: int
) -> Iterator[int]:
    """Simulate the volumes of people that are not there yet; yields how many people are done.

    Args:
        folder: Where volumes are.
        plan: The prior.
        people: Numbers of the anatomies.
        seed: Of the run.
        workers: Processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = 0
    wanted = []
    for person in people:
        if all(_path(folder, person, k).exists() for k in range(plan.paints)):
            done += 1
        else:
            wanted.append((folder, plan, person, seed))
    yield done
    if workers == 1:
        for each in wanted:
            _simulate_person(each)
            done += 1
            yield done
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_simulate_person, wanted):
            done += 1
            yield done


def simulate_volume(plan: PriorPlan, person: int, paint: int, seed: int) -> np.ndarray:
    """Return one simulated volume in the plan's unit, shape (X, Y, Z) float32."""
    return next(_volumes(plan, person, [paint], seed))


def _volumes(
    plan: PriorPlan, person: int, paints: Sequence[int], seed: int
) -> Iterator[np.ndarray]:
    from scipy.ndimage import gaussian_filter

    from betaplus.generative.image_prior import uptake_level
    from betaplus.simulation.fields import sigma_of_fwhm
    from betaplus.simulation.static import draw_static, make_anatomy

    phantom = make_anatomy(plan.anatomy, person, voxel=plan.voxel)
    for paint in paints:
        rng = generator(seed, item=person, draw=_DRAW + paint)
        tracer = plan.tracers[int(rng.integers(len(plan.tracers)))]
        scan = draw_static(phantom, tracer, int(rng.integers(2**31)))
        width = np.exp(rng.uniform(np.log(plan.sharpest), np.log(plan.bluntest)))
        sigma = [sigma_of_fwhm(width) / v for v in phantom.voxel_size]
        image = gaussian_filter(scan.activity, sigma, mode="constant")
        yield image / uptake_level(image) if plan.unit == "uptake" else image


def _simulate_person(job: tuple[Path, PriorPlan, int, int]) -> None:
    from betaplus.generative.atomic import beside

    folder, plan, person, seed = job
    for paint, image in enumerate(_volumes(plan, person, range(plan.paints), seed)):
        with beside(_path(folder, person, paint)) as temporary, temporary.open("wb") as handle:
            np.save(handle, image.astype(np.float16))


def _path(folder: Path, person: int, paint: int) -> Path:
    return folder / f"person{person:06d}_{paint}.npy"
