"""Batches of items: what the network sees of simulated scans, and the truth."""

from __future__ import annotations

import dataclasses
import math
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.core.errors import InputError
from betaplus.core.units import SECONDS_PER_MINUTE
from betaplus.pipeline.training.separation.plan import SeparationPlan, split_pair
from betaplus.pipeline.training.separation.studies import (
    study_problem,
    true_coefficients,
    true_images,
    with_noise,
)
from betaplus.separation.features import Features, features, relative_noise
from betaplus.separation.network_loss import frame_metric, mixture_metric
from betaplus.separation.problem import SeparationProblem
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

__all__ = ["StudyBatches", "error_metric", "item_of", "person_of"]

_LEAST_HEAD = 0.15  # of an item's voxels
_TRIES = 10
_KEPT = 128  # people in memory, 2 MB each


class StudyBatches:
    """What the network is trained with. Items follow from keys, whoever makes them.

    Args:
        plan: The training.
        first: Number of the first person.
    """

    def __init__(self, plan: SeparationPlan, first: int = FIRST_TRAIN) -> None:
        self.plan, self.first = plan, first
        self.people: OrderedDict[int, DualPerson] = OrderedDict()

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n items, `noises` of each scan, and return those of a process.

        Returns:
            ``linear``, ``truth``, ``condition`` (float16), ``context``, ``metric``, ``where`` of
            `betaplus.separation.network_loss.SeparationBatch`; where the plan gives them a weight
            also ``clean`` and ``mixing``.
        """
        keys = torch.randint(2**62, (n // self.plan.noises,), generator=generator)[rank::world]
        made = [item for key in keys for item in self._items(np.random.default_rng(int(key)))]
        return {name: torch.stack([item[name] for item in made]) for name in made[0]}

    def noise_range(self, scans: int, generator: Generator) -> tuple[float, float]:
        """Return the lowest and highest `relative_noise` that are usual in training."""
        keys = torch.randint(2**62, (scans,), generator=generator)
        levels = []
        for key in keys:
            rng = np.random.default_rng(int(key))
            study = self._study(rng)
            levels.append(relative_noise(self._problem(study, rng)))
        fewest, most = self.plan.counts
        return min(levels) / math.sqrt(most), max(levels) / math.sqrt(fewest)

    def _items(self, rng: np.random.Generator) -> list[dict[str, Tensor]]:
        study = self._study(rng)
        doses = [_ratio(self.plan.counts, rng) for _ in range(self.plan.noises)]
        first = self._problem(study, rng, doses[0])
        x = true_images(study, first)
        made = []
        for draw, dose in enumerate(doses):
            noisy = with_noise(first, study, dose, draw) if draw else first
            made.append(item_of(self._told(noisy, rng), study, x, self.plan))
        return made

    def _study(self, rng: np.random.Generator) -> DualStudy:
        plan = self.plan
        for _ in range(_TRIES):
            person = self._person(self.first + int(rng.integers(plan.people)))
            number = int(rng.integers(2**31))
            study = draw_dual_study(
                person, self._protocol(person, number, rng), item=number, shape=(plan.edge,) * 3
            )
            if study.head.mean() >= _LEAST_HEAD:
                return study
        raise InputError(
            f"boxes of {plan.edge} voxels hold less than {_LEAST_HEAD:.0%} of head",
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

    def _problem(
        self, study: DualStudy, rng: np.random.Generator, dose: float = 1.0
    ) -> SeparationProblem:
        return study_problem(
            study,
            dose=dose,
            population=bool(rng.random() < self.plan.population),
            sizes=(self.plan.first, self.plan.second),
            subjects=self.plan.subjects,
            seed=int(rng.integers(2**31)),
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

    def __getstate__(self) -> dict[str, Any]:
        return {"plan": self.plan, "first": self.first, "people": OrderedDict()}


def person_of(seed: int, plan: SeparationPlan) -> DualPerson:
    """Return a person in voxels of the plan."""
    voxel = plan.voxels[seed % len(plan.voxels)]
    return draw_dual_person(seed, STANDARD.replace(voxel=voxel))


def item_of(
    problem: SeparationProblem, study: DualStudy, x: Tensor, plan: SeparationPlan
) -> dict[str, Tensor]:
    """Return an item of training.

    Args:
        problem: A noisy scan.
        study: It is of.
        x: True images [scale].
        plan: Says what has a weight.
    """
    shown = features(problem)
    truth = true_coefficients(problem, x)
    item = {
        "linear": shown.start,
        "truth": shown.scaled(truth) * problem.mask,
        "condition": shown.condition.half(),
        "context": shown.context,
        "metric": _scaled(_at_most_one(error_metric(problem, shown), problem, shown, truth), shown),
        "where": problem.mask[None].float(),
    }
    bases, decay = _bases(problem), torch.as_tensor(problem.decay).float()
    if plan.inverse:
        clean = torch.from_numpy(study.clean / np.float32(problem.scale))
        noise = problem.noise.clamp_min(1e-6)
        z = shown.estimate.coefficients(clean, noise).movedim(-1, 0)
        item["clean"] = shown.scaled(z * problem.mask)
    if plan.mixing:
        weights = torch.as_tensor(problem.weights).float()
        mixing = _expecting_one(mixture_metric(bases, decay, weights), problem, shown)
        item["mixing"] = _scaled(mixing, shown)
    return item


def error_metric(problem: SeparationProblem, shown: Features) -> Tensor:
    """Return the metric of errors, shape (K, K).

    Squared errors of the frames that a tracer has; each tracer counts for a half, over the error
    that is to be expected of its linear estimate, whose loss so is 1.

    Args:
        problem: A scan.
        shown: Its features.
    """
    seen = torch.as_tensor(problem.seen, dtype=torch.float32)
    metric = frame_metric(_bases(problem), (seen[0], seen[1]))
    sizes = shown.estimate.sizes
    whole = torch.zeros_like(metric)
    for part in (slice(0, sizes[0]), slice(sizes[0], sum(sizes))):
        own = torch.zeros_like(metric)
        own[part, part] = metric[part, part]
        whole += 0.5 * _expecting_one(own, problem, shown)
    return whole


def _at_most_one(
    metric: Tensor, problem: SeparationProblem, shown: Features, truth: Tensor
) -> Tensor:
    """Return the metric, of a tracer that is less like its prior than expected, made smaller.

    A tracer's loss of the linear estimate is then at most a half; a few scans of others would
    outweigh all else.
    """
    error = (shown.linear - truth)[:, problem.mask]
    metric = metric.clone()
    first = shown.estimate.sizes[0]
    for part in (slice(0, first), slice(first, None)):
        own = metric[part, part]
        found = float((error[part] * (own @ error[part])).sum(0).mean())
        metric[part, part] = own * (0.5 / max(0.5, found))
    return metric


def _scaled(metric: Tensor, shown: Features) -> Tensor:
    """Return the metric of errors in the network's units."""
    spread = shown.spread.flatten()
    return spread[:, None] * metric * spread


def _expecting_one(metric: Tensor, problem: SeparationProblem, shown: Features) -> Tensor:
    noise = float(problem.noise[problem.mask].median())
    covariance = torch.as_tensor(shown.estimate.covariance(noise), dtype=torch.float32)
    return metric / (metric @ covariance).diagonal().sum().clamp_min(1e-8)


def _bases(problem: SeparationProblem) -> tuple[Tensor, Tensor]:
    one, two = (torch.as_tensor(s.basis, dtype=torch.float32) for s in problem.spaces or ())
    return one, two


def _ratio(limits: tuple[float, ...], rng: np.random.Generator) -> float:
    return float(limits[0] * (limits[1] / limits[0]) ** rng.random())


def _seconds(minutes: tuple[float, ...]) -> tuple[float, float]:
    return minutes[0] * SECONDS_PER_MINUTE, minutes[1] * SECONDS_PER_MINUTE


def _two(limits: tuple[float, ...]) -> tuple[float, float]:
    return limits[0], limits[1]
