"""A prior of slices or of patches as the denoiser of whole volumes, of any size."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from betaplus.core.crew import Crew
from betaplus.generative.denoiser import Denoised
from betaplus.generative.image_prior import BRIGHTEST, ImagePrior
from betaplus.generative.slice_denoiser import ORTHOGONAL, SliceDenoiser
from betaplus.generative.tiled_denoiser import TiledDenoiser

__all__ = ["slices_around", "volume_denoiser"]

_MICROBATCH = 8
_TILE = 96  # voxels
_OVERLAP = 24  # voxels; a third of them lies in each one's halo


def volume_denoiser(
    prior: ImagePrior,
    *,
    axes: tuple[int, ...] = ORTHOGONAL,
    tile: int = _TILE,
    threads: int = 1,
    crew: Crew | None = None,
    shown: Tensor | None = None,
) -> Denoised:
    """Return (x, sigma) to the clean estimate for volumes (B, 1, X, Y, Z) in RAS axes.

    For a prior of several images volumes are (B, images, X, Y, Z).

    A prior of slices goes through the volume along each of `axes`, told which, and the estimates
    are averaged; one of patches works on tiles that are blended.

    Args:
        prior: The prior; volumes are in its unit and voxels.
        axes: Across which slices are cut: 0 sagittal, 1 coronal, 2 axial.
        tile: Edge of tiles [voxels].
        threads: Tiles computed at a time.
        crew: Who computes tiles, and microbatches of slices; so many threads tiles, if None.
        shown: What a prior is shown beside x, shape (sees, X, Y, Z), in its unit; with it slices
            are axial.
    """
    multiple = prior.denoiser.size.multiple
    if prior.sees:
        if shown is None or axes != (2,):
            raise ValueError("a prior that is shown images needs them, and axial slices")
        return SliceDenoiser(
            denoised=prior, axes=axes, microbatch=_MICROBATCH, multiple=multiple,
            condition=slices_around(shown, prior.around)[None], crew=crew,
        )  # fmt: skip
    if prior.dimensions == 2:
        told = tuple(partial(prior, orientation=prior.orientations[axis]) for axis in axes)
        return SliceDenoiser(
            denoised=told, axes=axes, microbatch=_MICROBATCH, multiple=multiple, slab=prior.slab,
            crew=crew,
        )  # fmt: skip
    overlap = min(_OVERLAP, tile // 2) // multiple * multiple
    return TiledDenoiser(
        denoised=prior, tile=tile, overlap=overlap, multiple=multiple, threads=threads, crew=crew
    )


def slices_around(shown: Tensor, around: int) -> Tensor:
    """Return each slice with its neighbours: shape (images * around, X, Y, Z) of (images, X, Y, Z).

    Channels are the slices of the first image from below, then those of the next; beyond the first
    and the last slice they stay. Values are within 0 to `BRIGHTEST`.
    """
    depth, half = shown.shape[-1], around // 2
    places = torch.arange(-half, half + 1)[:, None] + torch.arange(depth)
    near = shown.clamp(0.0, BRIGHTEST)[..., places.clamp(0, depth - 1)]  # (images, X, Y, around, Z)
    return near.movedim(-2, 1).flatten(0, 1)
