"""Label images: an integer per voxel, and the table that names them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.core.image import PetImage
from betaplus.core.limits import refuse_strangers
from betaplus.io.atomic import atomic_path
from betaplus.io.jsons import file_stem
from betaplus.io.nifti import open_nifti
from betaplus.io.tsv import read_table
from betaplus.io.voxels import check_grid

__all__ = ["label_table", "load_labels", "write_labels"]

_MOST = 5000
_LARGEST = 1 << 24  # to which float32 holds every whole number


def load_labels(path: str | Path, like: PetImage) -> tuple[np.ndarray, dict[int, str]]:
    """Return a label image on the grid of an image, and the name of every label in it but 0.

    Names come from the BIDS table (``index``, ``name``) beside it, where there is one.

    Args:
        path: The label image, for example ``sub-01_dseg.nii.gz``.
        like: The image whose grid it must have.

    Returns:
        Labels, shape (X, Y, Z) int32, and label to name in the order of the labels.

    Raises:
        InputError: If it holds anything but whole numbers, is on another grid, or its table is no
            table of labels.
    """
    path = Path(path)
    file = open_nifti(path)
    check_grid(file, like, "label image")
    values = file.read().reshape(like.shape[:3])
    distinct = np.unique(values)
    if not np.isfinite(distinct).all() or (distinct % 1 != 0).any() or distinct.min() < 0:
        raise InputError(f"{path.name} holds fractions, NaN or values below 0", "expected labels")
    if distinct.max() > _LARGEST:
        raise InputError(f"{path.name} holds {distinct.max():g}", f"expected labels to {_LARGEST}")
    found = [int(v) for v in distinct if v != 0]
    if not found:
        raise InputError(f"{path.name} is 0 everywhere", "expected labels above 0")
    if len(found) > _MOST:
        raise InputError(f"{path.name} holds {len(found)} labels", f"expected at most {_MOST}")
    table = label_table(path)
    if table.exists():
        refuse_strangers(table, path)
    named = _names(table) if table.exists() else {}
    names = {label: named.get(label, f"label {label}") for label in found}
    if len(set(names.values())) < len(names):
        raise InputError(f"two labels of {path.name} have one name in {table.name}")
    return values.astype(np.int32), names


def label_table(path: str | Path) -> Path:
    """Return where the names of a label image are: ``sub-01_dseg.tsv``."""
    return Path(path).with_name(file_stem(path) + ".tsv")


def _names(path: Path) -> dict[int, str]:
    columns = read_table(path)
    if "index" not in columns or "name" not in columns:
        raise InputError(f"no columns index and name in {path.name}", "expected a BIDS label table")
    try:
        indices = [int(text) for text in columns["index"]]
    except ValueError as error:
        raise InputError(f"an index in {path.name} is no whole number") from error
    return {i: name for i, name in zip(indices, columns["name"], strict=True) if name}


def write_labels(path: Path, labels: np.ndarray, affine: np.ndarray) -> None:
    """Write labels (X, Y, Z) as integers, with their voxel to world matrix [mm].

    Raises:
        OutputError: If the file cannot be written.
    """
    import nibabel

    image = nibabel.Nifti1Image(labels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm", "sec")
    with atomic_path(path) as temporary:
        nibabel.save(image, temporary)
