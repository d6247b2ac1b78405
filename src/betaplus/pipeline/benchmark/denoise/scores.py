"""How far a denoised image is from the reference: errors, organs, lesions, liver noise.

A lesion is the voxels of which it fills half or more. Organs are judged that are over 10 mL and
take up over .3 of what the liver does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.published import body_scores, published_scores
from betaplus.evaluation.images.regions import region_means
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
        published_psnr: As the published script has it [dB].
        published_ssim: Likewise.
        organs: Organ to bias of SUVmean [%].
        organ_tops: Organ to bias of SUVmax [%].
        lesions: Of each lesion ``diameter`` [mm], ``contrast``, ``site``, and the bias of ``mean``,
            ``max`` and ``peak`` [%].
        liver_cov: Coefficient of variation in the liver; None without one.
        reference_cov: The same of the reference.
    """

    psnr: float
    ssim: float
    nrmse: float
    published_psnr: float
    published_ssim: float
    organs: dict[str, float]
    organ_tops: dict[str, float]
    lesions: list[dict[str, Any]]
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
        self._known = self._organ_suvs(reference)
        self.lesions = np.zeros(phantom.labels.shape, np.int32)
        self.about: dict[int, dict[str, Any]] = {}
        for n, lesion in enumerate(scan.scan.lesions, 1):
            held = lesion.share + lesion.dead
            inner = held >= min(0.5, float(held.max()))
            self.lesions.ravel()[lesion.voxels[inner]] = n
            self.about[n] = {
                "diameter": float(lesion.diameter), "contrast": float(lesion.contrast),
                "site": lesion.site,
            }  # fmt: skip
        self.liver = None
        if liver is not None:
            try:
                self.liver = deepest_sphere(phantom.labels == liver, scan.voxel)
            except InputError:
                self.liver = None  # a liver that is too small for the sphere
        self.suvs = self._lesion_suvs(reference)

    def score(self, image: np.ndarray) -> Scores:
        """Return the figures of an image, shape (X, Y, Z) [SUV]."""
        scan, reference = self.scan, self.scan.reference
        found = zip(self._organ_suvs(image), self._known, strict=True)
        organs, tops = (100.0 * (x / known - 1.0) for x, known in found)
        lesions = []
        if self.suvs is not None:
            bias = suv_bias(self._lesion_suvs(image), self.suvs)
            lesions = [
                {**about, "mean": float(bias.mean[n]), "max": float(bias.maximum[n]),
                 "peak": float(bias.peak[n])}
                for n, about in enumerate(self.about.values())
            ]  # fmt: skip
        covs = [None, None]
        if self.liver is not None:
            covs = [coefficient_of_variation(x, self.liver) for x in (image, reference)]
        body = body_scores(image, reference, scan.body)
        published = published_scores(image, reference)
        return Scores(
            psnr=body.psnr,
            ssim=body.ssim,
            nrmse=body.nrmse,
            published_psnr=published.psnr,
            published_ssim=published.ssim,
            organs=dict(zip(self.organs.values(), organs.tolist(), strict=True)),
            organ_tops=dict(zip(self.organs.values(), tops.tolist(), strict=True)),
            lesions=lesions,
            liver_cov=covs[0],
            reference_cov=covs[1],
        )

    def _organ_suvs(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return SUVmean and SUVmax of the organs."""
        from scipy.ndimage import maximum

        labels, wanted = self.scan.scan.phantom.labels, list(self.organs)
        held = np.isin(labels, wanted)  # air is most of an image, and would be sorted too
        tops = np.asarray(maximum(image[held], labels[held], wanted), np.float64)
        return region_means(image, labels, wanted).mean, tops

    def _lesion_suvs(self, image: np.ndarray) -> Any:
        if not self.about:
            return None
        return region_suvs(image, self.lesions, list(self.about), self.scan.voxel)
