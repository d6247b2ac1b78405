"""Batches of items: what the network sees of simulated scans, and the truth."""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.core.errors import InputError
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.training.separation.items import item_of
from betaplus.pipeline.training.separation.plan import SeparationPlan, split_pair
from betaplus.pipeline.training.separation.studies import (
    prior_curves,
    study_problem,
    true_images,
    with_noise,
)
from betaplus.separation.known import relative_noise
from betaplus.separation.problem import SeparationProblem
from betaplus.separation.tissue_curves import TissueCurves
from betaplus.separation.tissue_kinetics import TissueKinetics, draw_tissues
from betaplus.simulation.dual_study import (
    FIRST_TRAIN,
    STANDARD,
    DualPerson,
    DualProtocol,
    DualStudy,
    draw_dual_person,
    draw_dual_protocol,
    draw_dual_study,
)
from betaplus.simulation.tracers import TracerProfile

__all__ = ["StudyBatches", "person_of"]

_LEAST_HEAD = 0.15  # of an item's voxels
_TRIES = 10
_KEPT = 128  # people in memory, 2 MB each
_PRIORS = 8  # sets of other people whose curves make spaces, 4 MB of a pair
_FINITE = 7001  # with the number of a scan: its seed, where scans are used again


class StudyBatches:
    """What the network is trained with. Items follow from keys, whoever makes them.

    Args:
        plan: The training.
        first: Number of the first person.
    """

    def __init__(self, plan: SeparationPlan, first: int = FIRST_TRAIN) -> None:
        self.plan, self.first = plan, first
        self.people: OrderedDict[int, DualPerson] = OrderedDict()
        self.priors: dict[tuple[str, str, int], TissueKinetics] = {}
        self.kept: OrderedDict[int, list[dict[str, Tensor]]] = OrderedDict()

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n items, of each scan `boxes` with `noises` each, and return those of a process.

        Returns:
            ``linear``, ``truth``, ``condition`` (float16), ``context``, ``metric``, ``where`` of
            `betaplus.separation.network_loss.SeparationBatch`; where the plan gives them a weight
            also ``clean`` and ``mixing``.
        """
        keys = torch.randint(2**62, (n // self.plan.of_study,), generator=generator)[rank::world]
        made = [item for key in keys for item in self._turned(int(key))]
        return {name: torch.stack([item[name] for item in made]) for name in made[0]}

    def _turned(self, key: int) -> list[dict[str, Tensor]]:
        """Return the items of a key; of one of the plan's scans, mirrored by chance."""
        scans = self.plan.scans
        if not scans:
            return self._items(np.random.default_rng(key))
        rng = np.random.default_rng(key)
        number = int(rng.integers(scans))
        if number not in self.kept:
            made = self._items(np.random.default_rng((_FINITE, number)))
            self.kept[number] = [
                {k: v.half() if v.ndim > 2 else v for k, v in item.items()} for item in made
            ]
        axes = [axis for axis in (-3, -2, -1) if rng.random() < 0.5]
        swap = rng.random() < 0.5
        return [
            {name: _mirrored(value, axes, swap) for name, value in item.items()}
            for item in self.kept[number]
        ]

    def noise_range(self, scans: int, generator: Generator) -> tuple[float, float]:
        """Return the lowest and highest `relative_noise` that are usual in training."""
        keys = torch.randint(2**62, (scans,), generator=generator)
        levels = []
        for key in keys:
            rng = np.random.default_rng(int(key))
            study = self._study(rng)
            levels.append(relative_noise(self._problem(study, self._scan(study, rng))))
        fewest, most = self.plan.counts
        return min(levels) / math.sqrt(most), max(levels) / math.sqrt(fewest)

    def _items(self, rng: np.random.Generator) -> list[dict[str, Tensor]]:
        plan, study = self.plan, self._study(rng)
        scan = self._scan(study, rng)
        made = []
        for box in range(plan.boxes):
            part = self._box(study.person, study.protocol, rng, study) if box else study
            doses = [_ratio(plan.counts, rng) for _ in range(plan.noises)]
            first = self._problem(part, scan, doses[0])
            x = true_images(part, first)
            for draw, dose in enumerate(doses):
                noisy = with_noise(first, part, dose, draw) if draw else first
                made.append(item_of(self._told(noisy, rng), part, x, plan))
        return made

    def _study(self, rng: np.random.Generator) -> DualStudy:
        person = self._person(self.first + int(rng.integers(self.plan.people)))
        return self._box(person, self._protocol(person, int(rng.integers(2**31)), rng), rng)

    def _box(
        self,
        person: DualPerson,
        protocol: DualProtocol,
        rng: np.random.Generator,
        scan: DualStudy | None = None,
    ) -> DualStudy:
        edge = self.plan.edge
        for _ in range(_TRIES):
            number = int(rng.integers(2**31))
            low = person.box((edge,) * 3, number)
            if person.share(low, (edge,) * 3) >= _LEAST_HEAD:
                return draw_dual_study(
                    person, protocol, item=number, shape=(edge,) * 3, low=low, scan=scan
                )
        raise InputError(
            f"boxes of {edge} voxels hold less than {_LEAST_HEAD:.0%} of head",
            todo="lower the training setting edge",
        )

    def _protocol(self, person: DualPerson, number: int, rng: np.random.Generator) -> DualProtocol:
        plan = self.plan
        pair = split_pair(plan.pairs[int(rng.integers(len(plan.pairs)))])
        drawn = draw_dual_protocol(
            person.seed,
            number,
            tracers=pair,
            delay=_seconds(plan.delay),
            after=_seconds(plan.after),
            dose=_two(plan.dose),
            level=_two(plan.level),
            resolution=_two(plan.resolution),
            noise_fwhm=_two(plan.noise_fwhm),
            schedule=plan.schedules[int(rng.integers(len(plan.schedules)))],
            either_order=plan.either_order,
        )
        return drawn.replace(delay=0.0) if rng.random() < plan.together else drawn

    def _scan(self, study: DualStudy, rng: np.random.Generator) -> _Scan:
        population = bool(rng.random() < self.plan.population)
        number, seed = int(rng.integers(_PRIORS)), int(rng.integers(2**31))
        kinetics = self._prior(study.protocol.tracers, number)
        curves = prior_curves(study, kinetics, population, seed)
        return _Scan(curves=curves, population=population)

    def _problem(self, study: DualStudy, scan: _Scan, dose: float = 1.0) -> SeparationProblem:
        return study_problem(
            study,
            dose=dose,
            population=scan.population,
            sizes=(self.plan.first, self.plan.second),
            curves=scan.curves,
        )

    def _told(self, problem: SeparationProblem, rng: np.random.Generator) -> SeparationProblem:
        """Return a problem whose noise is told a little wrong."""
        size, width = np.exp(self.plan.told * rng.standard_normal(2) * (1.0, 0.5))
        return dataclasses.replace(
            problem, noise=problem.noise * float(size), noise_fwhm=problem.noise_fwhm * float(width)
        )

    def _person(self, seed: int) -> DualPerson:
        if seed not in self.people:
            self.people[seed] = person_of(seed, self.plan)
            while len(self.people) > _KEPT:
                self.people.popitem(last=False)
        self.people.move_to_end(seed)
        return self.people[seed]

    def _prior(self, profiles: tuple[TracerProfile, TracerProfile], number: int) -> TissueKinetics:
        key = profiles[0].tracer.name, profiles[1].tracer.name, number
        if key not in self.priors:
            self.priors[key] = draw_tissues(profiles, self.plan.subjects, number)
        return self.priors[key]

    def __getstate__(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"people": OrderedDict(), "priors": {}, "kept": OrderedDict()}
        return {"plan": self.plan, "first": self.first, **empty}


class _Scan(NamedTuple):
    """What the parts of a scan have in common: curves of its prior, whether blood is unknown."""

    curves: TissueCurves
    population: bool


def person_of(seed: int, plan: SeparationPlan) -> DualPerson:
    """Return a person in voxels of the plan."""
    voxel = plan.voxels[seed % len(plan.voxels)]
    return draw_dual_person(seed, STANDARD.replace(voxel=voxel))


def _mirrored(value: Tensor, axes: list[int], swap: bool) -> Tensor:
    """Return an image mirrored along some axes, x and y changed over or not; others as they are."""
    if value.ndim < 4:
        return value
    value = value.flip(axes).float()
    return value.transpose(-3, -2).contiguous() if swap else value


def _ratio(limits: tuple[float, ...], rng: np.random.Generator) -> float:
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())


def _seconds(minutes: tuple[float, ...]) -> tuple[float, float]:
    return minutes[0] * SECONDS_PER_MINUTE, minutes[1] * SECONDS_PER_MINUTE


def _two(limits: tuple[float, ...]) -> tuple[float, float]:
    return limits[0], limits[1]
