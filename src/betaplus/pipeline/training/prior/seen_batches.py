"""Axial slices of heads with what a prior is shown beside them, drawn at random."""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.generative.volume_denoiser import slices_around
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["SeenBatches"]

_MARGIN = 8  # voxels that a slice reaches beyond the head at most
_BRIGHTNESS = (0.85, 1.2)


class SeenBatches:
    """What a network is trained with that is shown OSEM.

    Args:
        corpus: Scans of `seen_heads`.
        plan: The prior.
        augment: Whether to mirror and scale.
    """

    def __init__(self, corpus: Corpus, plan: PriorPlan, augment: bool = True) -> None:
        self.corpus, self.plan, self.augment = corpus, plan, augment
        self._boxes: dict[int, np.ndarray] = {}

    def __call__(self, n: int, generator: Generator, rank: int = 0, world: int = 1) -> tuple[
        Tensor, Tensor, Tensor
    ]:  # fmt: skip
        """Draw n items and return those of a process.

        Truths (n, 1, edge, edge), nothing (n, 0), and what is shown (n, sees * around, edge, edge).
        """
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        items = [self._draw(np.random.default_rng(int(key))) for key in keys]
        truths, shown = (torch.stack(part) for part in zip(*items, strict=True))
        return truths, torch.zeros(len(items), 0), shown

    def _draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        plan, index = self.plan, int(rng.integers(len(self.corpus.files)))
        scan, half = self.corpus.volume(index), plan.around // 2
        box, place = self._box(index, scan), int(rng.integers(scan.shape[-1]))
        low = [self._corner(*box[axis], scan.shape[1 + axis], rng) for axis in (0, 1)]
        cut = scan[:, low[0] : low[0] + plan.edge, low[1] : low[1] + plan.edge]
        near = np.arange(place - half, place + half + 1).clip(0, scan.shape[-1] - 1)
        slices = torch.from_numpy(cut[..., near].astype(np.float32))
        truth = slices[-1:, ..., half]
        shown = slices_around(slices[:-1], plan.around)[..., half]
        if not self.augment:
            return truth, shown
        if rng.random() < 0.5:  # left to right, as people are
            truth, shown = truth.flip(1), shown.flip(1)
        scale = float(rng.uniform(*_BRIGHTNESS))
        return truth * scale, shown * scale

    def _corner(self, first: int, last: int, length: int, rng: np.random.Generator) -> int:
        """Draw where a slice begins along an axis on which the head goes from first to last."""
        ends = sorted((first - _MARGIN, last + _MARGIN - self.plan.edge))
        low, high = (min(max(end, 0), length - self.plan.edge) for end in ends)
        return int(rng.integers(low, high + 1))

    def _box(self, index: int, scan: np.ndarray) -> np.ndarray:
        """Return where the head begins and ends, along X and Y, shape (2, 2)."""
        if index not in self._boxes:
            some = np.asarray(scan[-1]) > 0.0
            spans = [np.flatnonzero(some.any(axis=axes)) for axes in ((1, 2), (0, 2))]
            self._boxes[index] = np.array([(found[0], found[-1] + 1) for found in spans])
        return self._boxes[index]
