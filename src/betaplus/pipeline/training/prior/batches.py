"""Slices and patches of a corpus, drawn at random: placed, flipped, softened, scaled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["ORIENTATIONS", "Batches", "cut_box"]

ORIENTATIONS = ("sagittal", "coronal", "axial")
"""Of slices: perpendicular to the first, second and third axis of a RAS volume."""

_SHIFT = 8  # voxels that a slice is moved at most
_BRIGHTNESS = (0.5, 1.5)
_UNTOLD = 0.1  # share of slices whose orientation the network is not told
_AIR = 0.03  # share of slices and patches that may lie outside what has uptake


class Batches:
    """What a network is trained with.

    Args:
        corpus: Volumes.
        plan: The prior.
        augment: Whether to move, flip and scale.
    """

    def __init__(self, corpus: Corpus, plan: PriorPlan, augment: bool = True) -> None:
        self.corpus, self.plan, self.augment = corpus, plan, augment
        self._boxes: dict[int, np.ndarray] = {}

    def __call__(self, n: int, generator: Generator, rank: int = 0, world: int = 1) -> tuple[
        Tensor, Tensor
    ]:  # fmt: skip
        """Draw n items and return those of a process: images (n, 1, edge, ...), context (n, 3).

        Of slabs images (n, slab, edge, edge), neighbours in the order of the axis.
        Edges are the plan's, over its `pool`.
        The context is the orientation of a slice, one of three, or zeros; (n, 0) for patches.
        """
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        items = [self._draw(np.random.default_rng(int(key))) for key in keys]
        images = torch.from_numpy(np.stack([image for image, _ in items]))
        if self.plan.slab == 1:
            images = images[:, None]
        context = torch.zeros(len(items), 3 if self.plan.dimensions == 2 else 0)
        for row, (_, orientation) in enumerate(items):
            if orientation >= 0:
                context[row, orientation] = 1.0
        return images, context

    def _draw(self, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        index = int(rng.integers(len(self.corpus.files)))
        volume = self.corpus.volume(index)
        draw = self._slice if self.plan.dimensions == 2 else self._patch
        image, orientation = draw(volume, self._box(index, volume), rng)
        if not self.augment:
            return self._pooled(image), orientation
        for axis in self._mirrored(orientation):
            if rng.random() < 0.5:
                image = np.flip(image, axis)
        if rng.random() < self.plan.softened:
            image = self._softer(image, rng)
        if orientation >= 0 and rng.random() < _UNTOLD:
            orientation = -1
        image = self._pooled(image) * np.float32(rng.uniform(*_BRIGHTNESS))
        return np.ascontiguousarray(image), orientation

    def _mirrored(self, orientation: int) -> Sequence[int]:
        """Return axes to mirror: of slices left to right, as people are; of patches all."""
        if self.plan.dimensions == 3:
            return range(3)
        if self.plan.slab == 1:
            return () if orientation == 0 else (0,)
        return (0,) if orientation == 0 else (1,)

    def _pooled(self, image: np.ndarray) -> np.ndarray:
        """Return means over the plan's blocks."""
        pool = self.plan.pool
        if pool == 1:
            return image
        split = [n for edge in image.shape for n in (edge // pool, pool)]
        return image.reshape(split).mean(tuple(range(1, len(split), 2)))

    def _slice(
        self, volume: np.ndarray, box: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        across, slab = self.plan.across, self.plan.slab
        orientation = across[int(rng.integers(len(across)))]
        low, high = box[orientation]
        if rng.random() < _AIR:
            low, high = 0, volume.shape[orientation]
        first = int(rng.integers(low, high)) - slab // 2
        first = min(max(first, 0), volume.shape[orientation] - slab)
        planes = np.moveaxis(volume, orientation, 0)[first : first + slab]
        shift = rng.integers(-_SHIFT, _SHIFT + 1, 2) if self.augment else np.zeros(2, int)
        corner = np.array(planes.shape[1:]) // 2 + shift - self.plan.edge // 2
        slices = [cut_box(plane, corner, self.plan.edge) for plane in planes]
        return slices[0] if slab == 1 else np.stack(slices), orientation

    def _patch(
        self, volume: np.ndarray, box: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, int]:
        edge = self.plan.edge
        if rng.random() < _AIR:
            box = np.stack([np.zeros(3, int), np.array(volume.shape)], 1)
        margin = edge // 4  # so that borders of the body are seen as often as what is inside
        low = box[:, 0] - margin
        high = np.maximum(box[:, 1] + margin - edge, low) + 1
        return cut_box(volume, rng.integers(low, high), edge), -1

    def _softer(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Smooth by a width between a voxel and the plan's largest."""
        from scipy.ndimage import gaussian_filter

        width = np.exp(rng.uniform(np.log(self.plan.voxel), np.log(self.plan.softest)))
        return gaussian_filter(image, sigma_of_fwhm(width) / self.plan.voxel, mode="nearest")

    def _box(self, index: int, volume: np.ndarray) -> np.ndarray:
        """Return the first and one past the last plane with uptake, along each axis, (3, 2)."""
        if index not in self._boxes:
            some = np.asarray(volume) > 0.02 * float(np.max(volume))
            ends = []
            for axis in range(3):
                found = np.flatnonzero(some.any(axis=tuple({0, 1, 2} - {axis})))
                ends.append((found[0], found[-1] + 1) if found.size else (0, volume.shape[axis]))
            self._boxes[index] = np.array(ends)
        return self._boxes[index]


def cut_box(image: np.ndarray, low: np.ndarray, edge: int) -> np.ndarray:
    """Return a square or cube of an image; 0 outside it, float32."""
    out = np.zeros([edge] * image.ndim, dtype=np.float32)
    here, there = [], []
    for start, length in zip(low, image.shape, strict=True):
        first, last = max(int(start), 0), min(int(start) + edge, length)
        if last <= first:
            return out
        here.append(slice(first - int(start), last - int(start)))
        there.append(slice(first, last))
    out[tuple(here)] = image[tuple(there)]
    return out
