"""What images say of the regions of a scan, beside the truth: rows that intervals are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from betaplus.pipeline.benchmark.reconstruct.cases import Case
from betaplus.pipeline.benchmark.reconstruct.coverage.scans import Region

__all__ = ["RegionRows"]


class RegionRows:
    """Means of regions, in units of the mean of the scan's truth.

    Args:
        case: The scan.
        kinds: Kind of regions to those there are.
    """

    def __init__(self, case: Case, kinds: Mapping[str, Sequence[Region]]) -> None:
        self._kinds, self._unit = kinds, float(case.truth[case.mask].mean(dtype=np.float64))
        self.rows: dict[str, list[dict[str, Any]]] = {
            kind: [self._row(case.truth, region) for region in some] for kind, some in kinds.items()
        }

    def _row(self, truth: np.ndarray, region: Region) -> dict[str, Any]:
        inside = region.inside
        return {
            "name": region.name, "voxels": int(inside.sum()),
            "truth": _mean(truth, inside) / self._unit,
        }  # fmt: skip

    def add(self, method: str, images: np.ndarray) -> None:
        """Enter a method: the mean over its images, and their SD where there are several.

        Args:
            method: Its name.
            images: Shape (draws, X, Y, Z).
        """
        for kind, rows in self.rows.items():
            for row, region in zip(rows, self._kinds[kind], strict=True):
                means = np.array([_mean(image, region.inside) for image in images]) / self._unit
                sd = float(means.std(ddof=1)) if len(means) > 1 else None
                row[method] = {"mean": float(means.mean()), "sd": sd}


def _mean(image: np.ndarray, inside: np.ndarray) -> float:
    return float(image[inside].mean(dtype=np.float64))
