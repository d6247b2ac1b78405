"""An exponential moving average of a network's weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["Ema"]


class Ema:
    """The average of a module's parameters and buffers over the last steps of its training.

    After n updates the decay is min(2^(-1 / half_life), (1 + n) / (10 + n)), so that early averages
    follow the weights instead of remembering where they started. What is not a floating-point
    number (a count of batches) is copied.

    Args:
        module: The network; the average starts from its weights and lies on its device.
        half_life: Steps after which a weight counts half.
    """

    def __init__(self, module: nn.Module, half_life: float) -> None:
        if not half_life > 0:
            raise ValueError(f"half-life of {half_life} steps, expected more than 0")
        self.decay = 0.5 ** (1.0 / half_life)
        self.updates = 0
        self._average = {k: v.detach().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's weights of now into the average."""
        share = 1.0 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, now in module.state_dict().items():
            average = self._average[name]
            if average.is_floating_point():
                average.lerp_(now, share)
            else:
                average.copy_(now)
        self.updates += 1

    def averaged(self) -> dict[str, Tensor]:
        """Return a copy of the averages, as a state dict of the module."""
        return {name: average.clone() for name, average in self._average.items()}

    @torch.no_grad()
    def restore(self, averaged: Mapping[str, Tensor], updates: int) -> None:
        """Go on from what `averaged` and `updates` were.

        Raises:
            ValueError: If the names are not those of the module.
        """
        if averaged.keys() != self._average.keys():
            raise ValueError("averages of another module")
        for name, average in self._average.items():
            average.copy_(averaged[name])
        self.updates = updates
