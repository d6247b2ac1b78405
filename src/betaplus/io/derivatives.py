"""Names, maps and sidecars of PET-BIDS derivatives (draft BEP023)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import OutputError, UsageError
from betaplus.core.image import PetImage
from betaplus.io.atomic import atomic_path
from betaplus.io.blood import write_blood
from betaplus.io.image_fields import image_fields, map_fields
from betaplus.io.jsons import file_stem, read_json, sidecar_path, write_json
from betaplus.io.nifti import LazyNifti
from betaplus.io.tacs import write_tacs
from betaplus.io.tsv import write_table
from betaplus.io.zarr_images import LazyZarr

__all__ = [
    "bids_label",
    "bids_name",
    "source_stem",
    "write_blood",
    "write_dataset_description",
    "write_image",
    "write_json",
    "write_map",
    "write_table",
    "write_tacs",
]

_IGNORED = (
    "*_mimap.*",
    "*_kinpar.tsv",
    "*_kinpar.json",
    "*_mu.*",
    "*_lesions.*",
    "*_uptake.*",
    "*_regions.tsv",
    "*_regions.json",
    "*_chi2.tsv",
    "*_chi2.json",
    "evaluation*.tsv",
    "evaluation*.json",
    "*_report.html",
    "*_run.json",
    "*.zarr",
    "*.dcm",
    "*_dicom/",
)


def source_stem(path: str | Path) -> str:
    """Return a file's name up to its suffix: ``sub-01_pet.nii.gz`` -> ``sub-01``."""
    stem = file_stem(path)
    head, _, last = stem.rpartition("_")
    return head if head and "-" not in last else stem


def bids_label(text: str) -> str:
    """Return text as a BIDS label, which holds letters and digits only: ``map-em`` -> ``mapem``.

    Raises:
        UsageError: If nothing is left.
    """
    label = re.sub(r"[^0-9A-Za-z]", "", text)
    if not label:
        raise UsageError(f"{text!r} cannot be part of a file name", "expected letters or digits")
    return label


def bids_name(src: str, entities: Mapping[str, str], suffix: str, extension: str) -> str:
    """Return ``<src>_<key>-<label>..._<suffix><extension>``.

    Args:
        src: What `source_stem` returned; an entity it holds already is replaced where it stands.
        entities: Key and label of each entity, in order.
        suffix: For example ``mimap``.
        extension: For example ``.nii.gz``.

    Raises:
        UsageError: If a label holds anything but letters and digits.
    """
    parts = src.split("_") if src else []
    for key, label in entities.items():
        if not re.fullmatch(r"[0-9A-Za-z]+", label):
            raise UsageError(
                f"{key}-{label} cannot be part of a file name", "expected letters and digits only"
            )
        held = [i for i, part in enumerate(parts) if part.startswith(f"{key}-")]
        entity = f"{key}-{label}"
        if held:
            parts[held[0]] = entity
            parts = [part for i, part in enumerate(parts) if i not in held[1:]]
        else:
            parts.append(entity)
    return "_".join([*parts, suffix]) + extension


def write_map(
    path: str | Path, array: np.ndarray, like: PetImage, sidecar: Mapping[str, Any]
) -> None:
    """Write a map on the grid of an image: float32 NIfTI and its JSON.

    Args:
        path: The ``.nii.gz`` or ``.nii`` to write.
        array: Values, shape (X, Y, Z).
        like: The source image; its affine and sidecar are carried over, its frame times are not.
        sidecar: Fields that change, ``Units`` and the ``betaplus`` object among them; None
            removes one.

    Raises:
        OutputError: If a file cannot be written.
        ValueError: If the array is not on the grid of the image.
    """
    array = np.asarray(array)
    if array.shape != like.shape[:3]:
        raise ValueError(f"map of shape {array.shape} for an image of shape {like.shape}")
    _write_nifti(Path(path), array, like, map_fields(like, sidecar))


def write_image(
    path: str | Path, image: PetImage, sidecar: Mapping[str, Any] | None = None
) -> None:
    """Write an image with its PET-BIDS sidecar; `load` reads voxels and frame times bit-equal.

    Args:
        path: The ``.nii.gz`` or ``.nii`` to write.
        image: The image; its own attributes overrule its metadata.
        sidecar: More fields that change; None removes one.

    Raises:
        OutputError: If a file cannot be written.
    """
    fields = image_fields(image, sidecar)
    _write_nifti(Path(path), np.asarray(image.data), image, fields)


def write_dataset_description(
    folder: str | Path, name: str, dataset_type: str = "derivative"
) -> None:
    """Write ``dataset_description.json`` and ``.bidsignore``, or add betaplus to those there.

    Raises:
        OutputError: If a file cannot be written or the one there is no dataset description.
    """
    from betaplus import __version__

    folder = Path(folder)
    path = folder / "dataset_description.json"
    entry = {"Name": "betaplus", "Version": __version__}
    fields: dict[str, Any] = {
        "Name": name,
        "BIDSVersion": "1.10.0",
        "DatasetType": dataset_type,
        "GeneratedBy": [entry],
    }
    if path.exists():
        try:
            held = read_json(path)
        except Exception as error:
            raise OutputError(
                f"{path} cannot be read", "expected a BIDS dataset description", "choose another -o"
            ) from error
        made_by = held.get("GeneratedBy")
        others = [
            item
            for item in (made_by if isinstance(made_by, list) else [])
            if not (isinstance(item, Mapping) and item.get("Name") == "betaplus")
        ]
        fields = {**fields, **held, "GeneratedBy": [*others, entry]}
    write_json(path, fields)
    ignore = folder / ".bidsignore"
    lines = ignore.read_text(encoding="utf-8").splitlines() if ignore.exists() else []
    lines += [pattern for pattern in _IGNORED if pattern not in lines]
    with atomic_path(ignore) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_nifti(path: Path, array: np.ndarray, like: PetImage, fields: Mapping[str, Any]) -> None:
    import nibabel

    code = like.data.header.space_code if isinstance(like.data, LazyNifti | LazyZarr) else 1
    affine = np.asarray(like.affine, dtype=np.float64)
    nifti = nibabel.Nifti1Image(np.asarray(array, dtype=np.float32), affine)
    nifti.set_sform(affine, code=code)
    nifti.set_qform(affine, code=code)
    nifti.header.set_xyzt_units("mm", "sec")
    with atomic_path(path) as temporary:
        nibabel.save(nifti, temporary)
        write_json(sidecar_path(path), fields)
