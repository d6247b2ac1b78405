"""The files of the separate verb, opened and checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.image import PetImage
from betaplus.core.input_function import InputFunction
from betaplus.io.blood import load_blood
from betaplus.pipeline.blood import declared
from betaplus.pipeline.input_files import (
    mask_files,
    open_image,
    open_mask,
    open_regions,
    with_sidecars,
)
from betaplus.pipeline.separation.request import Options, SeparateRequest
from betaplus.separation.study_input import check_image, mixing_of, own_blood

__all__ = ["Inputs", "load_inputs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on.

    Attributes:
        image: The dynamic image.
        blood: Samples of each tracer, or None.
        mask: Voxels wanted, shape (X, Y, Z), or None.
        labels: Region of each voxel, shape (X, Y, Z), or None.
        names: Label to name.
        files: Role to file, of all that a result depends on.
    """

    image: PetImage
    blood: tuple[InputFunction | None, InputFunction | None]
    mask: np.ndarray | None
    labels: np.ndarray | None
    names: dict[int, str]
    files: dict[str, Path]


def load_inputs(request: SeparateRequest, options: Options) -> Inputs:
    """Open the files.

    Raises:
        InputError: If the image, the blood, the mask or the labels cannot be used.
        UsageError: If an option contradicts them.
    """
    image = open_image(request, "expected a dynamic image")
    check_image(image)
    mixing = mixing_of(image, options.tracers, options.delay)
    files = {"input": Path(request.source)}
    blood: list[InputFunction | None] = []
    given = ((request.blood_a, request.plasma_a), (request.blood_b, request.plasma_b))
    for i, (tracer, (items, plasma)) in enumerate(zip(options.tracers, given, strict=True)):
        samples = None
        if items:
            paths = [Path(item) for item in items]
            samples = declared(load_blood(paths, unit=request.blood_unit), plasma)
            own_blood(samples, tracer, float(mixing.own_frames(i).end[-1]))
            for n, path in enumerate(paths, start=1):
                files[f"blood {'ab'[i]} {n}"] = path
        blood.append(samples)
    mask = open_mask(request, image)
    labels, names, regions = open_regions(request, image)
    return Inputs(
        image=image,
        blood=(blood[0], blood[1]),
        mask=mask,
        labels=labels,
        names=names,
        files={**with_sidecars(files), **mask_files(request), **regions},
    )
