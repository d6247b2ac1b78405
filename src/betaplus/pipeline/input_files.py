"""The files that a request names, opened; and those that lie beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.tacs import TacTable
from betaplus.io.derivatives import source_stem
from betaplus.io.jsons import sidecar_path
from betaplus.io.labels import label_table, load_labels
from betaplus.io.open import load
from betaplus.io.voxels import load_mask
from betaplus.pipeline.run_request import ImageRequest

__all__ = [
    "labels_beside",
    "mask_files",
    "open_image",
    "open_input",
    "open_mask",
    "open_regions",
    "region_files",
    "with_sidecars",
]


def open_input(request: ImageRequest) -> PetImage | TacTable:
    """Open the image or the table of curves that a request names.

    Raises:
        InputError: If it cannot be used.
        UsageError: If an option contradicts it.
    """
    return load(
        request.source,
        unit=request.unit,
        radionuclide=request.radionuclide,
        decay_corrected_to=request.decay_corrected_to,
    )


def open_image(request: ImageRequest, expected: str, todo: str = "") -> PetImage:
    """Open the image that a request names.

    Args:
        request: What is asked.
        expected: What to say was expected where it holds curves.
        todo: What to say can be done about it.

    Raises:
        InputError: If it cannot be used.
        UsageError: If an option contradicts it.
    """
    image = open_input(request)
    if not isinstance(image, PetImage):
        raise InputError(f"{Path(request.source).name} holds curves", expected, todo)
    return image


def open_mask(request: ImageRequest, image: PetImage) -> np.ndarray | None:
    """Return the voxels that a request wants, shape (X, Y, Z) bool, or None.

    Raises:
        InputError: If the mask cannot be used.
    """
    return None if request.mask is None else load_mask(request.mask, image)


def open_regions(
    request: ImageRequest, image: PetImage
) -> tuple[np.ndarray | None, dict[int, str], dict[str, Path]]:
    """Return the region of each voxel or None, label to name, and role to file.

    Regions are those that the request names, or else those beside its image.

    Raises:
        InputError: If the label image cannot be used.
    """
    path = request.regions or labels_beside(request.source)
    if path is None:
        return None, {}, {}
    labels, names = load_labels(path, image)
    return labels, names, region_files(path)


def labels_beside(source: Path) -> Path | None:
    """Return the label image ``<src>_dseg.nii.gz`` beside an input, or None."""
    source = Path(source)
    for extension in (".nii.gz", ".nii"):
        beside = source.with_name(f"{source_stem(source)}_dseg{extension}")
        if beside.is_file():
            return beside
    return None


def region_files(labels: Path | None) -> dict[str, Path]:
    """Return role to file of a label image and of the names of its labels."""
    if labels is None:
        return {}
    table = label_table(labels)
    return {"regions": Path(labels)} | ({"region names": table} if table.exists() else {})


def mask_files(request: ImageRequest) -> dict[str, Path]:
    """Return role to file of the mask that a request names, if it names one."""
    return {} if request.mask is None else {"mask": Path(request.mask)}


def with_sidecars(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return role to file with the JSON beside each file, where there is one."""
    sidecars = {f"{role} sidecar": sidecar_path(path) for role, path in files.items()}
    return {**files, **{role: path for role, path in sidecars.items() if path.is_file()}}
