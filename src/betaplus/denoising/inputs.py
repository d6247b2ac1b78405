"""What the network is shown of a noisy image.

Contrasts are in units of the noise and of the uptake around, so that one network serves all doses
and tracers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.denoising.noise import NoiseMaps, smoothed

__all__ = ["BASIS", "CHANNELS", "CONTEXT", "Shown", "dose_context", "show"]

BASIS = 4
"""Details of an image, see `betaplus.denoising.noise`."""
CHANNELS = 3 * BASIS + 1
"""Images that the network is shown."""
CONTEXT = 2
"""Numbers of `dose_context`."""

_MOST = 40.0
_TINY = 1e-6
_EXCESS = (-2.0, 6.0)
_DECADES = math.log(100.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """A noisy image as the network sees it.

    Attributes:
        images: Shape (B, 13, X, Y, Z), of order 1; the last four are logarithms of how much more
            each detail holds around a place than noise alone would.
        basis: Details in units of the noise, bounded by 40, shape (B, 4, X, Y, Z).
    """

    images: Tensor
    basis: Tensor

    def __getitem__(self, part: tuple[slice, ...]) -> Shown:
        """Return a part of the volume."""
        inner = (..., *part)
        return Shown(images=self.images[inner], basis=self.basis[inner])

    def to(self, device: torch.device | str) -> Shown:
        """Return it on a device."""
        return Shown(images=self.images.to(device), basis=self.basis.to(device))


def show(image: Tensor, noise: NoiseMaps) -> Shown:
    """Return what the network is shown.

    Args:
        image: Noisy, shape (B, 1, X, Y, Z) [SUV].
        noise: Of it.
    """
    sd = noise.sd
    basis = noise.details / sd
    images = [
        basis.asinh(),
        (image - noise.mean) / noise.scale,
        (noise.scale / sd).log(),
        noise.bands[:, 1:],
        excess(basis, noise),
    ]
    bounded = _MOST * (basis / _MOST).tanh()
    return Shown(images=torch.cat(images, 1), basis=bounded)


def excess(basis: Tensor, noise: NoiseMaps) -> Tensor:
    """Return the logarithm of the local SD of each detail over that of noise, like `basis`."""
    around = [
        smoothed(basis[:, k : k + 1].square(), 2**k) / noise.bands[:, k : k + 1].square()
        for k in range(BASIS)
    ]
    return (0.5 * (torch.cat(around, 1) + _TINY).log()).clamp(*_EXCESS)


def dose_context(fractions: list[float | None]) -> Tensor:
    """Return what networks are told of the dose, shape (B, 2).

    Args:
        fractions: Of the counts of a usual scan, of each item; None where it is not known.
    """
    return torch.tensor(
        [(0.0, 0.0) if f is None else (1.0, math.log(f) / _DECADES) for f in fractions]
    )
