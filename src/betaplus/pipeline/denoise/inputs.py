"""The files of the denoise verb, opened and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.denoising.frames import FrameDenoiser
from betaplus.denoising.ranks import Ranks
from betaplus.denoising.region_model import CALIBRATION
from betaplus.io.jsons import sidecar_path
from betaplus.io.labels import label_table
from betaplus.io.nifti import open_nifti
from betaplus.io.open import load
from betaplus.pipeline.denoise.regions import Regions
from betaplus.pipeline.denoise.request import DenoiseRequest, Options

__all__ = ["Inputs", "load_inputs"]

_TOLERANCE = 1e-3  # of an affine [mm]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on.

    Attributes:
        image: As it was opened.
        frames: The method, ready for it.
        regions: Whose means are wanted, or None.
        files: Role to file, of all that a result depends on.
    """

    image: PetImage
    frames: FrameDenoiser
    regions: Regions | None
    files: dict[str, Path]


def load_inputs(request: DenoiseRequest, options: Options, ranks: Ranks | None = None) -> Inputs:
    """Open the files and read all voxels once.

    Args:
        request: What is asked.
        options: The same, read.
        ranks: Processes that share the work.

    Raises:
        InputError: If the image, the mask, the regions or the bundle cannot be used.
        UsageError: If an option does not fit the method or the sidecar.
    """
    source = Path(request.source)
    image = load(
        source,
        unit=request.unit,
        radionuclide=request.radionuclide,
        decay_corrected_to=request.decay_corrected_to,
    )
    if not isinstance(image, PetImage):
        raise InputError(f"{source.name} holds curves", "expected an image")
    files = {"source": source}
    if source.is_file() and sidecar_path(source).is_file():
        files["sidecar"] = sidecar_path(source)
    mask = None
    if request.mask is not None:
        mask = _mask(Path(request.mask), image)
        files["mask"] = Path(request.mask)
    frames = FrameDenoiser(
        image,
        method=request.method,
        settings=options.settings,
        samples=request.samples,
        dose_fraction=request.dose_fraction,
        bundle=request.bundle,
        seed=request.seed,
        device=request.device,
        bf16=request.bf16,
        mask=mask,
        dose=request.dose,
        weight=request.weight,
        engine=request.engine,
        workers=request.workers,
        max_memory=options.max_memory,
        ranks=ranks,
    )
    regions = None
    if request.regions is not None:
        path = Path(request.regions)
        regions = Regions.load(path, image, mask, request.method, frames.denoiser)
        files["regions"] = path
        if label_table(path).exists():
            files["names of regions"] = label_table(path)
        if regions.model is not None and frames.denoiser is not None:
            files["calibration of regions"] = frames.denoiser.bundle.path / CALIBRATION
    frames.check()
    return Inputs(image=image, frames=frames, regions=regions, files=files)


def _mask(path: Path, image: PetImage) -> np.ndarray:
    file = open_nifti(path)
    if file.shape != image.shape[:3]:
        raise InputError(
            f"mask {path.name} has shape {file.shape}",
            f"expected {image.shape[:3]} as the image has",
            "resample it to the image",
        )
    if np.abs(file.header.affine - image.affine).max() > _TOLERANCE:
        raise InputError(
            f"mask {path.name} lies elsewhere than the image", "expected the same affine"
        )
    values = file.read()
    if not np.isfinite(values).all():
        raise InputError(f"mask {path.name} holds values that are not numbers")
    if not values.any():
        raise InputError(f"mask {path.name} is 0 everywhere", "expected voxels to denoise")
    return np.asarray(values != 0)
