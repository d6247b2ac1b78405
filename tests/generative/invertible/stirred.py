"""Networks away from their start, for tests of what must hold whatever was learned."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def stirred(network: Network, amount: float = 0.3, seed: int = 0) -> Network:
    """Add random numbers to all weights: `amount` over the root of what each output adds up."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            added = parameter[0].numel() if parameter.ndim > 1 else 9
            noise = torch.randn(parameter.shape, generator=generator).to(parameter)
            parameter.add_(amount / added**0.5 * noise)
    return network.eval()


def round_trip(there: torch.Tensor, back: torch.Tensor) -> float:
    """Largest error relative to the largest value."""
    return ((back - there).abs().max() / there.abs().max()).item()
