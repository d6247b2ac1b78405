"""How well a network denoises people whom it was not trained on, while it trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from betaplus.pipeline.training.prior.plan import PriorPlan

__all__ = ["SIGMAS", "Validation", "levels_of"]

SIGMAS = (0.05, 0.1, 0.3, 1.0, 3.0)
"""Noise levels, in units of the mean uptake or SUV."""

_ITEMS = 48  # slices or patches
_ROWS = 8  # that go through the network at a time
_WIDTHS = np.geomspace(0.25, 8.0, 21)  # voxels: standard deviations of Gaussian filters


def levels_of(plan: PriorPlan) -> tuple[float, ...]:
    """Return the noise levels at which a prior is judged: of pairs, those up to 1."""
    return SIGMAS[:4] if plan.images else SIGMAS


class Validation:
    """A network to its figures: errors at every noise level, and their mean logarithm, the score.

    Of pairs every map has its own, and its gain over the Gaussian filter that is best for it.

    Args:
        batches: Of people that are held out.
        plan: The prior.
        seed: Of the run.
    """

    def __init__(
        self, batches: Callable[[int, Generator], tuple[Tensor, ...]], plan: PriorPlan, seed: int
    ) -> None:
        self.plan, self.seed, self.levels = plan, seed, levels_of(plan)
        self.clean, self.context, *self.shown = batches(_ITEMS, Generator().manual_seed(seed + 1))

    def __call__(self, model: Any) -> dict[str, float]:
        """Return the figures of a denoiser."""
        device = next(model.parameters()).device
        generator = Generator().manual_seed(self.seed + 2)
        figures: dict[str, float] = {}
        for sigma in self.levels:
            noise = torch.randn(self.clean.shape, generator=generator)
            squares = torch.zeros(len(self._names), dtype=torch.float64)
            for low in range(0, len(self.clean), _ROWS):
                part = slice(low, low + _ROWS)
                image = self.clean[part].to(device)
                with torch.autocast(device.type, torch.bfloat16, enabled=self.plan.bf16):
                    noisy = image + sigma * noise[part].to(device)
                    shown = [images[part].to(device) for images in self.shown]
                    known = self.context[part].to(device)
                    found = model(noisy, sigma, *shown, context=known)
                errors = (found - image).square().mean(tuple(range(2, image.ndim)))
                squares += errors[:, self._judged].sum(0).to("cpu", torch.float64)
            for name, total in zip(self._names, squares.tolist(), strict=True):
                figures[f"rmse{name} at {sigma:g}"] = math.sqrt(total / len(self.clean))
        score = sum(map(math.log, figures.values())) / len(figures)
        gains = {
            key.replace("rmse", "gain", 1): 20.0 * math.log10(best / figures[key])
            for key, best in self._filtered.items()
        }
        return {"score": score, **figures, **gains}

    @property
    def _judged(self) -> slice:
        """Channels that are judged: of a slab the middle."""
        middle = self.plan.slab // 2
        return slice(None) if self.plan.slab == 1 else slice(middle, middle + 1)

    @property
    def _names(self) -> list[str]:
        return [f" of {name}" for name in self.plan.images] or [""]

    @cached_property
    def _filtered(self) -> dict[str, float]:
        """Errors of the best Gaussian filters of each map of a pair, on other noise."""
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(self.seed)
        found = {}
        for i, name in enumerate(self._names if self.plan.images else []):
            clean = self.clean[:, i].numpy()
            for sigma in self.levels:
                noisy = clean + np.float32(sigma) * rng.standard_normal(clean.shape, np.float32)
                best = math.inf
                for width in _WIDTHS:
                    image = gaussian_filter(noisy, (0.0, width, width, width))
                    error = float(np.sqrt(np.mean(np.square(image - clean, dtype=np.float64))))
                    if error > best:
                        break  # the error falls, then rises
                    best = error
                found[f"rmse{name} at {sigma:g}"] = best
        return found
