"""A case from what was measured of the regions of a study: what tells how wrong means may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.denoising.region_features import RegionTable
from betaplus.pipeline.benchmark.region_intervals.cases import LESIONS, Case

__all__ = ["measured_case", "own_sd"]

_TINY = 1e-3  # SUV
_TINY_SD = 0.1 * _TINY
_LEAST_BORDER = 0.02
_LEAST_SD = 1e-6  # SUV


def measured_case(
    rows: Sequence[Mapping[str, Any]],
    *,
    person: int,
    box: int,
    dose: float,
    truth: np.ndarray,
    mean: np.ndarray,
    noisy: np.ndarray,
    sds: Mapping[str, np.ndarray],
    told: Sequence[Mapping[str, float]],
    more: Mapping[str, np.ndarray] | None = None,
) -> Case:
    """Return a case; its features are logarithms.

    Args:
        rows: With ``region``, ``kind`` and ``volume`` [mL]; arrays have a value for each, (N,).
        person: Number of the anatomy.
        box: Which part of it.
        dose: Fraction of the counts.
        truth: Means without noise [SUV].
        mean: What the method says [SUV]; feature ``uptake``.
        noisy: Means without the method [SUV]; feature ``change`` is what lies between.
        sds: SDs by the name of their feature, ``own`` that which the method gives [SUV].
        told: Of each region what `regions.structure` says of the method's map.
        more: Other features by name, as they are.
    """
    volume = np.array([row["volume"] for row in rows])
    border, step, spread = (
        np.array([one[key] for one in told]) for key in ("border", "step", "spread")
    )
    features = {
        "volume": np.log(volume),
        **{name: np.log(sd + _TINY_SD) for name, sd in sds.items()},
        "border": np.log(np.maximum(border, _LEAST_BORDER)),
        "uptake": np.log(np.maximum(mean, 0.0) + _TINY),
        "change": np.log(np.abs(mean - noisy) + _TINY),
        "step": np.log(step + _TINY),
        "spread": np.log(spread + _TINY),
        **(more or {}),
    }
    labels = np.array([row["region"] + LESIONS * (row["kind"] == "lesion") for row in rows])
    table = RegionTable(labels=labels, volume=volume, noisy=noisy, denoised=mean, features=features)
    return Case(person=person, box=box, dose=dose, table=table, truth=truth)


def own_sd(case: Case) -> np.ndarray:
    """Return the SDs that the method gives, from feature ``own``, shape (N,) [SUV]."""
    return np.maximum(np.exp(case.table.features["own"]) - _TINY_SD, _LEAST_SD)
