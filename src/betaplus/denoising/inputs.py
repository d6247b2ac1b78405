"""What the network is shown of a noisy image.

Contrasts are in units of the noise and of the uptake around, so that one network serves all doses
and tracers. Beside the image itself there is a path from it to a smooth one in ten steps: non-local
means that look for likeness less and less strictly, then binomial smoothings of the last.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.denoising.noise import BANDS, NoiseMaps, smoothed
from betaplus.denoising.non_local import MEANS, non_local_means

__all__ = ["BASIS", "CHANNELS", "CONTEXT", "Shown", "context_of", "show"]

BASIS = MEANS + BANDS
"""Steps of the path."""
CHANNELS = 3 * BANDS + 1 + MEANS
"""Images that the network is shown."""
CONTEXT = 5
"""Numbers of `context_of`."""

_MOST = 40.0
_USUAL = 3.0  # mm, edge of the voxels that most of the training has
_TINY = 1e-6
_EXCESS = (-2.0, 6.0)
_DECADES = math.log(100.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """A noisy image as the network sees it.

    Attributes:
        images: Shape (B, 19, X, Y, Z), of order 1; the last four are logarithms of how much more
            each detail holds around a place than noise alone would.
        basis: Steps of the path in units of the noise, bounded by 40, shape (B, 10, X, Y, Z); what
            has a mean can do without, shape (B, 0, X, Y, Z).
        mean: Of the correction given these, shape (B, 1, X, Y, Z), for networks of draws; None
            where it was not computed.
    """

    images: Tensor
    basis: Tensor
    mean: Tensor | None = None

    def __getitem__(self, part: tuple[slice, ...]) -> Shown:
        """Return a part of the volume."""
        return self._each(lambda x: x[(..., *part)])

    def to(self, device: torch.device | str) -> Shown:
        """Return it on a device."""
        return self._each(lambda x: x.to(device))

    def copies(self, n: int) -> Shown:
        """Return one volume n times."""
        return self._each(lambda x: x.expand(n, *x.shape[1:]).contiguous())

    def _each(self, of: Callable[[Tensor], Tensor]) -> Shown:
        mean = None if self.mean is None else of(self.mean)
        return Shown(images=of(self.images), basis=of(self.basis), mean=mean)


def show(image: Tensor, noise: NoiseMaps, threads: int = 1) -> Shown:
    """Return what the network is shown.

    Args:
        image: Noisy, shape (B, 1, X, Y, Z) [SUV].
        noise: Of it.
        threads: To compute with; bits do not depend on it.
    """
    sd = noise.sd
    details = noise.details / sd
    means = non_local_means(image, noise, threads)
    path = [image, *means.split(1, 1)]
    for band in range(BANDS):
        path.append(smoothed(path[-1], 2**band))
    basis = torch.cat([after - before for before, after in itertools.pairwise(path)], 1) / sd
    images = [
        details.asinh(),
        ((image - noise.mean) / noise.scale).asinh(),
        (noise.scale / sd).log(),
        noise.bands[:, 1:],
        basis[:, :MEANS].asinh(),
        excess(details, noise),
    ]
    bounded = _MOST * (basis / _MOST).tanh()
    return Shown(images=torch.cat(images, 1), basis=bounded)


def excess(details: Tensor, noise: NoiseMaps) -> Tensor:
    """Return the logarithm of the local SD of each detail over that of noise, like `details`.

    Args:
        details: In units of the noise, shape (B, 4, X, Y, Z).
        noise: The noise.
    """
    around = [
        smoothed(details[:, k : k + 1].square(), 2**k) / noise.bands[:, k : k + 1].square()
        for k in range(BANDS)
    ]
    return (0.5 * (torch.cat(around, 1) + _TINY).log()).clamp(*_EXCESS)


def context_of(fractions: Sequence[float | None], voxels: Sequence[Sequence[float]]) -> Tensor:
    """Return what networks are told of items, shape (B, 5).

    Args:
        fractions: Of the counts of a usual scan; None where it is not known.
        voxels: Edges [mm].
    """
    return torch.tensor([
        (*((0.0, 0.0) if f is None else (1.0, math.log(f) / _DECADES)),
         *(2.0 * math.log(v / _USUAL) for v in edges))
        for f, edges in zip(fractions, voxels, strict=True)
    ])  # fmt: skip
