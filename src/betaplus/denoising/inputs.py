"""What the network is shown of a noisy image.

Contrasts are in units of the noise and of the uptake around, so that one network serves all doses
and tracers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.denoising.noise import NoiseMaps

__all__ = ["BASIS", "CHANNELS", "CONTEXT", "Shown", "dose_context", "show"]

BASIS = 4
"""Details of an image, see `betaplus.denoising.noise`."""
CHANNELS = 2 * BASIS + 1
"""Images that the network is shown."""
CONTEXT = 2
"""Numbers of `dose_context`."""

_MOST = 40.0
_DECADES = math.log(100.0)


@dataclass(frozen=True, eq=False, kw_only=True)
class Shown:
    """A noisy image as the network sees it.

    Attributes:
        images: Shape (B, 9, X, Y, Z), of order 1.
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
    ]
    bounded = _MOST * (basis / _MOST).tanh()
    return Shown(images=torch.cat(images, 1), basis=bounded)


def dose_context(fractions: list[float | None]) -> Tensor:
    """Return what networks are told of the dose, shape (B, 2).

    Args:
        fractions: Of the counts of a usual scan, of each item; None where it is not known.
    """
    return torch.tensor(
        [(0.0, 0.0) if f is None else (1.0, math.log(f) / _DECADES) for f in fractions]
    )
