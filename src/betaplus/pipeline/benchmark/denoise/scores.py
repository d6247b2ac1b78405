"""How far a denoised image is from the reference: errors, organs, lesions, liver noise."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from betaplus.evaluation.images.errors import nrmse, psnr
from betaplus.evaluation.images.ssim import ssim
from betaplus.evaluation.images.suv import (
    coefficient_of_variation,
    deepest_sphere,
    region_suvs,
    suv_bias,
)
from betaplus.pipeline.benchmark.denoise.cases import Scan

__all__ = ["Scores", "Targets"]

_LEAST_VOLUME = 10.0  # mL, of an organ that is judged
_LEAST_UPTAKE = 0.3  # of the liver's
_LESION = "Lesion"


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Figures of one image.

    Attributes:
        psnr: In the body, peak the reference's largest value there [dB].
        ssim: Mean in the body.
        nrmse: In the body [%].
        organs: Organ to bias of SUVmean [%].
        lesions: Of each lesion ``diameter`` [mm], bias of ``mean``, ``max`` and ``peak`` [%].
        liver_cov: Coefficient of variation in the liver; None without one.
        reference_cov: The same of the reference.
    """

    psnr: float
    ssim: float
    nrmse: float
    organs: dict[str, float]
    lesions: list[dict[str, float]]
    liver_cov: float | None
    reference_cov: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON knows."""
        return asdict(self)


class Targets:
    """What of a scan is measured.

    Args:
        scan: The scan.
    """

    def __init__(self, scan: Scan) -> None:
        self.scan = scan
        phantom, reference = scan.scan.phantom, scan.reference
        names = {name: label for label, name in phantom.names.items()}
        ml = float(np.prod(scan.voxel)) / 1000.0
        counts = np.bincount(phantom.labels.ravel(), minlength=max(phantom.names) + 1)
        sums = np.bincount(phantom.labels.ravel(), reference.ravel().astype(float), len(counts))
        means = sums / np.maximum(counts, 1)
        liver = names.get("Liver")
        level = _LEAST_UPTAKE * (means[liver] if liver is not None else 1.0)
        self.organs = {
            label: name
            for label, name in phantom.names.items()
            if label
            and counts[label] * ml > _LEAST_VOLUME
            and means[label] > level
            and not name.startswith(_LESION)
        }
        self.lesions = np.zeros(phantom.labels.shape, np.int32)
        for n, lesion in enumerate(scan.scan.lesions, 1):
            self.lesions.ravel()[lesion.voxels] = n
        self.diameters = {
            n: float(lesion.diameter)
            for n, lesion in enumerate(scan.scan.lesions, 1)
            if (self.lesions == n).any()
        }
        self.liver = None
        if liver is not None:
            self.liver = deepest_sphere(phantom.labels == liver, scan.voxel)
        self.suvs = self._lesion_suvs(reference)

    def score(self, image: np.ndarray) -> Scores:
        """Return the figures of an image, shape (X, Y, Z) [SUV]."""
        scan, reference = self.scan, self.scan.reference
        labels, names = scan.scan.phantom.labels, list(self.organs)
        found = region_suvs(image, labels, names, scan.voxel)
        known = region_suvs(reference, labels, names, scan.voxel)
        organs = suv_bias(found, known).mean
        lesions = []
        if self.suvs is not None:
            bias = suv_bias(self._lesion_suvs(image), self.suvs)
            for n, row in enumerate(self.diameters):
                lesions.append({
                    "diameter": self.diameters[row], "mean": float(bias.mean[n]),
                    "max": float(bias.maximum[n]), "peak": float(bias.peak[n]),
                })  # fmt: skip
        covs = [None, None]
        if self.liver is not None:
            covs = [coefficient_of_variation(x, self.liver) for x in (image, reference)]
        return Scores(
            psnr=psnr(image, reference, scan.body),
            ssim=ssim(image, reference, scan.body),
            nrmse=nrmse(image, reference, scan.body),
            organs={self.organs[k]: float(b) for k, b in zip(names, organs, strict=True)},
            lesions=lesions,
            liver_cov=covs[0],
            reference_cov=covs[1],
        )

    def _lesion_suvs(self, image: np.ndarray) -> Any:
        if not self.diameters:
            return None
        return region_suvs(image, self.lesions, list(self.diameters), self.scan.voxel)
