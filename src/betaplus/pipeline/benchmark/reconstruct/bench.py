"""What the parts of the benchmark share: sizes, the head at hand, and the shelf."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.reconstruct.candidates import (
    CANDIDATES,
    QUICK,
    Candidate,
    quicker,
)
from betaplus.pipeline.benchmark.reconstruct.cases import Case, make_case
from betaplus.pipeline.benchmark.result_files import read_arrays, write_arrays
from betaplus.pipeline.benchmark.shelf import Shelf
from betaplus.pipeline.training.corpus import FIRST_TEST
from betaplus.reconstruction.data import SinogramData
from betaplus.reconstruction.osem import Osem

__all__ = ["LOW", "SUBSETS", "Bench", "Plan", "plan_of"]

LOW = 0.01
"""Share of the counts at which most is measured."""

SUBSETS = {"small": 18, "full": 21}

REFERENCE: dict[str, Any] = {"iterations": 4, "filter": 2.0}
"""OSEM of all counts that images are compared with beside the truth: passes, filter [mm]."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done. Heads are those that no prior was trained on.

    Attributes:
        quick: Whether it is too little to judge by.
        short: Whether it is less than the whole.
        fractions: Shares of the counts.
        sweep: Shares at which `dds` with its defaults is set against OSEM at its best.
        lesions: Seeds of heads with hot balls in their white matter.
        taught_on: Seeds of heads that the U-Net learns from; others choose when it is best.
        chosen_on: Seeds of those.
        minutes: Of its training.
        tuned_on: Seeds of heads.
        judged_on: Seeds of others.
        draws: Of the counts of each of them, at `LOW`; elsewhere one.
        realisations: For bias and SD.
        seeds: Draws of an image whose spread is measured.
        full: Whether to run the mMR as well.
        candidates: Methods.
    """

    quick: bool = False
    short: bool = False
    fractions: tuple[float, ...] = (1.0, LOW)
    sweep: tuple[float, ...] = (0.001, 0.003, 0.01, 0.1, 1.0)
    lesions: tuple[int, ...] = (FIRST_TEST + 10, FIRST_TEST + 11, FIRST_TEST + 12)
    taught_on: tuple[int, ...] = tuple(range(1000, 1016))
    chosen_on: tuple[int, ...] = (FIRST_TEST + 102, FIRST_TEST + 103)
    minutes: float = 4.0
    tuned_on: tuple[int, ...] = (FIRST_TEST + 100, FIRST_TEST + 101)
    judged_on: tuple[int, ...] = tuple(range(FIRST_TEST, FIRST_TEST + 6))
    draws: int = 5
    realisations: int = 20
    seeds: int = 25
    full: bool = True
    candidates: tuple[Candidate, ...] = CANDIDATES

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        return "reconstruct_items" + "_quick" * self.quick + "_short" * self.short

    def candidate(self, name: str) -> Candidate:
        """Return a method by its name."""
        return next(c for c in self.candidates if c.name == name)


def plan_of(quick: bool, full: bool = True, short: bool = False) -> Plan:
    """Return the plan of a run.

    Args:
        quick: Too little to judge by.
        full: Whether to run the mMR as well.
        short: 1 % of the counts, one draw of them, one head to tune on and 10 realisations.
    """
    if short and not quick:
        whole = Plan()
        return Plan(
            short=True, fractions=(LOW,), sweep=(), lesions=whole.lesions[:2],
            tuned_on=whole.tuned_on[:1], draws=1, realisations=10, full=False,
        )  # fmt: skip
    if not quick:
        return Plan(full=full)
    whole = Plan()
    return Plan(
        quick=True, fractions=(LOW,), sweep=(LOW,), lesions=whole.lesions[:1],
        tuned_on=whole.tuned_on[:1], judged_on=whole.judged_on[:1],
        draws=1, realisations=2, seeds=3, full=False,
        candidates=tuple(quicker(c) for c in CANDIDATES if c.method in QUICK and c.leading),
    )  # fmt: skip


@dataclass(eq=False)
class Bench:
    """A plan in a folder, with the head at hand.

    Attributes:
        plan: How much is done.
        shelf: Where items go.
        progress: What to report to.
    """

    plan: Plan
    shelf: Shelf
    progress: Progress = field(default_factory=Silent)
    _case: tuple[Any, ...] = ()
    _data: tuple[Any, ...] = ()

    @classmethod
    def at(cls, out: Path, plan: Plan, progress: Progress | None = None) -> Bench:
        """Return the bench of a folder."""
        return cls(plan, Shelf(out / plan.folder), progress or Silent())

    def case(self, size: str, fraction: float, seed: int, *, lesions: float = 0.0) -> Case:
        """Return a head; the last one is kept."""
        key = (size, fraction, seed, lesions)
        if self._case[:4] != key:
            self._case = (*key, make_case(size, fraction, seed, lesions=lesions))
        case: Case = self._case[4]
        return case

    def data(
        self, size: str, fraction: float, seed: int, draw: int = 0, *, lesions: float = 0.0
    ) -> SinogramData:
        """Return a draw of its counts, with its sensitivity; the last one is kept."""
        key = (size, fraction, seed, draw, lesions)
        if self._data[:5] != key:
            found = self.case(size, fraction, seed, lesions=lesions).data(SUBSETS[size], draw)
            _ = found.sensitivity, found.mask  # shared by all methods
            self._data = (*key, found)
        data: SinogramData = self._data[5]
        return data

    def reference(self, size: str, fraction: float, seed: int) -> np.ndarray:
        """Return OSEM of all counts of a head, as `REFERENCE` says, at the level of a fraction."""
        name = f"reference {size} {seed}"
        found = self.images([name])
        if not found:
            whole = make_case(size, 1.0, seed)
            settings = Osem.Settings(subsets=SUBSETS[size], **REFERENCE)
            self.keep(name, Osem(settings).run(whole.data(SUBSETS[size]), None, Silent()))
            found = self.images([name])
        return found[name] * np.float32(fraction)

    def keep(self, name: str, image: np.ndarray) -> None:
        """Keep an image for the figures."""
        path = self._image(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_arrays(path, {"image": image.astype(np.float32)})

    def images(self, names: list[str]) -> dict[str, np.ndarray]:
        """Return those that were kept, of some names."""
        found = {name: read_arrays(self._image(name)) for name in names}
        return {name: arrays["image"] for name, arrays in found.items() if arrays}

    def network(self, fraction: float) -> Path:
        """Return where the U-Net of a fraction of the counts is kept."""
        return self.shelf.folder / "network" / f"{fraction:g}.npz"

    def _image(self, name: str) -> Path:
        return self.shelf.folder / "images" / f"{name.replace('/', '_')}.npz"
