"""Regions of small phantoms under each method, their true means, and how intervals do on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.denoising.gaussian import GaussianSettings, gaussian
from betaplus.denoising.nlm import NlmSettings, nlm
from betaplus.denoising.region_features import measure_regions
from betaplus.denoising.region_model import RegionModel
from betaplus.denoising.volume import Volume
from betaplus.evaluation.interval_score import interval_score
from betaplus.pipeline.benchmark.denoise.coverage.small_phantoms import SmallPhantom
from betaplus.pipeline.benchmark.region_intervals.cases import LEAST_VOLUME, Case

__all__ = ["Filter", "judge", "measure", "noisy_filters"]

Filter = Callable[[Volume], np.ndarray]


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
