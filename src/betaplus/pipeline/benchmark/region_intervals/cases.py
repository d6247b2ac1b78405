"""Regions of a small study under a method, with their truth; the error model of many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from betaplus.denoising.intervals import conformal_factor, region_scores
from betaplus.denoising.region_features import RegionTable
from betaplus.denoising.region_model import RegionModel, fit_region_model

__all__ = ["LEAST_VOLUME", "LESIONS", "LEVEL", "Case", "fit"]

LEVEL = 0.9
"""Of the intervals."""

LEAST_VOLUME = 1.0
"""Of a region [mL]."""

LESIONS = 1000
"""Label from which lesions count, one each."""

_FOLDS = 6


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Regions of a study under a method.

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


def fit(
    cases: Sequence[Case], names: Sequence[str], about: Mapping[str, Any] | None = None
) -> RegionModel:
    """Fit a model to all cases; its factor is from what each fold of people scores without it.

    This is cross-conformal prediction (Vovk, Ann Math Artif Intell 74, 9, 2015), with people as the
    folds. The factor is that of organs, a vote a study.

    Args:
        cases: The cases.
        names: Of the features that the model sees.
        about: What is written beside the model.
    """
    people = sorted({case.person for case in cases})
    folds = [set(people[k::_FOLDS]) for k in range(min(_FOLDS, len(people)))]
    scores: list[np.ndarray] = []
    studies: list[tuple[int, int]] = []
    for fold in folds:
        others = [case for case in cases if case.person not in fold]
        model = _fit(others if others else cases, names, about)
        for case in (one.some(~one.lesions) for one in cases if one.person in fold):
            if case.truth.size:
                found = model.estimate(case.table)
                scores.append(region_scores(case.truth, found.estimate, found.sd))
                studies += [(case.person, case.box)] * case.truth.size
    conformal = conformal_factor(np.concatenate(scores), studies, LEVEL)
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
