"""Images that no prior was trained on: simulated people, and real PET."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from betaplus.pipeline.training.corpus import FIRST_TEST, Corpus
from betaplus.pipeline.training.prior.batches import ORIENTATIONS, Batches
from betaplus.pipeline.training.prior.corpus import make_corpus
from betaplus.pipeline.training.prior.own import read_volume
from betaplus.pipeline.training.prior.pair_batches import PairBatches
from betaplus.pipeline.training.prior.plan import PriorPlan

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Case", "real_cases", "simulated_case"]

_SEED = 77_000
_CROP = 64  # voxels: edge of real crops, as large as most of them
_EVERY = 6  # slices of a volume: one in so many
_REAL_BRAINS = {
    "FDG template (real, group mean)": "brain_templates/fdg_template.nii.gz",
    "raclopride template (real, group mean)": "brain_templates/raclopride_template.nii.gz",
    "BrainWeb 06 (OSEM)": "brain_brainweb06/brainweb_06_osem_2mm.nii.gz",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Clean images.

    Attributes:
        name: What they are.
        images: Shape (N, 1, X, Y), (N, 1, X, Y, Z) or, of pairs, (N, 2, X, Y, Z), in the prior's
            unit and voxels.
        context: What the prior is told of each, shape (N, 3) or (N, 0).
        there: 1 where an image is, 0 where it was padded, of the shape of `images`.
    """

    name: str
    images: Tensor
    context: Tensor
    there: Tensor


def simulated_case(folder: Path, plan: PriorPlan, people: int, items: int, workers: int) -> Case:
    """Return slices or patches of people that are neither trained on nor validated with.

    Args:
        folder: Where their volumes are kept.
        plan: The prior.
        people: How many.
        items: Slices or patches.
        workers: Processes that simulate.
    """
    import torch

    for _ in make_corpus(folder, plan, range(FIRST_TEST, FIRST_TEST + people), _SEED, workers):
        pass
    draw = PairBatches if plan.images else Batches
    batches = draw(Corpus.of(folder), plan, augment=False)
    images, context = batches(items, torch.Generator().manual_seed(_SEED))
    return Case(
        name=f"{people} simulated people",
        images=images,
        context=context,
        there=torch.ones_like(images),
    )


def real_cases(data: Path, plan: PriorPlan) -> Iterator[Case]:
    """Yield the real images in a folder of reference data that the prior is for.

    Args:
        data: The folder; what it lacks is left out.
        plan: The prior.
    """
    if plan.images:
        return  # there are no real maps without noise
    if plan.dimensions == 2:
        for name, place in _REAL_BRAINS.items():
            if (data / place).is_file():
                yield _slices(name, next(read_volume(data / place, plan)), plan.edge)
        return
    crops = sorted((data / "pet_ibsi").glob("STS_*/PET_image.nii.gz"))
    if crops:
        volumes = [next(read_volume(path, plan, "SUV")) for path in crops]
        yield _padded(f"{len(crops)} IBSI sarcoma crops (real)", volumes, _CROP)


def _slices(name: str, volume: np.ndarray, edge: int) -> Case:
    """Return every sixth slice with uptake, in all orientations."""
    import torch

    images, there, context = [], [], []
    for axis in range(3):
        uptake = np.moveaxis(volume, axis, 0).sum((1, 2))
        for at in np.flatnonzero(uptake > 0.2 * uptake.max())[::_EVERY]:
            plane = np.take(volume, at, axis)
            images.append(_fitted(plane, edge))
            there.append(_fitted(np.ones_like(plane), edge))
            context.append([float(axis == i) for i in range(len(ORIENTATIONS))])
    stacks = [torch.from_numpy(np.stack(group))[:, None] for group in (images, there)]
    return Case(name=name, images=stacks[0], context=torch.tensor(context), there=stacks[1])


def _padded(name: str, volumes: list[np.ndarray], edge: int) -> Case:
    import torch

    images = np.stack([_fitted(volume, edge) for volume in volumes])[:, None]
    there = np.stack([_fitted(np.ones_like(volume), edge) for volume in volumes])[:, None]
    return Case(
        name=name,
        images=torch.from_numpy(images),
        context=torch.zeros(len(volumes), 0),
        there=torch.from_numpy(there),
    )


def _fitted(image: np.ndarray, edge: int) -> np.ndarray:
    """Return the middle of an image in a square or cube, padded with 0, nothing below 0."""
    for axis, length in enumerate(image.shape):
        more = max(edge - length, 0)
        widths = [(0, 0)] * image.ndim
        widths[axis] = (more // 2, more - more // 2)
        first = max(length - edge, 0) // 2
        image = np.pad(np.take(image, range(first, first + min(edge, length)), axis), widths)
    return np.maximum(image, 0.0).astype(np.float32)
