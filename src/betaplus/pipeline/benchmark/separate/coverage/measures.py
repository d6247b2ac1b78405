"""Small scans from the prior of training under each method: means of regions, and their errors.

Judged is the uptake of a region [SUV]: the mean over its voxels, and over the frames that hold the
tracer, weighted by their duration. Work is kept a person: processes that share a folder share it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.region_intervals.cases import LEAST_VOLUME
from betaplus.pipeline.benchmark.region_intervals.regions import (
    Region,
    lesion_regions,
    structure,
)
from betaplus.pipeline.benchmark.separate.candidates import Skip, run_candidate
from betaplus.pipeline.benchmark.separate.cases import Case, make_case, person_of
from betaplus.pipeline.benchmark.separate.macros import mean_share
from betaplus.pipeline.benchmark.separate.networks import Networks
from betaplus.pipeline.benchmark.separate.scores import Targets
from betaplus.separation.linear_estimate import LinearEstimate
from betaplus.simulation.dual_study import (
    STANDARD,
    DualStudy,
    draw_dual_protocol,
    draw_dual_study,
)

__all__ = ["SmallPlan", "measure_person", "region_linear"]

_LEAST_HEAD = 0.3  # of a box


@dataclass(frozen=True, kw_only=True)
class SmallPlan:
    """How much is done of each person.

    Attributes:
        boxes: Scans.
        edge: Of each [voxels of 2.5 mm].
        methods: Names.
    """

    boxes: int = 16
    edge: int = 24
    methods: tuple[str, ...] = ("inn", "linear", "compartment", "extrapolation")

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        return f"coverage_{self.edge}_{self.boxes}_{'-'.join(self.methods)}"


def measure_person(
    seed: int, plan: SmallPlan, networks: Networks, settings: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the rows of a person's small scans, one draw of noise each.

    Args:
        seed: Of the person.
        plan: How much is done.
        networks: Those that are judged.
        settings: Of each method.
    """
    person = person_of(seed, STANDARD)
    rows: list[dict[str, Any]] = []
    studies = 0
    for box in range(plan.boxes):
        protocol = draw_dual_protocol(seed, box, either_order=True)
        simulated = draw_dual_study(person, protocol, item=box, shape=(plan.edge,) * 3)
        if simulated.head.mean() < _LEAST_HEAD:
            continue
        found = _measure(simulated, box, plan, networks, settings)
        studies += bool(found)
        rows += found
    return {"person": seed, "studies": studies, "rows": rows}


def region_linear(case: Case, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Return what a region's mean curve says in closed form: uptakes and their SDs, (2,) [Bq/mL].

    The linear estimate of the mean curve with the noise of a mean, and its posterior SD.
    """
    problem = case.study.problem
    assert problem.spaces is not None
    estimate = LinearEstimate(problem.spaces, problem.decay, problem.weights)
    mixture = problem.mixture.numpy()[region.inside].mean(0, dtype=np.float64)
    level = float(np.mean(problem.noise.numpy()[region.inside].astype(np.float64) ** 2))
    noise = math.sqrt(level * mean_share(case.simulated, region.inside))
    c = estimate.estimator(noise) @ (mixture - estimate.mean)
    covariance = estimate.covariance(noise)
    first = estimate.sizes[0]
    value, sd = np.zeros(2), np.zeros(2)
    for i, (space, part) in enumerate(
        zip(problem.spaces, (slice(0, first), slice(first, None)), strict=True)
    ):
        weights = _weights(case.simulated, i)
        along = weights @ space.basis
        value[i] = weights @ space.mean + along @ c[part]
        sd[i] = math.sqrt(max(float(along @ covariance[part, part] @ along), 0.0))
    return value * problem.scale, sd * problem.scale


def _weights(simulated: DualStudy, i: int) -> np.ndarray:
    """Return the weights of frames in the uptake of a tracer, shape (T,)."""
    weights = simulated.frames.duration * (simulated.decay[i] > 0)
    return np.asarray(weights / weights.sum())


def _regions(simulated: DualStudy) -> list[Region]:
    found = lesion_regions(simulated, simulated.head)
    ill = np.any([region.inside for region in found], axis=0)
    for name, mask in Targets(simulated).regions.items():
        found.append(Region(kind="organ", name=name, inside=mask & ~ill))
    voxel = float(np.prod(simulated.voxel)) / 1000.0
    return [r for r in found if r.inside.sum() * voxel >= LEAST_VOLUME]


def _measure(
    simulated: DualStudy,
    box: int,
    plan: SmallPlan,
    networks: Networks,
    settings: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    regions = _regions(simulated)
    if not regions:
        return []
    case = make_case(simulated)
    units = [
        p.activity_per_gram * dose
        for p, dose in zip(simulated.protocol.tracers, simulated.protocol.doses, strict=True)
    ]
    outputs: dict[str, list[np.ndarray]] = {}
    for method in plan.methods:
        try:
            fit = run_candidate(case.study, method, settings.get(method, {}), networks, seed=box)
        except Skip:
            continue
        pair = fit.found.x.numpy()
        outputs[method] = [
            pair[i]
            @ _weights(simulated, i).astype(np.float32)
            * case.study.problem.scale
            / units[i]
            for i in (0, 1)
        ]
    truth = [simulated.x[i] @ _weights(simulated, i).astype(np.float32) / units[i] for i in (0, 1)]
    rows = []
    for n, region in enumerate(regions):
        value, sd = region_linear(case, region)
        for i, profile in enumerate(simulated.protocol.tracers):
            rows.append({
                "box": box, "region": n, "name": region.name, "kind": region.kind,
                "volume": float(region.inside.sum() * np.prod(simulated.voxel) / 1000.0),
                "tracer": profile.tracer.name, "delay": simulated.protocol.delay,
                "truth": _mean(truth[i], region), "noisy": _five(value[i] / units[i]),
                "own": _five(sd[i] / units[i]),
                "methods": {
                    method: {
                        "mean": _mean(images[i], region),
                        **{
                            key: _five(v)
                            for key, v in structure(region, images[i], simulated.labels).items()
                        },
                    }
                    for method, images in outputs.items()
                },
            })  # fmt: skip
    return rows


def _mean(image: np.ndarray, region: Region) -> float:
    return _five(float(image[region.inside].mean(dtype=np.float64)))


def _five(value: float) -> float:
    return float(f"{value:.5g}")
