"""Small studies at every dose under each method: means of regions, and what tells their errors.

Work is kept a person: a JSON file with a row for each region, dose and study. Processes that share
a folder share the work (`shelf`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from betaplus.generative.image_prior import ImagePrior
from betaplus.patlak.gibbs import Gibbs
from betaplus.patlak.noise_map import noise_correlation, noise_map
from betaplus.patlak.problem import PatlakProblem
from betaplus.patlak.region_noise import mean_noise
from betaplus.patlak.smoothed import Gaussian
from betaplus.patlak.tv import Tv
from betaplus.pipeline.benchmark.patlak.cases import DOSES, make_case
from betaplus.pipeline.benchmark.patlak.coverage.regions import means, regions_of
from betaplus.pipeline.benchmark.region_intervals.regions import Region, structure
from betaplus.simulation.dynamic_study import draw_person, draw_small_study
from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["GAUSSIAN", "MAPS", "SmallPlan", "measure_person"]

MAPS = ("Ki", "V0")

GAUSSIAN = (0.3, 0.65, 1.0)
"""Strengths of the filter: the default, and about half and one and a half of it."""


def _few_turns() -> Gibbs.Settings:
    return Gibbs.Settings(samples=5, burn=3, inner=2)


@dataclass(frozen=True, kw_only=True)
class SmallPlan:
    """How much is done of each person.

    Attributes:
        boxes: Studies.
        shape: Of each.
        voxel: Edge [mm].
        doses: Shares of the counts.
        rarely: `tv` sees one study in so many.
        gibbs: Its settings.
    """

    boxes: int = 16
    shape: tuple[int, int, int] = (32, 32, 32)
    voxel: float = 4.0
    doses: tuple[float, ...] = DOSES
    rarely: int = 4
    gibbs: Gibbs.Settings = field(default_factory=_few_turns)

    @property
    def folder(self) -> str:
        """Name of the folder of items: those of different plans do not mix."""
        size = "x".join(map(str, self.shape))
        g = self.gibbs
        turns = f"{g.burn}+{g.samples}x{g.thin}x{g.inner}"
        doses = "-".join(f"{1 / d:.0f}" for d in self.doses)
        return f"coverage_{size}_{self.voxel:g}mm_{self.boxes}_{doses}_gibbs{turns}"


def measure_person(seed: int, plan: SmallPlan, prior: ImagePrior) -> dict[str, Any]:
    """Return the rows of a person's small studies, one draw of noise each.

    Args:
        seed: Of the person.
        plan: How much is done.
        prior: Of `gibbs`.
    """
    person = draw_person("body", seed, voxel=plan.voxel)
    rows: list[dict[str, Any]] = []
    studies = 0
    for box in range(plan.boxes):
        study = draw_small_study(person, box, shape=plan.shape)
        found = _measure_study(study, box, plan, prior)
        studies += bool(found)
        rows += found
    return {"person": seed, "studies": studies, "rows": rows}


def _measure_study(
    study: PatlakStudy, box: int, plan: SmallPlan, prior: ImagePrior
) -> list[dict[str, Any]]:
    rows = []
    regions: list[Region] = []
    for number, dose in enumerate(plan.doses):
        case = make_case(study, dose)
        if number == 0:
            regions = regions_of(study, case.problem.mask.numpy(), box)
            if not regions:
                return []
        outputs = _outputs(case.problem, plan, prior, box, regions)
        truth = means(case.truth, regions)
        scale = case.problem.scale.numpy()
        labels = study.labels
        for n, region in enumerate(regions):
            row: dict[str, Any] = {
                "box": box, "dose": dose, "kind": region.kind, "name": region.name, "region": n,
                "volume": float(region.inside.sum() * np.prod(study.voxel) / 1000.0),
                "scale": [float(f"{s:.6g}") for s in scale], "truth": _digits(truth[n]),
                "methods": {},
            }  # fmt: skip
            for name, (u, mean, sd) in outputs.items():
                told = [structure(region, u[channel], labels) for channel in range(2)]
                row["methods"][name] = {
                    "mean": _digits(mean[n]), "sd": _digits(sd[n]),
                    **{key: _digits([one[key] for one in told]) for key in told[0]},
                }  # fmt: skip
            rows.append(row)
    study.release()
    return rows


def _outputs(
    problem: PatlakProblem, plan: SmallPlan, prior: ImagePrior, box: int, regions: Sequence[Region]
) -> Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return method to its maps, the means of regions and their SD."""
    variance = noise_map(problem)
    correlation = noise_correlation(problem, variance)
    s2 = variance.numpy()
    weights = [region.inside for region in regions]
    plain = mean_noise(problem, s2, correlation, weights)
    least = problem.least_squares().numpy()
    found = {"wls": (least, means(least, regions), plain)}
    for strength in GAUSSIAN:
        maps = Gaussian(Gaussian.Settings(strength=strength)).fit(problem)
        u, fwhm = maps.u.numpy(), float(maps.found["fwhm"])
        sd = mean_noise(problem, s2, correlation, weights, fwhm)
        found[f"gaussian {strength:g}"] = (u, means(u, regions), sd)
    if box % plan.rarely == 0:
        u = Tv().fit(problem).u.numpy()
        found["tv"] = (u, means(u, regions), plain)  # tv is not linear: noise before it
    drawn = Gibbs(plan.gibbs, prior).fit(problem, seed=box)
    u = drawn.u.numpy()
    if drawn.draws is None:
        return found
    each = np.stack([means(draw, regions) for draw in drawn.draws.numpy()])
    found["gibbs"] = (u, means(u, regions), each.std(0, ddof=1))
    return found


def _digits(values: Sequence[float] | np.ndarray) -> list[float]:
    """Return values to five digits."""
    return [float(f"{v:.5g}") if math.isfinite(v) else float("nan") for v in values]
