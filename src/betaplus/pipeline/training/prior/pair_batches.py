"""Patches of pairs of maps, drawn at random: placed, blurred, flipped, scaled."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.batches import cut_box
from betaplus.pipeline.training.prior.pair_corpus import voxel_of
from betaplus.pipeline.training.prior.plan import PriorPlan
from betaplus.simulation.fields import sigma_of_fwhm

__all__ = ["PairBatches"]

_BEYOND = 4.0  # standard deviations: reach of the blur
_AIR = 0.1  # SUV: a patch with no more is drawn anew,
_TRIES = 3  # so often
_BRIGHTNESS = (0.6, 1.6)  # of both maps
_OWN = 0.35  # largest logarithm of what a map is multiplied by beside that


class PairBatches:
    """What a network of pairs is trained with.

    Args:
        corpus: Pairs of maps.
        plan: The prior.
        augment: Whether to flip and scale.
    """

    def __init__(self, corpus: Corpus, plan: PriorPlan, augment: bool = True) -> None:
        self.corpus, self.plan, self.augment = corpus, plan, augment
        people = [int(owner.removeprefix("person")) for owner in corpus.owners]
        self.voxels = [voxel_of(plan, person) for person in people]

    def __call__(self, n: int, generator: Generator, rank: int = 0, world: int = 1) -> tuple[
        Tensor, Tensor
    ]:  # fmt: skip
        """Draw n items and return those of a process: pairs (n, 2, edge, ...), nothing (n, 0)."""
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        pairs = [self._draw(np.random.default_rng(int(key))) for key in keys]
        return torch.from_numpy(np.stack(pairs)), torch.zeros(len(pairs), 0)

    def _draw(self, rng: np.random.Generator) -> np.ndarray:
        index = int(rng.integers(len(self.corpus.files)))
        pair, edge = self.corpus.volume(index), self.plan.edge
        for _ in range(_TRIES):
            # A patch reaches a quarter of its edge beyond the volume at most.
            low = np.array(
                [rng.integers(-edge // 4, max(n - 3 * edge // 4, 1)) for n in pair.shape[1:]]
            )
            if max(cut_box(image, low, edge).max() for image in pair) > _AIR:
                break
        sigma = sigma_of_fwhm(self._resolution(rng)) / self.voxels[index]
        out = np.stack([_blurred(image, low, edge, sigma) for image in pair])
        if not self.augment:
            return out
        for axis in (1, 2, 3):
            if rng.random() < 0.5:
                out = np.flip(out, axis)
        scale = rng.uniform(*_BRIGHTNESS) * np.exp(rng.uniform(-_OWN, _OWN, len(out)))
        return np.ascontiguousarray(out * scale.astype(np.float32)[:, None, None, None])

    def _resolution(self, rng: np.random.Generator) -> float:
        """Draw the width of a Gaussian [mm]."""
        plan = self.plan
        soft = rng.random() < plan.softened
        ends = (plan.bluntest, plan.softest) if soft else (plan.sharpest, plan.bluntest)
        return float(rng.uniform(*ends))


def _blurred(image: np.ndarray, low: np.ndarray, edge: int, sigma: float) -> np.ndarray:
    """Return a cube of the blurred image: what lies around the cube is blurred into it."""
    from scipy.ndimage import gaussian_filter

    radius = int(_BEYOND * sigma + 0.5)
    wider = cut_box(image, low - radius, edge + 2 * radius)
    blurred = gaussian_filter(wider, sigma, mode="constant", radius=radius)
    return np.asarray(blurred[(slice(radius, radius + edge),) * 3])
