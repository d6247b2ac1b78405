"""Items to learn from: boxes cut out, at random doses, post-filters and brightness, mirrored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from betaplus.denoising.inputs import context_of, show
from betaplus.denoising.noise import EXPONENT, NoiseMaps, measure_noise, noise_width
from betaplus.pipeline.training.corpus import Corpus
from betaplus.pipeline.training.denoiser.plan import DenoiserPlan
from betaplus.pipeline.training.denoiser.styles import random_dose, random_filter
from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.surrogate.marginal import factors

__all__ = ["BRIGHTNESS", "Item", "ItemBatches", "make_item"]

_UNTOLD = 0.5  # share of items whose dose the network is not told
BRIGHTNESS = (0.6, 1.6)
_AT_HOTTEST = 0.25  # share of parts around the hottest voxel of a box
_FOUND_WIDER = (-0.03, 0.2)  # voxels: how much further noise seems correlated than it is
_COARSE = 0.25  # share of items with larger voxels
_CHOICE = 4  # parts of which one is taken, where there is noise to be had
_TINY = 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class Item:
    """A part of a simulated scan, shapes (X, Y, Z) float32 [SUV].

    Attributes:
        noisy: Image at some dose.
        clean: The same without noise.
        dose: Fraction of the counts.
        voxel: Edges [mm].
    """

    noisy: Tensor
    clean: Tensor
    dose: float
    voxel: tuple[float, float, float]


def make_item(
    box: np.ndarray,
    dose: float,
    fwhm: float,
    draw: int,
    voxel: float,
    brightness: float = 1.0,
    shape: tuple[int, int, int] | None = None,
) -> Item:
    """Return a scan of a box of `corpus`.

    Args:
        box: Shape (4, X, Y, Z): mean, relative SD at full dose, two draws of noise.
        dose: Fraction of the counts.
        fwhm: Of the post-filter [mm].
        draw: 0 or 1.
        voxel: Edge [mm].
        brightness: Factor on the uptake.
        shape: Of the item: fewer voxels than the box has are larger ones; as many if None.
    """
    mean, sd = (np.asarray(part, np.float32) for part in box[:2])
    noise = np.asarray(box[2 + draw], np.float32)
    clean = torch.from_numpy(mean * np.float32(brightness))
    noisy = clean * torch.from_numpy(factors(noise, sd / np.float32(np.sqrt(dose))))
    shape = shape or tuple(noisy.shape)
    edges = [voxel * n / m for n, m in zip(noisy.shape, shape, strict=True)]
    widths = [math.sqrt(fwhm**2 + edge**2 - voxel**2) / voxel for edge in edges]
    both = _filtered(torch.stack([noisy, clean]), widths)
    if shape != tuple(noisy.shape):
        both = functional.interpolate(both[None], shape, mode="trilinear")[0]
    return Item(noisy=both[0], clean=both[1], dose=dose, voxel=tuple(edges))


def scan_width(noisy: Tensor, noise: Tensor, rng: np.random.Generator) -> Tensor:
    """Draw how far `measure_noise` would find the noise of the whole scan correlated, shape (1,).

    What is left of anatomy in its quietest places makes it more, never much less.

    Args:
        noisy: A part of the scan, shape (1, 1, X, Y, Z) [SUV].
        noise: Its noise, likewise.
        rng: Generator.
    """
    return noise_width(noisy, noise) + float(rng.uniform(*_FOUND_WIDER))


class ItemBatches:
    """What the network is trained with.

    Args:
        corpus: Boxes.
        plan: The denoiser.
    """

    def __init__(self, corpus: Corpus, plan: DenoiserPlan) -> None:
        self.corpus, self.plan = corpus, plan

    def __call__(
        self, n: int, generator: Generator, rank: int = 0, world: int = 1
    ) -> dict[str, Tensor]:
        """Draw n items and return those of a process.

        Returns:
            ``z`` and ``sd``, shape (n, 1, edge, edge, edge); ``images`` (n, 19, ...) and ``basis``
            (n, 10, ...), what the network is shown; ``told`` (n, 5).
        """
        keys = torch.randint(2**62, (n,), generator=generator)[rank::world]
        made = [self._draw(np.random.default_rng(int(key))) for key in keys]
        return {name: torch.cat([item[name] for item in made]) for name in made[0]}

    def noise_range(self, n: int, generator: Generator) -> tuple[float, float]:
        """Return the 1st and 99th percentile of the noise level of n items [SUV at 1 SUV]."""
        keys = torch.randint(2**62, (n,), generator=generator)
        found = [self._item(np.random.default_rng(int(key)))[2] for key in keys]
        levels = [float(noise.level.median()) for noise in found]
        low, high = np.quantile(levels, (0.01, 0.99))
        return float(low), float(high)

    def _draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        item, clean, noise = self._item(rng)
        noisy = item.noisy[None, None]
        first, last = self.plan.margin, self.plan.margin + self.plan.edge
        inner = (slice(first, last),) * 3
        shown = show(noisy, noise)[inner]
        sd = noise.sd[(..., *inner)]
        told = None if rng.random() < _UNTOLD else item.dose
        return {
            "z": (clean - noisy)[(..., *inner)] / sd,
            "sd": sd / sd.square().mean().sqrt(),
            "images": shown.images,
            "basis": shown.basis,
            "told": context_of([told], [item.voxel]),
        }

    def _item(self, rng: np.random.Generator) -> tuple[Item, Tensor, NoiseMaps]:
        """Draw an item; return it, its clean image (1, 1, ...) and the noise of the noisy one."""
        plan = self.plan
        edge = plan.edge + 2 * plan.margin
        box = self._box(rng, self._edges(rng, edge))
        axes = [axis for axis in range(1, 4) if rng.random() < 0.5]
        box = np.ascontiguousarray(np.flip(box, axes)) if axes else box
        item = make_item(
            box, random_dose(rng), random_filter(rng), int(rng.integers(2)), plan.voxel,
            float(rng.uniform(*BRIGHTNESS)), (edge, edge, edge),
        )  # fmt: skip
        noisy, clean = item.noisy[None, None], item.clean[None, None]
        return item, clean, measure_noise(noisy, scan_width(noisy, noisy - clean, rng))

    def _edges(self, rng: np.random.Generator, edge: int) -> np.ndarray:
        """Draw how many voxels of a box make an item: more of them where its voxels are larger."""
        most = self.plan.box / edge
        if most == 1.0 or rng.random() >= _COARSE:
            return np.full(3, edge)
        across, along = rng.uniform(1.0, most, 2)
        along = across if rng.random() < 0.5 else along
        return np.floor(np.array([across, across, along]) * edge + 0.5).astype(int)

    def _box(self, rng: np.random.Generator, edges: np.ndarray) -> np.ndarray:
        found = [self._part(rng, edges) for _ in range(_CHOICE)]
        held = np.array([_energy(part) for part in found]) + _TINY
        return np.asarray(found[int(rng.choice(_CHOICE, p=held / held.sum()))])

    def _part(self, rng: np.random.Generator, edges: np.ndarray) -> np.ndarray:
        boxes = self.corpus.volume(int(rng.integers(len(self.corpus.files))))
        whole = boxes[int(rng.integers(len(boxes)))]
        low = rng.integers(0, np.array(whole.shape[1:]) - edges + 1)
        if rng.random() < _AT_HOTTEST:
            hottest = np.unravel_index(int(np.argmax(whole[0])), whole.shape[1:])
            low = np.array(hottest) - rng.integers(0, edges)
            low = np.clip(low, 0, np.array(whole.shape[1:]) - edges)
        return whole[(slice(None), *(slice(a, a + n) for a, n in zip(low, edges, strict=True)))]


def _energy(part: np.ndarray) -> float:
    """Return the SD of noise that a part has, up to a factor."""
    mean = np.asarray(part[0, ::3, ::3, ::3], np.float32)
    return float(np.sqrt(np.mean(mean ** (2 * EXPONENT))))


def _filtered(x: Tensor, fwhm: Sequence[float]) -> Tensor:
    """Return images (N, X, Y, Z) through a Gaussian of widths [voxels], reflected at borders."""
    for axis, width in enumerate(fwhm, 1):
        sigma = sigma_of_fwhm(width)
        if sigma < 0.1:
            continue
        reach = int(np.ceil(4.0 * sigma))
        place = torch.arange(-reach, reach + 1)
        kernel = torch.exp(-0.5 * (place / sigma) ** 2)
        weights = (kernel / kernel.sum()).tolist()
        n = x.shape[axis]
        at = x.movedim(axis, -1)
        ends = at.narrow(-1, 1, reach).flip(-1), at.narrow(-1, n - 1 - reach, reach).flip(-1)
        far = torch.cat([ends[0], at, ends[1]], -1)
        at = sum(w * far.narrow(-1, i, n) for i, w in enumerate(weights))
        x = at.movedim(-1, axis)
    return x
