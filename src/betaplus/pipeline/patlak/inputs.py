"""The files of the patlak verb, opened and checked before anything is computed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.bed_times import BedTimes
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve, InputFunction
from betaplus.core.plasma import check_plasma
from betaplus.patlak.options import bed_times_option
from betaplus.patlak.study_input import check_image
from betaplus.pipeline.blood import BloodChoice, declared, load_samples
from betaplus.pipeline.input_files import (
    mask_files,
    open_image,
    open_mask,
    open_regions,
    with_sidecars,
)
from betaplus.pipeline.patlak.request import PatlakRequest

__all__ = ["Inputs", "load_inputs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on.

    Attributes:
        image: The dynamic image.
        blood: Samples, or their curve.
        samples: Samples, to show.
        mask: Voxels wanted, shape (X, Y, Z), or None.
        labels: Region of each voxel, shape (X, Y, Z), or None.
        names: Label to name.
        bed_times: When slices were seen, where an option says so.
        files: Role to file, of all that a result depends on.
        remarks: What was done to the blood.
    """

    image: PetImage
    blood: InputFunction | InputCurve
    samples: InputFunction
    mask: np.ndarray | None
    labels: np.ndarray | None
    names: dict[int, str]
    bed_times: BedTimes | None
    files: dict[str, Path]
    remarks: tuple[str, ...]


def load_inputs(request: PatlakRequest) -> Inputs:
    """Open the files.

    Raises:
        InputError: If the image, the blood, the mask, the labels or the bed times cannot be used.
        UsageError: If an option contradicts them.
    """
    image = open_image(
        request,
        "expected a dynamic image",
        "for curves there is betaplus kinetics --method patlak",
    )
    check_image(image)
    assert image.tracer is not None
    samples, blood_files, remarks = _blood(request, image)
    check_plasma(samples, image.tracer)
    blood = {f"blood {i}": path for i, path in enumerate(blood_files, start=1)}
    files = with_sidecars({"input": Path(request.source), **blood})
    times = bed_times_option(request.bed_times, image)
    if request.bed_times not in (None, "once"):
        files["bed times"] = Path(request.bed_times)
    mask = open_mask(request, image)
    labels, names, regions = open_regions(request, image)
    return Inputs(
        image=image,
        blood=samples,
        samples=samples,
        mask=mask,
        labels=labels,
        names=names,
        bed_times=times,
        files={**files, **mask_files(request), **regions},
        remarks=remarks,
    )


def _blood(
    request: PatlakRequest, image: PetImage
) -> tuple[InputFunction, tuple[Path, ...], tuple[str, ...]]:
    items = tuple(str(item) for item in request.blood)
    choice = BloodChoice(
        items=items, unit=request.blood_unit, activity=request.dose, weight=request.weight
    )
    # Of the relative plot's input the beginning may be missing: no zero belongs before it.
    late = request.relative and not items[0].startswith(("idif:", "population:"))
    injection = np.inf if late else image.injection
    samples, files = load_samples(choice, image, Path(request.source), injection)
    samples = declared(samples, request.plasma)
    remarks: tuple[str, ...] = ()
    if late:
        series = samples.whole_blood if samples.plasma_kind == "whole-blood" else samples.plasma
        known = samples.time if series is None else samples.time[np.isfinite(series)]
        begin = max(float(known[0]), image.injection)
        samples = dataclasses.replace(samples, injection=begin)
        if begin > image.injection:
            remarks = (f"the blood begins at {begin:g} s",)
    return samples, files, remarks
