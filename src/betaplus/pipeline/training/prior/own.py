"""A user's own images as volumes to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from betaplus.core.errors import InputError
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["find_images", "import_images", "in_voxels", "read_volume"]

_SUBJECT = re.compile(r"sub-([a-zA-Z0-9]+)")
_SIGMA_OVER_STEP = 0.5  # of the smoothing before voxels are thinned out, by their new edge


def find_images(folder: Path) -> list[Path]:
    """Return the NIfTI images under a folder, by path in order.

    Raises:
        InputError: If there are none.
    """
    found = [*folder.rglob("*.nii"), *folder.rglob("*.nii.gz")]
    if not found:
        raise InputError(f"no images in {folder}", "expected .nii or .nii.gz files")
    return sorted(found)


def import_images(
    folder: Path, data: Path, plan: PriorPlan, unit: str | None = None
) -> Iterator[int]:
    """Write the volumes of a user's images; yields how many images are done.

    Images of one subject (``sub-<label>`` in the path, else the file) stay together; frames of a
    dynamic image become volumes of their own.

    Args:
        folder: Where volumes are kept.
        data: The user's folder.
        plan: The prior.
        unit: Of the images whose sidecar does not say.

    Raises:
        InputError: If an image cannot be used.
    """
    from betaplus.generative.atomic import beside

    folder.mkdir(parents=True, exist_ok=True)
    paths = find_images(data)
    for number, path in enumerate(paths):
        relative = str(path.relative_to(data))
        match = _SUBJECT.search(relative)
        name = match[1] if match else re.sub("[^a-zA-Z0-9]", "", relative)
        for frame, volume in enumerate(read_volume(path, plan, unit)):
            target = folder / f"own{name}_{number:04d}{frame:03d}.npy"
            with beside(target) as temporary, temporary.open("wb") as handle:
                np.save(handle, volume.astype(np.float16))
        yield number + 1


def read_volume(path: Path, plan: PriorPlan, unit: str | None = None) -> Iterator[np.ndarray]:
    """Yield the volumes of an image in the plan's unit and voxels, RAS, float32.

    Args:
        path: NIfTI file.
        plan: The prior.
        unit: Of the image, where its sidecar does not say; not needed where the prior's is uptake.

    Raises:
        InputError: If it cannot be read, holds no number or nothing above 0, or, for a prior in
            SUV, does not say how its values become SUV.
    """
    from betaplus.generative.image_prior import uptake_level
    from betaplus.io.images import load_image
    from betaplus.io.nifti import open_nifti

    data: Any
    if plan.unit == "SUV":
        image = load_image(path, unit=unit)
        if image.unit != "SUV":
            raise InputError(
                f"{path.name} is in {image.unit}", "expected SUV for this prior", "convert it"
            )
        data, affine = image.data, image.affine
    else:
        opened = open_nifti(path)
        data, affine = opened, opened.header.affine
    for frame in range(data.shape[3] if len(data.shape) == 4 else 1):
        values = np.asarray(data[..., frame] if len(data.shape) == 4 else data[...], np.float32)
        if not np.isfinite(values).all():
            raise InputError(f"{path.name} holds NaN or infinity", "expected numbers")
        volume = in_voxels(values, affine, plan.voxel)
        if not volume.max() > 0.0:
            raise InputError(f"{path.name} holds nothing above 0", "expected an image with uptake")
        if min(volume.shape) < plan.slab:
            raise InputError(
                f"{path.name} has {min(volume.shape)} slices of {plan.voxel:g} mm",
                f"expected {plan.slab} or more, which this prior cleans together",
            )
        yield volume / uptake_level(volume) if plan.unit == "uptake" else volume


def in_voxels(values: np.ndarray, affine: np.ndarray, voxel: float) -> np.ndarray:
    """Return an image in cubes of one edge along RAS axes, smoothed first where it is finer.

    Args:
        values: Shape (X, Y, Z).
        affine: Voxel to world matrix [mm].
        voxel: Edge of the cubes [mm].
    """
    import nibabel
    from nibabel.processing import resample_to_output
    from scipy.ndimage import gaussian_filter

    canonical = nibabel.as_closest_canonical(nibabel.Nifti1Image(values, affine))
    edges = np.asarray(canonical.header.get_zooms()[:3], dtype=np.float64)
    sigma = _SIGMA_OVER_STEP * np.sqrt(np.maximum(voxel**2 - edges**2, 0.0)) / edges
    smooth = gaussian_filter(np.asarray(canonical.dataobj, np.float32), sigma, mode="nearest")
    made = nibabel.Nifti1Image(smooth, canonical.affine)
    return np.asarray(resample_to_output(made, [voxel] * 3, order=1).dataobj, dtype=np.float32)
