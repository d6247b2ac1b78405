"""How the published network is trained: its scale, its losses and its rate of learning."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn import functional

from betaplus.core.errors import UsageError
from betaplus.separation.published import PublishedNetwork, duplicated

__all__ = ["EPOCHS", "HALVED_AT", "LEARNING_RATE", "Backward", "common_scale", "published_loss",
           "published_rate"]  # fmt: skip

LEARNING_RATE = 1e-4
"""Of Adam, at the start."""

HALVED_AT = (50, 100, 150, 200, 250, 500)
"""Epochs at which the rate is halved."""

EPOCHS = 1000

Backward = Literal["cycle", "truth"]
"""What the way back starts from: the prediction, as published, or the true sequences."""


def published_rate(epoch: int) -> float:
    """Return the learning rate of an epoch, counted from 0."""
    return LEARNING_RATE * 0.5 ** sum(epoch >= halved for halved in HALVED_AT)


def common_scale(mixture: Tensor) -> Tensor:
    """Return the largest value of each mixture, at least 1e-12, shape (B, 1, 1, 1).

    The mixture and both sequences are divided by it. Each divided by its own maximum, they would
    no longer add up, and the true sequences' maxima are not known of a scan.

    Args:
        mixture: Shape (B, T, X, Y).
    """
    return mixture.amax((1, 2, 3), keepdim=True).clamp(min=1e-12)


def published_loss(
    network: PublishedNetwork,
    mixture: Tensor,
    sequences: Tensor,
    *,
    weight: float = 1.0,
    backward: Backward = "cycle",
    clean: Tensor | None = None,
) -> Tensor:
    """Return weight x MSE(forward, truth) + MSE(backward, mixture).

    Args:
        network: The network.
        mixture: Shape (B, T, X, Y), in a common scale with the sequences.
        sequences: True sequences, shape (B, 2T, X, Y).
        weight: Of the way forward (nominal).
        backward: What the way back starts from.
        clean: Mixture without noise that the way back from the truth aims at; the mixture if None.

    Raises:
        UsageError: If `backward` is unknown.
    """
    if backward not in ("cycle", "truth"):
        raise UsageError(f"the way back starts from {backward!r}", "expected cycle or truth")
    found = network(mixture)
    start = found if backward == "cycle" else sequences
    aim = mixture if backward == "cycle" or clean is None else clean
    forward = functional.mse_loss(found, sequences)
    return weight * forward + functional.mse_loss(network.mix_back(start), duplicated(aim))
