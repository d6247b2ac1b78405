"""A whole body with a twentieth of the counts, denoised."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.progress import Progress

__all__ = ["DOSE", "Denoised", "from_denoiser"]

DOSE = 0.05
"""Fraction of the counts."""

_PERSON = 960_000  # of the anatomies that nothing is trained on
_VOXEL = 3.0  # mm
_BODY = 1e-3  # 1/mm: what attenuates is body
_WIDTHS = np.geomspace(2.0, 16.0, 13)  # mm


@dataclass(frozen=True, eq=False, kw_only=True)
class Denoised:
    """A body before and after.

    Attributes:
        volumes: ``few counts``, ``Gaussian`` (of the best width), ``mmse``, ``no noise``;
            (X, Y, Z) [SUV].
        rmse: Of the first three in the body, against the last.
        voxel: Edge [mm].
        findings: What the guard against invention flagged.
        seconds: Of ``mmse``, guard and all.
    """

    volumes: dict[str, np.ndarray]
    rmse: dict[str, float]
    voxel: float
    findings: int
    seconds: float


def from_denoiser(seed: int, progress: Progress) -> Denoised:
    """Simulate a body at a low dose and denoise it with the network that ships.

    Args:
        seed: Chooses the person and the noise.
        progress: What to report to.
    """
    from betaplus.core.image import PetImage
    from betaplus.denoising import denoise
    from betaplus.denoising.gaussian import GaussianSettings, gaussian
    from betaplus.simulation.static import draw_static, make_anatomy
    from betaplus.simulation.surrogate.styles import QUADRA
    from betaplus.simulation.surrogate.surrogate import Surrogate

    progress.note("a body with a twentieth of the counts")
    phantom = make_anatomy("body", _PERSON + seed % 1000, voxel=_VOXEL)
    scan = draw_static(phantom, "FDG", seed)
    surrogate = Surrogate(scan.activity, scan.mu, phantom.voxel_size, QUADRA)
    clean, noisy = surrogate.mean_image(), surrogate.image(DOSE, seed=seed)
    image = PetImage(
        data=noisy, affine=phantom.affine, unit="SUV",
        metadata={"TracerName": "FDG", "SUVType": "SUVbw"},
    )  # fmt: skip
    began = time.perf_counter()
    found = denoise(image, seed=seed, bf16=True)
    seconds = time.perf_counter() - began
    body = scan.mu > _BODY
    filtered = {
        float(width): gaussian(noisy, 0.0, phantom.voxel_size, GaussianSettings(fwhm=float(width)))
        for width in _WIDTHS
    }
    best = min(filtered, key=lambda width: _rmse(filtered[width], clean, body))
    volumes = {
        "few counts": noisy,
        "Gaussian": filtered[best],
        "mmse": np.asarray(found.image.data),
        "no noise": clean,
    }
    return Denoised(
        volumes=volumes,
        rmse={n: _rmse(v, clean, body) for n, v in volumes.items() if n != "no noise"},
        voxel=_VOXEL,
        findings=_findings(found.guard),
        seconds=seconds,
    )


def _findings(guard: Any) -> int:
    return sum(len(frame["findings"]) for frame in guard if frame)


def _rmse(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image - reference)[mask] ** 2)))
