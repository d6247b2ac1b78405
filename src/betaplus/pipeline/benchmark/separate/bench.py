"""What the parts of the benchmark share: sizes, the scan at hand, and the shelf."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from betaplus.core.progress import Progress, Silent
from betaplus.pipeline.benchmark.separate.cases import (
    PAIRS,
    Case,
    Scene,
    Subject,
    draw_subject,
    make_case,
)
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.scores import Targets
from betaplus.pipeline.benchmark.shelf import Shelf
from betaplus.separation.method import METHODS
from betaplus.simulation.dual_study import DualStudy

__all__ = ["Bench", "Plan", "plan_of"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done.

    Attributes:
        quick: Whether it is too little to judge by.
        shape: Of the boxes of heads, 2.5 mm a voxel.
        pairs: Of `PAIRS`.
        delays: Of the second injection [min].
        counts: Shares of the standard counts.
        people: That are judged.
        draws: Noise draws of each.
        tuning_people: That settings are chosen on, one draw each.
        methods: Names.
        tuned: Whether settings are looked for; else defaults are taken.
    """

    quick: bool = False
    shape: tuple[int, int, int] = (40, 40, 32)
    pairs: tuple[str, ...] = tuple(PAIRS)
    delays: tuple[float, ...] = (0.0, 10.0, 20.0, 30.0)
    counts: tuple[float, ...] = (1.0, 0.25)
    people: int = 3
    draws: int = 3
    tuning_people: int = 2
    methods: tuple[str, ...] = tuple(METHODS)
    tuned: bool = True

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        return f"separate_items_{'x'.join(map(str, self.shape))}" + "_quick" * self.quick

    @property
    def scenes(self) -> list[Scene]:
        """All pairs, delays and counts."""
        return [
            Scene(pair=pair, delay=delay, counts=share)
            for pair in self.pairs
            for delay in self.delays
            for share in self.counts
        ]


def plan_of(quick: bool) -> Plan:
    """Return the plan of a run."""
    if not quick:
        return Plan()
    return Plan(
        quick=True, shape=(24, 24, 16), pairs=("FMZ+FDG",), delays=(20.0,), counts=(1.0,),
        people=1, draws=2, tuning_people=1, tuned=False,
    )  # fmt: skip


@dataclass(eq=False)
class Bench:
    """A plan in a folder, with the scan at hand.

    Attributes:
        plan: How much is done.
        shelf: Where items go.
        networks: That are judged.
        progress: What to report to.
    """

    plan: Plan
    shelf: Shelf
    networks: Networks
    progress: Progress = field(default_factory=Silent)
    _scan: tuple[tuple[Scene, Subject], DualStudy, Targets] | None = None
    _case: tuple[tuple[Scene, Subject, int], Case] | None = None

    @classmethod
    def at(cls, out: Path, plan: Plan, networks: Networks, progress: Progress | None) -> Bench:
        """Return the bench of a folder."""
        return cls(plan, Shelf(out / plan.folder), networks, progress or Silent())

    def scan(self, scene: Scene, subject: Subject) -> tuple[DualStudy, Targets]:
        """Return a simulated scan and what is measured of it; the last one is kept."""
        key = (scene, subject)
        if self._scan is None or self._scan[0] != key:
            simulated = draw_subject(scene, subject, self.plan.shape)
            self._scan = key, simulated, Targets(simulated)
        return self._scan[1], self._scan[2]

    def case(self, scene: Scene, subject: Subject, draw: int) -> Case:
        """Return a scan with noise as methods see it; the last one is kept."""
        key = (scene, subject, draw)
        if self._case is None or self._case[0] != key:
            self._case = key, make_case(self.scan(scene, subject)[0], draw)
        return self._case[1]
