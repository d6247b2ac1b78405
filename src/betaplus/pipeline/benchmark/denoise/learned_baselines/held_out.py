"""Parts of people that no network was trained on, at known doses, and how far their noise goes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from torch import Tensor

from betaplus.pipeline.benchmark.wording import dose_name
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.batches import make_item
from betaplus.pipeline.training.denoiser.validation import DOSES

__all__ = ["Case", "HeldOut"]

_FILTERS = (0.0, 3.0, 5.0)
_AIR = 0.05  # SUV: below it errors do not count

Case = tuple[float, Tensor, Tensor]
"""Dose; noisy and clean part, each of shape (1, 1, X, Y, Z) [SUV]."""


class HeldOut:
    """Boxes, or slabs in the middle of them, each at every dose.

    Args:
        corpus: Of people that are not trained on.
        voxel: Edge of their voxels [mm].
        items: Boxes at each dose.
        seed: Chooses them.
        multiple: What edges are cut to a multiple of.
        planes: Of a slab; the whole box if None.
    """

    def __init__(
        self, corpus: Corpus, voxel: float, items: int, seed: int, multiple: int,
        planes: int | None = None,
    ) -> None:  # fmt: skip
        rng = np.random.default_rng(seed)
        edge = corpus.volume(0).shape[-1] // multiple * multiple
        border = edge // 5
        part = [slice(0, edge)] * 3
        self.inner = (..., *[slice(border, edge - border)] * 3)
        if planes is not None:
            part[2] = slice((edge - planes) // 2, (edge - planes) // 2 + planes)
            self.inner = (*self.inner[:3], slice(None))
        self.cases: list[Case] = []
        while len(self.cases) < items * len(DOSES):
            boxes = corpus.volume(int(rng.integers(len(corpus.files))))
            box = np.asarray(boxes[int(rng.integers(len(boxes)))])
            fwhm = _FILTERS[int(rng.integers(len(_FILTERS)))]
            made = [make_item(box, dose, fwhm, 0, voxel) for dose in DOSES]
            whole = (None, None, *part)
            if float(made[0].clean[whole][self.inner].mean()) >= _AIR:
                self.cases += [(m.dose, m.noisy[whole], m.clean[whole]) for m in made]

    def gains(self, denoise: Callable[[Tensor, float], Tensor]) -> dict[str, float]:
        """Return the gain over the noisy parts at each dose [dB], mean over parts, and ``gain``.

        Errors count where the clean part is above 0.05 SUV and away from borders. ``bias [%]`` is
        what the mean there changes by, mean over all parts.

        Args:
            denoise: Noisy part (1, 1, X, Y, Z) [SUV] and dose to the denoised part.
        """
        gains: dict[float, list[float]] = {dose: [] for dose in DOSES}
        biases = []
        for dose, noisy, clean in self.cases:
            found = denoise(noisy, dose)
            inside = clean[self.inner] > _AIR
            truth = clean[self.inner][inside]
            before, after = ((x[self.inner][inside] - truth) for x in (noisy, found))
            left = float(after.square().mean() / before.square().mean())
            gains[dose].append(-10.0 * math.log10(left) if left > 0 else math.inf)
            biases.append(100.0 * float((after.mean() - before.mean()) / truth.mean()))
        figures = {f"gain at {dose_name(d)} [dB]": float(np.mean(g)) for d, g in gains.items()}
        return {"gain": float(np.mean(list(figures.values()))), **figures,
                "bias [%]": float(np.mean(biases))}  # fmt: skip
