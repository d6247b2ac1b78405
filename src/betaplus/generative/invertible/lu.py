r"""An invertible 1x1 convolution, kept as its LU factors (Kingma and Dhariwal, "Glow", 2018).

.. math:: W = P L (U + \mathrm{diag}(\sigma e^{a})), \qquad
          \log|\det W| = \sum_i a_i \text{ for each voxel} .

P and the signs stay as they were at the start, so that W is invertible whatever is learned.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

__all__ = ["LUConvolution", "Start"]

Start = Literal["orthogonal", "identity"]


class LUConvolution(nn.Module):
    """The same invertible mixing of channels in every voxel of an image or a volume.

    Args:
        channels: How many.
        start: A random rotation, or none.
    """

    def __init__(self, channels: int, start: Start = "orthogonal") -> None:
        super().__init__()
        if start == "orthogonal":
            mixing = torch.linalg.qr(torch.randn(channels, channels))[0]
        else:
            mixing = torch.eye(channels)
        permutation, lower, upper = torch.linalg.lu(mixing)
        self.permutation = nn.Buffer(permutation)
        self.sign = nn.Buffer(upper.diagonal().sign())
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_diagonal = nn.Parameter(upper.diagonal().abs().log())

    def matrix(self) -> Tensor:
        """Return W, shape (channels, channels)."""
        return self._product(self.permutation.dtype)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return W x, and the log-determinant of each item, shape (B,).

        Args:
            x: Shape (B, channels, X, Y[, Z]), of whose type the product is.
        """
        # A product, not a convolution: on GPUs those are rounded to TF32 unless told otherwise.
        with torch.autocast(x.device.type, enabled=False):
            y = (self._product(x.dtype) @ x.flatten(2)).reshape(x.shape)
        log_det = self.log_diagonal.to(x.dtype).sum() * math.prod(x.shape[2:])
        return y, log_det.expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Return x, by two triangular solves.

        Args:
            y: Shape (B, channels, X, Y[, Z]).
        """
        with torch.autocast(y.device.type, enabled=False):
            permutation, lower, upper = self._factors(y.dtype)
            x = permutation.T @ y.flatten(2)
            x = torch.linalg.solve_triangular(lower, x, upper=False, unitriangular=True)
            x = torch.linalg.solve_triangular(upper, x, upper=True)
        return x.reshape(y.shape)

    def _product(self, dtype: torch.dtype) -> Tensor:
        permutation, lower, upper = self._factors(dtype)
        return permutation @ lower @ upper

    def _factors(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        lower, upper = self.lower.to(dtype).tril(-1), self.upper.to(dtype).triu(1)
        diagonal = self.sign.to(dtype) * self.log_diagonal.to(dtype).exp()
        lower = lower + torch.eye(len(lower)).to(lower)
        return self.permutation.to(dtype), lower, upper + diagonal.diag()
