"""A conditional neural spline flow with the condition encoder of the other networks.

Durkan et al., NeurIPS 2019, by zuko. Places that do not exist are standard normal in training and
in use, so that one density of full length serves every subset of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import zuko
from torch import Tensor, nn

from betaplus.generative.conditional import ConditionEncoder, FieldSize

__all__ = ["ConditionalFlow", "FlowSize"]


@dataclass(frozen=True, kw_only=True)
class FlowSize:
    """Widths of a flow.

    Attributes:
        dimension: Length of the vectors.
        token: Numbers per token.
        features: Numbers beside the tokens.
        condition: Width of the encoder.
        context: What each transform is told.
        width: Width of the transforms' networks.
        transforms: How many.
        bins: Pieces of each spline.
        encoder: Width of the token network.
    """

    dimension: int
    token: int
    features: int
    condition: int = 256
    context: int = 64
    width: int = 128
    transforms: int = 3
    bins: int = 8
    encoder: int = 64


class ConditionalFlow(nn.Module):
    """A density of vectors under a condition, from which draws can be had as well."""

    def __init__(self, size: FlowSize) -> None:
        super().__init__()
        self.size = size
        self.encoder = ConditionEncoder(
            FieldSize(
                dimension=size.dimension,
                token=size.token,
                features=size.features,
                condition=size.condition,
                encoder=size.encoder,
            )
        )
        self.context = nn.Linear(size.condition + size.dimension, size.context)
        self.flow = zuko.flows.NSF(
            size.dimension,
            size.context,
            bins=size.bins,
            transforms=size.transforms,
            hidden_features=(size.width, size.width),
        )

    def condition(self, tokens: Tensor, count: Tensor, features: Tensor, there: Tensor) -> Tensor:
        """Return the context of each item, shape (B, context); see `ConditionalField.condition`."""
        encoded = self.encoder(tokens, count, features)
        return self.context(torch.cat([encoded, there], -1))

    def log_density(self, x: Tensor, context: Tensor) -> Tensor:
        """Return the log density (B, S) of vectors (B, S, dimension)."""
        return self.flow(context[:, None].expand(-1, x.shape[1], -1)).log_prob(x)

    def draw(self, normal: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors (B, S, dimension) and log densities (B, S) from standard normal ones."""
        transform = self.flow(context[:, None].expand(-1, normal.shape[1], -1)).transform
        x, log_det = transform.inv.call_and_ladj(normal)
        base = -0.5 * (normal.square() + torch.log(torch.tensor(2.0 * torch.pi))).sum(-1)
        return x, base - log_det
