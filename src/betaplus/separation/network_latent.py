r"""The separation network as a density of the coefficients, from which draws can be had.

.. math:: u = F(S^{-1}(c - \mu)), \qquad
   \log p(c) = \log N(u; 0, 1) + \log|\det dF| - \log|\det S|

is a conditional normalising flow (Papamakarios et al., JMLR 2021): mu is the linear estimate and S
a factor of its posterior covariance in each voxel, so that an untrained network that starts as the
identity is the linear Gaussian posterior, and learning is what it leaves open: what neighbours say,
and what is not Gaussian.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from betaplus.separation.network import SeparationNetwork

__all__ = ["LatentPosterior", "color", "latent_loss", "whiten"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LatentPosterior:
    """The posterior of the coefficient images of a batch.

    Attributes:
        network: F.
        mean: mu, shape (B, K, X, Y[, Z]).
        factor: S, lower triangular with a positive diagonal, shape (B, K, K, X, Y[, Z]); axes of
            length 1 stand for all items or voxels.
        condition: Shape (B, condition, X, Y[, Z]), or None.
        context: Shape (B, context), or None.
    """

    network: SeparationNetwork
    mean: Tensor
    factor: Tensor
    condition: Tensor | None = None
    context: Tensor | None = None

    def log_density(self, c: Tensor) -> Tensor:
        """Return log p(c) of each item, shape (B,).

        Args:
            c: Shape (B, K, X, Y[, Z]).
        """
        white, before = whiten(c - self.mean, self.factor)
        u, log_det = self.network(white, self.condition, self.context)
        normal = -0.5 * (u.square() + math.log(2 * math.pi)).flatten(1).sum(1)
        return normal + log_det + before

    def draw(self, normal: Tensor) -> Tensor:
        """Return draws of c, of the shape of `normal`.

        Args:
            normal: Standard normal numbers, shape (B, K, X, Y[, Z]).
        """
        white = self.network.mix_back(normal, self.condition, self.context)
        return self.mean + color(white, self.factor)


def latent_loss(posterior: LatentPosterior, truth: Tensor) -> Tensor:
    """Return minus the log density of the truth per voxel and coefficient, for training.

    Args:
        posterior: Of the batch.
        truth: True coefficients, shape (B, K, X, Y[, Z]).
    """
    return -posterior.log_density(truth).mean() / math.prod(truth.shape[1:])


def whiten(x: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Return S^-1 x voxel by voxel, and -log|det S| of each item, shape (B,).

    Args:
        x: Shape (B, K, X, Y[, Z]).
        factor: S, as for `LatentPosterior`.
    """
    rows: list[Tensor] = []
    for i in range(x.shape[1]):
        left = x[:, i]
        for j, known in enumerate(rows):
            left = left - factor[:, i, j] * known
        rows.append(left / factor[:, i, i])
    diagonal = torch.stack([factor[:, i, i].expand_as(x[:, i]) for i in range(x.shape[1])], 1)
    return torch.stack(rows, 1), -diagonal.log().flatten(1).sum(1)


def color(white: Tensor, factor: Tensor) -> Tensor:
    """Return S x voxel by voxel, which undoes `whiten`."""
    rows = [
        sum((factor[:, i, j] * white[:, j] for j in range(i)), start=factor[:, i, i] * white[:, i])
        for i in range(white.shape[1])
    ]
    return torch.stack(rows, 1)
