"""The data of the kinetics verb, loaded and checked before anything is written."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.input_function import InputCurve
from betaplus.core.tacs import TacTable
from betaplus.io.labels import load_labels
from betaplus.io.voxels import load_mask, voxel_curves
from betaplus.kinetics.blocks import DENSE_MAPS, check_memory
from betaplus.kinetics.curves import read_curves
from betaplus.kinetics.noise_option import weights_option
from betaplus.kinetics.reference_curve import reference_curve
from betaplus.pipeline.input_files import (
    labels_beside,
    mask_files,
    open_input,
    open_mask,
    region_files,
    with_sidecars,
)
from betaplus.pipeline.kinetics.blood import Blood, load_run_blood
from betaplus.pipeline.kinetics.request import KineticsRequest, Options
from betaplus.pipeline.kinetics.survey import Survey, survey_image
from betaplus.pipeline.unit_check import check_units, time_remarks

__all__ = ["Inputs", "load_inputs"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Inputs:
    """What the verb works on.

    Attributes:
        data: Image or curves.
        blood: Blood, or None with a reference region.
        curve: Input curve [Bq/mL], or the curve of the reference region.
        reference: Reference region as `betaplus.kinetics.fit` takes it: a name or a curve (T,).
        survey: For an image: its mask and region curves.
        files: Role to file, of everything the result depends on.
        remarks: What was found untidy besides the remarks of data and blood.
    """

    data: PetImage | TacTable
    blood: Blood | None
    curve: InputCurve
    reference: str | np.ndarray | None
    survey: Survey | None
    files: dict[str, Path]
    remarks: tuple[str, ...]

    @property
    def labelled(self) -> bool:
        """Whether regions come from labels, so that a table of them is an output."""
        return self.survey is not None and self.survey.labelled


def load_inputs(request: KineticsRequest, options: Options) -> Inputs:
    """Load the data and the blood or reference region, and check them against each other.

    Raises:
        InputError: If something in them cannot be used.
        UsageError: If an option contradicts them.
    """
    data = open_input(request)
    _refuse_suv(data.unit, Path(request.source))
    image = isinstance(data, PetImage)
    injection = data.injection if image else _injection(data)
    # A probe of one voxel meets every check of the header without reading the image.
    probe = data
    if image:
        ones = np.ones((1, 1, 1, *data.shape[3:]), dtype=np.float32)
        probe = dataclasses.replace(data, data=ones)
    curves = read_curves(probe)
    blood, reference = None, None
    if request.reference is None:
        blood = load_run_blood(request, data, curves, injection)
        curve = blood.curve
    else:
        reference = _reference(request, data)
        curve, _, _ = reference_curve(reference, data, curves)
    weights_option(options.weights, len(curves.frames), curves.frames.duration)
    if isinstance(options.noise, np.ndarray) and options.noise.size != len(curves.frames):
        raise InputError(
            f"{options.noise.size} SDs in {request.noise} for {len(curves.frames)} frames",
            "expected one per frame",
        )
    if not image and (request.mask or request.regions):
        option = "--mask" if request.mask else "--regions"
        raise InputError(f"{option} with a table of curves", "expected it with an image only")
    files = _files(request, blood.files if blood else ())
    survey = None
    if image:
        labels = request.regions or labels_beside(request.source)
        survey = _survey(request, options, data, labels)
        files |= region_files(labels)
    remarks = []
    if blood is not None:
        remarks += time_remarks(blood.samples, float(curves.frames.end[-1]))
        tissue = curves.values if survey is None else survey.curves * curves.factors
        remarks += check_units(
            tissue,
            curves.frames.mid,
            curve,
            (data.unit, blood.samples.unit),
            insisted=request.unit is not None and request.blood_unit is not None,
        )
    if survey is not None:
        remarks += survey.remarks
    return Inputs(
        data=data,
        blood=blood,
        curve=curve,
        reference=reference,
        survey=survey,
        files=files,
        remarks=tuple(remarks),
    )


def _survey(
    request: KineticsRequest, options: Options, image: PetImage, labels: Path | None
) -> Survey:
    """Survey the image, but first see that memory holds its maps, and then its voxels."""

    def check(voxels: int) -> None:
        check_memory(
            options.model.name,
            voxels,
            image.n_frames,
            math.prod(image.shape[:3]),
            options.max_memory,
            request.engine,
            samples=request.samples if request.save_draws else 0,
            dense=None if request.compare_models else DENSE_MAPS,  # which holds all its maps
        )

    check(1)
    return survey_image(image, open_mask(request, image), labels, check)


def _refuse_suv(unit: str, path: Path) -> None:
    if unit == "SUV":
        raise InputError(
            f"{path.name} is in SUV",
            "expected Bq/mL, kBq/mL or MBq/mL, in the image and in the blood",
            "convert it back with the injected activity and the body weight",
        )


def _injection(table: TacTable) -> float:
    return float(table.metadata.get("InjectionStart") or 0.0)


def _files(request: KineticsRequest, blood_files: tuple[Path, ...]) -> dict[str, Path]:
    blood = {f"blood {i}": path for i, path in enumerate(blood_files, start=1)}
    files = with_sidecars({"input": Path(request.source), **blood}) | mask_files(request)
    if request.reference is not None and _is_image(request.reference):
        files["reference"] = Path(request.reference)
    return files


def _is_image(text: str) -> bool:
    return text.lower().endswith((".nii", ".nii.gz"))


def _reference(request: KineticsRequest, data: PetImage | TacTable) -> str | np.ndarray:
    """The name of a region of a table; for an image the mean curve of a mask or of labels."""
    text = str(request.reference)
    if not isinstance(data, PetImage):
        if _is_image(text):
            raise InputError(f"--reference {text} with a table of curves", "expected a region")
        return text
    if _is_image(text):
        mask = load_mask(text, data)
    else:
        labels = request.regions or labels_beside(request.source)
        if labels is None:
            raise InputError(
                f"--reference {text} without a label image",
                "expected a mask (.nii.gz), or --regions with that name",
            )
        region, names = load_labels(labels, data)
        wanted = [text] if text in names.values() else [part.strip() for part in text.split("+")]
        missing = [part for part in wanted if part not in names.values()]
        if missing:
            listed = ", ".join(list(names.values())[:12])
            raise InputError(
                f"region {missing[0]!r} is not in {labels.name}", f"expected one of {listed}"
            )
        mask = np.isin(region, [index for index, name in names.items() if name in wanted])
    return voxel_curves(data, mask).mean(axis=0, dtype=np.float64)
