"""Maps of Ki from a dynamic body scan with a tenth of the counts, with and without a prior."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from betaplus.core.progress import Progress

__all__ = ["DOSE", "FromDynamic", "from_dynamic"]

DOSE = 0.1
"""Fraction of the counts."""

_PERSON = 965_000  # of the anatomies that nothing is trained on
_SHAPE = (88, 64, 48)
_START = 1200.0  # s: t*
_WIDTHS = np.geomspace(4.0, 16.0, 9)  # mm


@dataclass(frozen=True, eq=False, kw_only=True)
class FromDynamic:
    """Maps of Ki of one scan.

    Attributes:
        Ki: ``least squares``, ``Gaussian`` (of the best width), ``tv``, ``hqs``, ``no noise``;
            (X, Y, Z) [mL/cm3/min].
        nrmse: Of the first four in the body, against the last [%].
        voxel: Edge [mm].
        seconds: Of ``hqs``.
    """

    Ki: dict[str, np.ndarray]
    nrmse: dict[str, float]
    voxel: float
    seconds: float


def from_dynamic(seed: int, progress: Progress) -> FromDynamic:
    """Simulate a dynamic scan of a trunk at a low dose and map Ki.

    Args:
        seed: Chooses the person and the noise.
        progress: What to report to.
    """
    from scipy.ndimage import gaussian_filter

    from betaplus.core.image import PetImage
    from betaplus.patlak import fit
    from betaplus.simulation.dataset import pet_fields
    from betaplus.simulation.dynamic_study import draw_patlak_study
    from betaplus.simulation.dynamic_study.kinetics import FDG_ORGANS
    from betaplus.simulation.fields import sigma_of_fwhm

    progress.note("a dynamic scan with a tenth of the counts")
    study = draw_patlak_study("body", _PERSON + seed % 1000, shape=_SHAPE)
    image = PetImage(
        data=study.frames(DOSE) * np.float32(study.per_suv), affine=study.affine, unit="Bq/mL",
        frames=study.protocol.timing(0), tracer=FDG_ORGANS.tracer, decay_corrected_to=0.0,
        metadata={
            **pet_fields(FDG_ORGANS),
            "BodyWeight": study.person.weight,
            "InjectedRadioactivity": study.person.dose,
        },
    )  # fmt: skip
    maps: dict[str, np.ndarray] = {}
    seconds = 0.0
    for name, method in (("least squares", "wls"), ("tv", "tv"), ("hqs", "hqs")):
        began = time.perf_counter()
        maps[name] = fit(
            image, study.blood, method=method, t_star=_START, mask=study.body,
            anatomy="body" if method == "hqs" else "auto",
            bed_times="once", seed=seed, progress=progress,
        ).Ki  # fmt: skip
        seconds = time.perf_counter() - began
    clean = np.where(study.body, study.noise_free[0], 0.0)
    sigmas = [sigma_of_fwhm(float(width)) / study.voxel[0] for width in _WIDTHS]
    smooth = [gaussian_filter(maps["least squares"], s) * study.body for s in sigmas]
    best = min(smooth, key=lambda image: _nrmse(image, clean, study.body))
    shown = {
        "least squares": maps["least squares"], "Gaussian": best, "tv": maps["tv"],
        "hqs": maps["hqs"], "no noise": clean,
    }  # fmt: skip
    return FromDynamic(
        Ki=shown,
        nrmse={
            name: _nrmse(found, clean, study.body)
            for name, found in shown.items()
            if name != "no noise"
        },
        voxel=study.voxel[0],
        seconds=seconds,
    )


def _nrmse(found: np.ndarray, clean: np.ndarray, body: np.ndarray) -> float:
    """Return the root mean square error over that of the truth [%]."""
    error = np.mean((found - clean)[body] ** 2, dtype=np.float64)
    return 100.0 * float(np.sqrt(error / np.mean(clean[body] ** 2, dtype=np.float64)))
