"""The files of the denoise verb, opened and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from betaplus.core.image import PetImage
from betaplus.denoising.frames import FrameDenoiser
from betaplus.denoising.ranks import Ranks
from betaplus.denoising.region_model import CALIBRATION
from betaplus.pipeline.denoise.regions import Regions
from betaplus.pipeline.denoise.request import DenoiseRequest, Options
from betaplus.pipeline.input_files import (
    mask_files,
    open_image,
    open_mask,
    region_files,
    with_sidecars,
)

__all__ = ["Inputs", "load_inputs"]


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
    image = open_image(request, "expected an image")
    mask = open_mask(request, image)
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
    files = {**with_sidecars({"input": Path(request.source)}), **mask_files(request)}
    regions = None
    if request.regions is not None:
        path = Path(request.regions)
        regions = Regions.load(path, image, mask, request.method, frames.denoiser)
        files |= region_files(path)
        if regions.model is not None and frames.denoiser is not None:
            files["calibration of regions"] = frames.denoiser.bundle.path / CALIBRATION
    frames.check()
    return Inputs(image=image, frames=frames, regions=regions, files=files)
