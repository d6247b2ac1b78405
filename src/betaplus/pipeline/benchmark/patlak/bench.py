"""What the parts of the benchmark share: sizes, people at hand, and the shelf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from betaplus.core.progress import Progress, Silent
from betaplus.patlak.method import METHODS, UNWEIGHTED
from betaplus.pipeline.benchmark.patlak.cases import DOSES, Case, Subject, draw_subject, make_case
from betaplus.pipeline.benchmark.patlak.gates import GATED_DOSE
from betaplus.pipeline.benchmark.patlak.scores import Targets
from betaplus.pipeline.benchmark.shelf import Shelf
from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["Bench", "Plan", "plan_of"]

_KEPT = 6  # cases of one person: 50 MB each


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is done.

    Attributes:
        quick: Whether it is too little to judge by.
        shape: Of the images.
        voxel: Edge [mm].
        doses: Shares of the counts.
        anatomies: ``body``, ``head``.
        people: Of each.
        realisations: Noise draws at `GATED_DOSE`.
        elsewhere: At other doses.
        tuning_draws: On the tuning people.
        methods: Names.
        tuned: Whether settings are looked for; else defaults are taken.
        protocol: Of the scans, ``dynamic`` or ``passes``.
    """

    quick: bool = False
    shape: tuple[int, int, int] = (96, 96, 96)
    voxel: float = 4.0
    doses: tuple[float, ...] = DOSES
    anatomies: tuple[str, ...] = ("body", "head")
    people: int = 2
    realisations: int = 10
    elsewhere: int = 3
    tuning_draws: int = 2
    methods: tuple[str, ...] = tuple(METHODS)
    tuned: bool = True
    protocol: str = "dynamic"

    def draws(self, dose: float) -> int:
        """Return the number of noise draws at a dose."""
        return self.realisations if dose == GATED_DOSE else self.elsewhere

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        size = "x".join(map(str, self.shape))
        return f"patlak_items_{size}_{self.voxel:g}mm" + "_quick" * self.quick


def plan_of(
    quick: bool, realisations: int | None = None, methods: Sequence[str] | None = None
) -> Plan:
    """Return the plan of a run.

    Args:
        quick: Too little to judge by.
        realisations: Noise draws at 1/10; elsewhere at most three.
        methods: Names; all if None.
    """
    names = tuple(methods or METHODS)
    if quick:
        return Plan(
            quick=True, shape=(48, 48, 48), doses=(GATED_DOSE,), anatomies=("body",), people=1,
            realisations=1, elsewhere=1, tuning_draws=1, tuned=False,
            methods=tuple(name for name in names if name != "gibbs"),
        )  # fmt: skip
    number = 10 if realisations is None else realisations
    return Plan(realisations=number, elsewhere=min(3, number), methods=names)


@dataclass(eq=False)
class Bench:
    """A plan in a folder, with the person and the case at hand.

    Attributes:
        plan: How much is done.
        shelf: Where items go.
        progress: What to report to.
    """

    plan: Plan
    shelf: Shelf
    progress: Progress = field(default_factory=Silent)
    _subject: tuple[Subject, PatlakStudy, Targets] | None = None
    _cases: dict[tuple[float, int, bool], Case] = field(default_factory=dict)

    @classmethod
    def at(cls, out: Path, plan: Plan, progress: Progress | None = None) -> Bench:
        """Return the bench of a folder."""
        return cls(plan, Shelf(out / plan.folder), progress or Silent())

    def person(self, subject: Subject) -> tuple[PatlakStudy, Targets]:
        """Return a simulated person and what is measured; the last one is kept."""
        if self._subject is None or self._subject[0] != subject:
            self._subject = None
            self._cases.clear()
            simulated = draw_subject(subject, shape=self.plan.shape, voxel=self.plan.voxel)
            self._subject = subject, simulated, Targets(simulated)
        return self._subject[1], self._subject[2]

    def case(self, subject: Subject, dose: float, draw: int, method: str = "wls") -> Case:
        """Return a study at a dose as a method wants it; the last ones are kept."""
        simulated, _ = self.person(subject)
        key = (dose, draw, method not in UNWEIGHTED)
        if key not in self._cases:
            if len(self._cases) >= _KEPT:
                self._cases.pop(next(iter(self._cases)))
            self._cases[key] = make_case(simulated, dose, draw, weighted=key[2])
        return self._cases[key]
