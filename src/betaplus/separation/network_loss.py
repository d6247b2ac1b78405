r"""What the separation network is trained on: the way forward, the way back, and the frames.

Errors of coefficients are weighed by a metric G, as :math:`\delta^T G \delta` in every voxel:
the identity weighs coefficients alike, `frame_metric` gives the squared error of the frames of each
tracer weighed by their precision, and `mixture_metric` that of the mixture, in which errors of the
two tracers may cancel. The way back starts at the true coefficients, for the inverse of a
prediction is its own input whatever the weights are, and aims at the estimate from the mixture
without noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.separation.network import SeparationNetwork

__all__ = [
    "LossWeights",
    "SeparationBatch",
    "frame_metric",
    "metric_loss",
    "mixture_metric",
    "separation_loss",
]


class SeparationBatch(NamedTuple):
    """What a training step sees, K = K1 + K2.

    Attributes:
        linear: Estimate z of the coefficients, shape (B, K, X, Y[, Z]).
        truth: True coefficients, of its shape.
        clean: Estimate from the mixture without noise, of its shape.
        condition: Shape (B, condition, X, Y[, Z]), or None.
        context: Shape (B, context), or None.
        metric: G of the tracers' errors, shape (K, K) or (B, K, K); None for the identity.
        mixing: G of the mixture's errors, likewise; None where the mixture has no part in the loss.
        where: 1 in voxels that count, else 0, shape (B, 1, X, Y[, Z]); None for all.
    """

    linear: Tensor
    truth: Tensor
    clean: Tensor
    condition: Tensor | None = None
    context: Tensor | None = None
    metric: Tensor | None = None
    mixing: Tensor | None = None
    where: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the parts of the loss (nominal).

    Attributes:
        forward: Of the errors of the separated tracers.
        inverse: Of those of the way back from the truth.
        mixing: Of those of the mixture that the separated tracers make.
    """

    forward: float = 1.0
    inverse: float = 0.1
    mixing: float = 0.0

    def __post_init__(self) -> None:
        if min(self.forward, self.inverse, self.mixing) < 0:
            raise UsageError(f"weights of the loss {self}", "expected none below 0")


def frame_metric(
    bases: tuple[Tensor, Tensor], weights: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    """Return G of the weighted mean squared error of the frames of both tracers, shape (K, K).

    Args:
        bases: Of each tracer, frames by coefficient, shape (T, K1) and (T, K2), or (B, T, K1) and
            (B, T, K2) for one G an item.
        weights: Precision of the frames of each tracer, shape (T,) or (B, T); None weighs alike.
    """
    first, second = (
        _gram(basis, None if weights is None else weights[i]) for i, basis in enumerate(bases)
    )
    k1, k2 = first.shape[-1], second.shape[-1]
    metric = first.new_zeros(*first.shape[:-2], k1 + k2, k1 + k2)
    metric[..., :k1, :k1] = first
    metric[..., k1:, k1:] = second
    return metric


def mixture_metric(
    bases: tuple[Tensor, Tensor], decay: Tensor, weights: Tensor | None = None
) -> Tensor:
    """Return G of the weighted mean squared error of the mixture's frames, shape (K, K).

    Args:
        bases: As for `frame_metric`.
        decay: One over the decay correction factors of the frames, 0 before the injection, shape
            (2, T) or (B, 2, T).
        weights: Precision of the mixture's frames, shape (T,) or (B, T); None weighs alike.
    """
    parts = [basis * decay[..., i, :, None] for i, basis in enumerate(bases)]
    return _gram(torch.cat(parts, -1), weights)


def metric_loss(
    estimate: Tensor, truth: Tensor, metric: Tensor | None = None, where: Tensor | None = None
) -> Tensor:
    """Return the mean over voxels of (estimate - truth)^T G (estimate - truth), over K without G.

    Args:
        estimate: Shape (B, K, X, Y[, Z]).
        truth: Of its shape.
        metric: G, shape (K, K) or (B, K, K); None for the identity over K.
        where: Voxels that count, shape (B, 1, X, Y[, Z]); None for all.
    """
    error = (estimate - truth).flatten(2)
    if metric is None:
        each = error.square().mean(1)
    else:
        with torch.autocast(error.device.type, enabled=False):
            each = (error * (metric.to(error.dtype) @ error)).sum(1)
    if where is None:
        return each.mean()
    counted = where.expand(len(error), -1, *where.shape[2:]).flatten(1).to(each.dtype)
    return (each * counted).sum() / counted.sum().clamp(min=1.0)


def separation_loss(
    network: SeparationNetwork, batch: SeparationBatch, weights: LossWeights | None = None
) -> Tensor:
    """Return the loss of a batch; parts of weight 0 are not computed.

    Args:
        network: The network.
        batch: What it sees and the truth.
        weights: Of the parts; the defaults if None.

    Raises:
        ValueError: If the mixture has a weight but the batch no metric of it.
    """
    weights = weights or LossWeights()
    told = batch.condition, batch.context
    loss = batch.truth.new_zeros(())
    if weights.forward or weights.mixing:
        separated = network.separate(batch.linear, *told)
        forward = metric_loss(separated, batch.truth, batch.metric, batch.where)
        loss = loss + weights.forward * forward
        if weights.mixing:
            if batch.mixing is None:
                raise ValueError("the mixture has a weight but no metric")
            mixed = metric_loss(separated, batch.truth, batch.mixing, batch.where)
            loss = loss + weights.mixing * mixed
    if weights.inverse:
        mixed_back = network.mix_back(batch.truth, *told)
        inverse = metric_loss(mixed_back, batch.clean, batch.metric, batch.where)
        loss = loss + weights.inverse * inverse
    return loss


def _gram(basis: Tensor, weights: Tensor | None) -> Tensor:
    weighed = basis if weights is None else basis * weights[..., :, None]
    return basis.mT @ weighed / basis.shape[-2]
