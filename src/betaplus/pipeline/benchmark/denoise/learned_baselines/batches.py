"""Noisy parts of scans and the same without noise, drawn as those our denoiser learns from are.

Doses, post-filters, scanners and brightness are drawn alike, by the same functions; voxels are all
of the corpus's size, that of the images which are judged.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.pipeline.benchmark.denoise.learned_baselines.units import told_of
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.batches import BRIGHTNESS, make_item
from betaplus.pipeline.training.denoiser.styles import random_dose, random_filter

__all__ = ["PairBatches"]

_AT_HOTTEST = 0.25  # share of parts around the hottest voxel of a box
_CHOICE = 4  # parts of which one is taken, more likely one with uptake
_TINY = 1e-3


class PairBatches:
    """What networks are trained with.

    Args:
        corpus: Boxes.
        voxel: Edge of their voxels [mm].
        shape: Of a part [voxels].
        margin: Voxels around it, which the post-filter reaches into.
    """

    def __init__(
        self, corpus: Corpus, voxel: float, shape: tuple[int, int, int], margin: int
    ) -> None:
        self.corpus, self.voxel, self.shape, self.margin = corpus, voxel, shape, margin

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n items and return those of a process.

        Returns:
            ``noisy`` and ``clean``, shape (n, 1, X, Y, Z) [SUV]; ``told``, shape (n, 1).
        """
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        made = [self._draw(np.random.default_rng(int(key))) for key in keys]
        return {name: torch.cat([item[name] for item in made]) for name in made[0]}

    def _draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        parts = [self._part(rng) for _ in range(_CHOICE)]
        uptake = np.array([part[0, ::3, ::3, ::3].mean(dtype=np.float32) for part in parts])
        odds = np.sqrt(uptake) + _TINY  # noise grows like the root
        box = parts[int(rng.choice(_CHOICE, p=odds / odds.sum()))]
        axes = [axis for axis in range(1, 4) if rng.random() < 0.5]
        box = np.ascontiguousarray(np.flip(box, axes))
        item = make_item(
            box, random_dose(rng), random_filter(rng), int(rng.integers(2)), self.voxel,
            float(rng.uniform(*BRIGHTNESS)),
        )  # fmt: skip
        inner = (None, None, *(slice(self.margin, self.margin + n) for n in self.shape))
        return {
            "noisy": item.noisy[inner], "clean": item.clean[inner], "told": told_of([item.dose]),
        }  # fmt: skip

    def _part(self, rng: np.random.Generator) -> np.ndarray:
        boxes = self.corpus.volume(int(rng.integers(len(self.corpus.files))))
        whole = boxes[int(rng.integers(len(boxes)))]
        size = np.array(self.shape) + 2 * self.margin
        last = np.array(whole.shape[1:]) - size
        low = rng.integers(0, last + 1)
        if rng.random() < _AT_HOTTEST:
            hottest = np.unravel_index(int(np.argmax(whole[0])), whole.shape[1:])
            low = np.clip(np.array(hottest) - rng.integers(0, size), 0, last)
        return whole[(slice(None), *(slice(a, a + n) for a, n in zip(low, size, strict=True)))]
