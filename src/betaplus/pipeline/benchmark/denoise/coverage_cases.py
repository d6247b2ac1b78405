"""Regions of small phantoms under each method, their true means, and how intervals do on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.intervals import conformal_factor, region_scores
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.denoising.region_features import FEATURES, RegionTable, measure_regions
from betaplus.denoising.region_model import RegionModel, fit_region_model
from betaplus.denoising.volume import Volume
from betaplus.evaluation.interval_score import interval_score
from betaplus.pipeline.benchmark.denoise.small_phantoms import LESIONS, SmallPhantom

__all__ = ["LEAST_VOLUME", "LEVEL", "Case", "Filter", "fit", "judge", "measure", "noisy_filters"]

LEVEL = 0.9
"""Of the intervals."""
LEAST_VOLUME = 1.0
"""Of a region [mL]."""

_FOLDS = 6

Filter = Callable[[Volume], np.ndarray]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Regions of a phantom under a method.

    Attributes:
        person: Number of the anatomy.
        box: Which part of it.
        dose: Fraction of the counts.
        table: The regions.
        truth: Mean of each without noise [SUV].
    """

    person: int
    box: int
    dose: float
    table: RegionTable
    truth: np.ndarray

    @property
    def lesions(self) -> np.ndarray:
        """Which regions are lesions."""
        return self.table.labels >= LESIONS

    def some(self, keep: np.ndarray) -> Case:
        """Return the case with some of its regions."""
        return Case(
            person=self.person, box=self.box, dose=self.dose, table=self.table[keep],
            truth=self.truth[keep],
        )  # fmt: skip


def measure(
    phantoms: Iterable[SmallPhantom], grid_voxel: float, filters: Mapping[str, Filter]
) -> Iterator[dict[str, Case]]:
    """Yield method to case of each phantom.

    Args:
        phantoms: The phantoms.
        grid_voxel: Edge of the voxels that the network works on [mm].
        filters: Method to what it makes of an image.
    """
    for phantom in phantoms:
        edge = phantom.voxel**3 / 1000.0
        labels, sizes = np.unique(phantom.labels, return_counts=True)
        wanted = labels[(labels > 0) & (sizes * edge >= LEAST_VOLUME)]
        volume = Volume(data=phantom.noisy, voxel=(phantom.voxel,) * 3, grid_voxel=grid_voxel)
        if volume.noise.none or wanted.size == 0:
            continue
        found = {}
        for name, method in filters.items():
            table = measure_regions(volume, method(volume), phantom.labels, wanted.tolist())
            truth = [
                phantom.clean[phantom.labels == k].mean(dtype=np.float64) for k in table.labels
            ]
            found[name] = Case(
                person=phantom.person, box=phantom.box, dose=phantom.dose, table=table,
                truth=np.array(truth),
            )  # fmt: skip
        yield found


def noisy_filters(name: str, strengths: Sequence[float]) -> dict[str, Filter]:
    """Return filters by name and strength: ``gaussian 0.6``; their widths suit the noise."""
    if name == "gaussian":
        return {f"{name} {s:g}": _gaussian(s) for s in strengths}
    return {f"{name} {s:g}": _nlm(s) for s in strengths}


def fit(
    cases: Sequence[Case],
    names: Sequence[str] = FEATURES,
    about: Mapping[str, Any] | None = None,
) -> RegionModel:
    """Fit a model to all cases; its factor is from what each fold of people scores without it.

    This is cross-conformal prediction (Vovk, Ann Math Artif Intell 74, 9, 2015), with people as the
    folds. The factor is that of organs, a vote a phantom.
    """
    people = sorted({case.person for case in cases})
    folds = [set(people[k::_FOLDS]) for k in range(min(_FOLDS, len(people)))]
    scores: list[np.ndarray] = []
    phantoms: list[tuple[int, int]] = []
    for fold in folds:
        others = [case for case in cases if case.person not in fold]
        model = _fit(others if others else cases, names, about)
        for case in (one.some(~one.lesions) for one in cases if one.person in fold):
            if case.truth.size:
                found = model.estimate(case.table)
                scores.append(region_scores(case.truth, found.estimate, found.sd))
                phantoms += [(case.person, case.box)] * case.truth.size
    conformal = conformal_factor(np.concatenate(scores), phantoms, LEVEL)
    return replace(_fit(cases, names, about), conformal=conformal)


def _fit(
    cases: Sequence[Case], names: Sequence[str], about: Mapping[str, Any] | None
) -> RegionModel:
    """Fit a model whose factor is of no use: from what it was fitted to."""
    return fit_region_model(
        [(c.table, c.truth) for c in cases],
        [((c.person, c.box), c.table, c.truth) for c in cases],
        level=LEVEL,
        names=names,
        about=about,
    )


def judge(model: RegionModel, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Return a row for each region."""
    rows = []
    for case in cases:
        found = model.estimate(case.table)
        score = interval_score(found.low, found.high, case.truth, model.conformal.level)
        for n, truth in enumerate(case.truth):
            rows.append({
                "person": case.person, "box": case.box, "dose": case.dose,
                "label": int(case.table.labels[n]), "lesion": bool(case.lesions[n]),
                "volume": float(case.table.volume[n]), "truth": float(truth),
                "noisy": float(case.table.noisy[n]), "denoised": float(case.table.denoised[n]),
                "estimate": float(found.estimate[n]), "low": float(found.low[n]),
                "high": float(found.high[n]), "score": float(score[n]),
                "calibrated": bool(found.calibrated[n]),
            })  # fmt: skip
    return rows


def _gaussian(strength: float) -> Filter:
    settings = GaussianSettings(strength=strength)
    return lambda volume: gaussian(volume.data, volume.sd, volume.voxel, settings)


def _nlm(strength: float) -> Filter:
    settings = NlmSettings(strength=strength)
    return lambda volume: nlm(volume.data, volume.sd, volume.voxel, settings)
