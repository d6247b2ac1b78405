"""`betaplus.denoising.denoise`: an image to its mean without noise, and draws' SD."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.progress import Progress
from betaplus.core.views import view_of
from betaplus.denoising.frames import FrameDenoiser

__all__ = ["DenoiseResult", "denoise"]


@dataclass(frozen=True, eq=False, kw_only=True)
class DenoiseResult:
    """A denoised image.

    Attributes:
        image: Its mean, in the unit of the input.
        std: SD of draws, likewise; None where there are fewer than two.
        noise: Of each frame: SD where the uptake is 1 SUV, see `NoiseLevel`; None for a frame
            of zeros.
        guard: Of each frame, what the guard against invention found.
        settings: Method, its settings, dose fraction, seed, weights.
        remarks: What was taken for granted, and what lies outside the training.
    """

    image: PetImage
    std: PetImage | None
    noise: tuple[dict[str, float] | None, ...]
    guard: tuple[dict[str, Any] | None, ...]
    settings: dict[str, Any]
    remarks: tuple[str, ...]

    def _repr_html_(self) -> str:
        return str(view_of("facts")(self))


def denoise(
    image: PetImage,
    *,
    method: str = "mmse",
    dose_fraction: float | None = None,
    bundle: str | Path | None = None,
    samples: int | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    device: str = "auto",
    bf16: bool = False,
    mask: np.ndarray | None = None,
    dose: float | None = None,
    weight: float | None = None,
    engine: str = "threads",
    workers: int | None = None,
    max_memory: int | None = None,
    progress: Progress | None = None,
) -> DenoiseResult:
    """Denoise an image, frame by frame.

    Args:
        image: Shape (X, Y, Z) or (X, Y, Z, T), in Bq/mL, kBq/mL, MBq/mL or SUV; any voxel size up
            to 8 mm.
        method: ``mmse``, ``consistency``, ``ddim``, ``ddpm``, ``gaussian`` or ``nlm``.
        dose_fraction: Counts as a fraction of those of a usual scan, above 0 and at most 1; where
            it is None the noise of the image says enough.
        bundle: Folder of the network, or None for the one that is shipped.
        samples: Draws of ``consistency``, ``ddim`` and ``ddpm``; what is returned is their mean
            and their SD.
        seed: Of draws.
        settings: Fields of the method's settings.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        bf16: Whether the network computes in bfloat16, which is faster where the machine has it.
        mask: Voxels to denoise, shape (X, Y, Z); outside it the output is 0. All if None.
        dose: Activity administered [Bq], where the sidecar does not say.
        weight: Of the body [kg], likewise.
        engine: One of `betaplus.engine.ENGINES`.
        workers: Pieces of a frame at work at a time; the cores available if None.
        max_memory: Bound on memory [bytes], without the image and the result.
        progress: What to report to.

    Raises:
        InputError: If the image or the bundle cannot be used; where no SUV is possible it says
            what is missing.
        UsageError: If an option is unknown or does not fit the method.
    """
    frames = FrameDenoiser(
        image,
        method=method,
        settings=settings,
        samples=samples,
        dose_fraction=dose_fraction,
        bundle=None if bundle is None else Path(bundle),
        seed=seed,
        device=device,
        bf16=bf16,
        mask=mask,
        dose=dose,
        weight=weight,
        engine=engine,
        workers=workers,
        max_memory=max_memory,
    )
    frames.check()
    mean = np.empty(image.shape, np.float32)
    std: np.ndarray | None = None
    remarks, noise, guard = list(frames.remarks), [], []
    with contextlib.closing(frames.frames(progress=progress)) as each:
        for t, _, found in each:
            at = (..., t) if mean.ndim == 4 else (...,)
            mean[at] = found.mean
            if found.std is not None:
                std = np.zeros_like(mean) if std is None else std
                std[at] = found.std
            remarks += frames.said(found.about, f"frame {t + 1}" if mean.ndim == 4 else "")
            noise.append(found.about["noise"])
            guard.append(found.about["guard"])
    remarks = list(dict.fromkeys([*image.remarks, *remarks]))
    denoised = replace(image, data=mean, remarks=tuple(remarks))
    return DenoiseResult(
        image=denoised,
        std=None if std is None else replace(denoised, data=std),
        noise=tuple(noise),
        guard=tuple(guard),
        settings=frames.record(),
        remarks=tuple(remarks),
    )
