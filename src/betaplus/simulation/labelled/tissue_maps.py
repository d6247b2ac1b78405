"""Tissue probability maps as a phantom of grey matter, white matter and fluid."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError
from betaplus.io.nifti import open_nifti
from betaplus.simulation.phantom import Phantom

__all__ = ["read_tissue_maps"]

_TISSUES = ("GreyMatter", "WhiteMatter", "CSF")
_SHIFT = 0.01  # mm: by which the maps may be apart


def read_tissue_maps(
    grey: str | Path, white: str | Path, fluid: str | Path | None = None
) -> Phantom:
    """Return the phantom in which each voxel is its likeliest tissue, or air.

    Air has the probability that the tissues leave over. The maps may be in any scale, which is
    that of the largest value in them (1, 100, 255).

    Args:
        grey: Probability of grey matter.
        white: Of white matter.
        fluid: Of cerebrospinal fluid; none if not given.

    Raises:
        InputError: If the maps are not on one grid or hold anything but probabilities.
    """
    paths = [Path(p) for p in (grey, white, *(() if fluid is None else (fluid,)))]
    files = [open_nifti(p) for p in paths]
    affine = files[0].header.affine
    maps = []
    for path, file in zip(paths, files, strict=True):
        if file.shape != files[0].shape or len(file.shape) != 3:
            raise InputError(
                f"{path.name} has shape {file.shape}", f"expected that of {paths[0].name}"
            )
        if np.abs(file.header.affine - affine).max() > _SHIFT:
            raise InputError(f"{path.name} and {paths[0].name} are on different grids")
        values = file.read()
        if not np.isfinite(values).all() or values.min() < 0:
            raise InputError(f"{path.name} holds NaN or values below 0", "expected probabilities")
        maps.append(values)
    scale = max(float(m.max()) for m in maps)
    if scale == 0:
        raise InputError(f"{paths[0].name} is 0 everywhere", "expected probabilities")
    tissue = np.stack(maps) / scale
    air = np.clip(1.0 - tissue.sum(axis=0), 0.0, 1.0)
    labels = np.concatenate([air[None], tissue]).argmax(axis=0).astype(np.uint8)
    present = set(np.unique(labels).tolist())
    names = {i: name for i, name in enumerate(_TISSUES, start=1) if i in present}
    return Phantom(labels, affine, names)
