"""How far maps are from those of frames without noise: errors, regions, lesions.

Ki and V0 are held against the Patlak fit of frames without noise, in the body. Regions are the
labels over 10 mL, lesions apart. Of a lesion with Ki means l inside and b around (`lesions`),

- recovery = (l - b) / (l0 - b0), l0 and b0 without noise; 1 is fully recovered,
- CNR = (l - b) / SD of the voxels around.

A lesion counts as hot whose l0 is above 1.25 b0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from betaplus.evaluation.images.published import body_scores
from betaplus.pipeline.benchmark.patlak.lesions import LesionPlace, lesion_places
from betaplus.simulation.dynamic_study.study import PatlakStudy

__all__ = ["HOT", "MAPS", "Targets", "lesion_scores"]

MAPS = ("Ki", "V0")

HOT = 1.25
"""Ki of a hot lesion over that around it, at least."""

_LEAST_VOLUME = 10.0  # mL


class Targets:
    """What of a study is measured.

    Args:
        simulated: The study.
    """

    def __init__(self, simulated: PatlakStudy) -> None:
        self.body = simulated.body
        self.truth = dict(zip(MAPS, simulated.noise_free, strict=True))
        self.lesions = lesion_places(simulated)
        labels, names = simulated.labels, simulated.names
        counts = np.bincount(labels.ravel(), minlength=max(names, default=0) + 1)
        ml = float(np.prod(simulated.voxel)) / 1000.0
        self.names = [
            (i, name)
            for i, name in names.items()
            if i and counts[i] * ml > _LEAST_VOLUME and not name.startswith("Lesion")
        ]
        self._labels, self._counts = labels.ravel(), counts
        self.true_Ki = self.means(simulated.true_Ki)

    def means(self, image: np.ndarray) -> dict[str, float]:
        """Return region to the mean of an image, shape (X, Y, Z), in its unit."""
        sums = np.bincount(self._labels, image.ravel().astype(np.float64), self._counts.size)
        return {name: float(sums[i] / self._counts[i]) for i, name in self.names}

    @property
    def reference(self) -> dict[str, Any]:
        """What regions and lesions hold without noise, as JSON knows it."""
        return {
            "regions": {name: self.means(image) for name, image in self.truth.items()},
            "true_Ki": self.true_Ki,
        }

    def score(
        self, maps: Mapping[str, np.ndarray], std: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, Any]:
        """Return the figures of maps, as JSON knows them.

        Args:
            maps: ``Ki`` [mL/cm3/min] and ``V0`` [mL/cm3], shape (X, Y, Z).
            std: Their SDs as the method sees them; None where it has none.
        """
        found: dict[str, Any] = {}
        for name, truth in self.truth.items():
            scores = body_scores(maps[name], truth, self.body)
            found[name] = {
                "nrmse": scores.nrmse / 100.0,
                "psnr": scores.psnr,
                "ssim": scores.ssim,
                "regions": self.means(maps[name]),
            }
            if std is not None:
                found[name]["claimed"] = self._claimed(maps[name], truth, std[name])
        Ki, reference = maps["Ki"], self.truth["Ki"]
        found["lesions"] = [lesion_scores(place, Ki, reference) for place in self.lesions]
        return found

    def _claimed(
        self, image: np.ndarray, truth: np.ndarray, std: np.ndarray
    ) -> dict[str, list[float]]:
        """Return region to root mean square error and mean SD over its voxels."""
        square = self.means(np.square(image.astype(np.float64) - truth))
        said = self.means(std)
        return {name: [float(np.sqrt(square[name])), said[name]] for name in square}


def lesion_scores(place: LesionPlace, image: np.ndarray, reference: np.ndarray) -> dict[str, Any]:
    """Return the figures of one lesion.

    Args:
        place: Where it is.
        image: Ki, shape (X, Y, Z).
        reference: The same without noise.
    """
    flat, known = image.ravel().astype(np.float64), reference.ravel().astype(np.float64)
    high, low = flat[place.inside].mean(), flat[place.around].mean()
    high0, low0 = known[place.inside].mean(), known[place.around].mean()
    spread = float(flat[place.around].std(ddof=1))
    contrast = float(high0 - low0)
    return {
        "number": place.number,
        "site": place.site,
        "diameter": place.diameter,
        "same_tissue": place.same_tissue,
        "hot": bool(high0 > HOT * max(low0, 0.0) and contrast > 0.0),
        "true_contrast": contrast,
        "recovery": float((high - low) / contrast) if contrast else None,
        "cnr": float((high - low) / spread) if spread else None,
    }
