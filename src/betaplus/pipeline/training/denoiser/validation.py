"""How far the noise of held-out boxes goes down, dose by dose."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from betaplus.denoising.inputs import Shown, context_of, show
from betaplus.denoising.network import CorrectionNetwork
from betaplus.denoising.noise import measure_noise
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.batches import make_item
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan

__all__ = ["DOSES", "Validation"]

DOSES = (1 / 4, 1 / 10, 1 / 20, 1 / 50, 1 / 100)
"""Doses that are judged."""

_FILTERS = (0.0, 3.0, 5.0)
_BORDER = 16  # voxels
_AIR = 0.05  # SUV: below it errors do not count


class Validation:
    """Boxes at known doses.

    Args:
        corpus: Of people that are not trained on.
        plan: The denoiser.
        items: Boxes at each dose.
        seed: Chooses them.
    """

    def __init__(self, corpus: Corpus, plan: DenoiserPlan, items: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.voxel = plan.voxel
        multiple = 2 ** len(plan.widths)
        seen = (slice(0, plan.box // multiple * multiple),) * 3
        self.inner = (..., *[slice(_BORDER, part.stop - _BORDER) for part in seen])
        self.cases: list[tuple[float, Tensor, Tensor, Tensor, Shown]] = []
        while len(self.cases) < items * len(DOSES):
            boxes = corpus.volume(int(rng.integers(len(corpus.files))))
            box = np.asarray(boxes[int(rng.integers(len(boxes)))])
            if float(box[0][seen][self.inner].mean(dtype=np.float32)) < _AIR:
                continue
            fwhm = _FILTERS[int(rng.integers(len(_FILTERS)))]
            for dose in DOSES:
                item = make_item(box, dose, fwhm, 0, plan.voxel)
                noisy, clean = item.noisy[None, None], item.clean[None, None]
                noise = measure_noise(noisy)
                shown = show(noisy, noise)[seen]
                part = (..., *seen)
                self.cases.append((dose, noisy[part], clean[part], noise.sd[part], shown))

    def measure(self, network: CorrectionNetwork, bf16: bool) -> dict[str, float]:
        """Return the gain over the noisy boxes at each dose [dB], mean over boxes; and a score.

        Errors count where the clean image is above 0.05 SUV and away from the borders of the box.
        """
        device = next(network.parameters()).device
        gains: dict[float, list[float]] = {dose: [] for dose in DOSES}
        for dose, noisy, clean, sd, shown in self.cases:
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                z = network.mean(
                    shown.to(device), context_of([None], [[self.voxel] * 3]).to(device)
                ).cpu()
            inside = clean[self.inner] > _AIR
            before, after = (
                float(error[self.inner][inside].square().mean())
                for error in (noisy - clean, noisy + sd * z - clean)
            )
            gains[dose].append(10.0 * math.log10(before / after))
        figures = {f"gain at 1/{1 / dose:.0f} [dB]": _mean(found) for dose, found in gains.items()}
        return {"score": -_mean(list(figures.values())), **figures}


def _mean(values: Sequence[float]) -> float:
    """Return the mean."""
    return sum(values) / len(values)
