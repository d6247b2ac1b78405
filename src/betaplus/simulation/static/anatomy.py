"""The phantom of a name, of a file of labels, or one that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from betaplus.core.errors import UsageError
from betaplus.simulation.head_spread import POPULATION, HeadSpread
from betaplus.simulation.phantom import Phantom

__all__ = ["ANATOMIES", "SIZES", "make_anatomy", "voxel_of"]

ANATOMIES = ("brain", "body")
"""Anatomies made here; any other is a file of labels."""

SIZES: Mapping[str, Mapping[str, float]] = {
    "brain": {"small": 4.0, "full": 2.0},
    "body": {"small": 6.0, "full": 2.0},
}
"""Anatomy to size to voxel edge [mm]."""

_FILES = (".nii", ".nii.gz", ".hdr", ".img")


def make_anatomy(
    anatomy: str | Path | Phantom,
    seed: int,
    *,
    voxel: float = 2.0,
    spread: HeadSpread = POPULATION,
    finer: int = 2,
) -> Phantom:
    """Return the phantom of a name or a file of labels, or the phantom given.

    Args:
        anatomy: ``brain``, ``body``, a label image (`betaplus.simulation.labelled.read_anatomy`),
            or a phantom, which is returned as it is.
        seed: Chooses head or body.
        voxel: Voxel edge [mm] of what is made here.
        spread: How heads differ.
        finer: Sub-voxels along an edge that vote for the label of a head's voxel; 1 is fastest.

    Raises:
        UsageError: If the name is unknown.
        InputError: If the label image cannot be used.
    """
    if isinstance(anatomy, Phantom):
        return anatomy
    if anatomy == "brain":
        from betaplus.simulation.brain import make_brain

        return make_brain(seed=seed, voxel=voxel, spread=spread, finer=finer)
    if anatomy == "body":
        from betaplus.simulation.body.make import make_body

        return make_body(seed, voxel=voxel)
    if str(anatomy).endswith(_FILES):
        from betaplus.simulation.labelled import read_anatomy

        return read_anatomy(anatomy)
    raise UsageError(
        f"anatomy {str(anatomy)!r} is unknown", "expected brain, body or a label image (.nii.gz)"
    )


def voxel_of(anatomy: str | Path | Phantom, size: str) -> float:
    """Return the voxel edge of a size [mm]; of no meaning where the anatomy has a grid.

    Raises:
        UsageError: If the size is unknown.
    """
    sizes = SIZES[anatomy] if isinstance(anatomy, str) and anatomy in SIZES else SIZES["brain"]
    if size not in sizes:
        raise UsageError(f"size {size!r} is unknown", f"expected one of {', '.join(sizes)}")
    return sizes[size]
