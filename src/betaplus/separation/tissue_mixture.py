r"""A voxel is one of the tissues of a person, or a blend of two, or like none of them.

The coefficients of a voxel have a mixture of Gaussians as their prior (Bishop, Pattern Recognition
and Machine Learning, 2006, section 2.3.9), its components

- every region r: mean :math:`\theta_r`, covariance :math:`W_r + V_{rr}`, with V what is still
  uncertain of :math:`\theta`;
- every pair of regions, blended by the resolution of the scanner in shares that are uniform
  from 0 to 1: mean :math:`(\theta_a + \theta_b) / 2`, covariance
  :math:`(W_a + W_b + V_{aa} + V_{bb} + V_{ab}) / 3 + \delta \delta^T / 12`, with
  :math:`\delta = \theta_a - \theta_b`;
- altered tissue, such as lesions, in every region of the brain, seen by the first tracer, the
  second or both;
- one broad Gaussian, as that of `linear`, for whatever else.

Given the whitened mixture :math:`y = F c + n` of `betaplus.separation.linear_estimate`, with noise
of variance :math:`s^2`, component k has the evidence :math:`N(y; F m_k, F C_k F^T + s^2)` and the
posterior of a linear Gaussian model. With :math:`F C_k F^T = U_k L_k U_k^T`,

.. math:: E_k[c] = m_k + C_k F^T U_k (L_k + s^2)^{-1} U_k^T (y - F m_k),

so that one factorisation of a component serves voxels of any noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from betaplus.separation.linear_estimate import LinearEstimate

__all__ = ["Moments", "TissueMixture"]

_CHUNK = 1024  # voxels
_SMALL = 1e-3  # weight of a component in a voxel, below which it is left out


@dataclass(frozen=True, eq=False, kw_only=True)
class Moments:
    """Posterior of the coefficients of N voxels.

    Attributes:
        mean: Shape (N, K).
        variance: Of each coefficient, shape (N, K); of each frame of both tracers, shape
            (N, 2 T), where that was asked for; None where neither was.
    """

    mean: Tensor
    variance: Tensor | None = None


class TissueMixture:
    """A mixture of Gaussians of coefficients, and what it makes of voxels.

    Args:
        estimate: Of the spaces of the coefficients: what is seen of them.
        mean: m, shape (M, K).
        covariance: C, shape (M, K, K).
        log_weight: Logarithm of the weights, shape (M,).
    """

    def __init__(
        self,
        estimate: LinearEstimate,
        mean: np.ndarray,
        covariance: np.ndarray,
        log_weight: np.ndarray,
    ) -> None:
        self.estimate = estimate
        self.mean, self.covariance, self.log_weight = mean, covariance, log_weight
        self.seen = estimate.response
        """F, shape (S, K)."""
        half = self.seen @ covariance
        values, vectors = np.linalg.eigh(half @ self.seen.T)
        self.values = np.maximum(values, 0.0)
        """L, shape (M, S)."""
        self.vectors = vectors
        """U, shape (M, S, S)."""
        self.gain = np.swapaxes(half, 1, 2) @ vectors
        """C F' U, shape (M, K, S)."""
        self.start = np.einsum("ms,msj->mj", mean @ self.seen.T, vectors)
        """U' F m, shape (M, S)."""

    @property
    def count(self) -> int:
        """M."""
        return len(self.mean)

    def kept(self, which: np.ndarray) -> TissueMixture:
        """Return the mixture of some of the components.

        Args:
            which: Shape (M,) bool.
        """
        log = self.log_weight[which]
        log = log - np.log(np.exp(log).sum())
        return TissueMixture(self.estimate, self.mean[which], self.covariance[which], log)

    def turned(self, white: Tensor) -> Tensor:
        """Return U' (y - F m) of every component, shape (N, M, S)."""
        vectors, start = self._as(white, self.vectors, self.start)
        flat = vectors.permute(1, 0, 2).reshape(white.shape[1], -1)
        return (white @ flat).reshape(len(white), *start.shape) - start

    def responsibilities(
        self, white: Tensor, noise: Tensor, log_prior: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return how probable every component is in a voxel, (N, M), and log evidence, (N,).

        Args:
            white: y, shape (N, S) [scale].
            noise: s, shape (N,) [scale].
            log_prior: Logarithm of the weights of components in each voxel, shape (N, M); those of
                the mixture if None.
        """
        shares = white.new_empty(len(white), self.count)
        evidence = white.new_empty(len(white))
        values, weight = self._as(white, self.values, self.log_weight)
        constant = 0.5 * white.shape[1] * float(np.log(2.0 * np.pi))
        for first in range(0, len(white), _CHUNK):
            part = slice(first, first + _CHUNK)
            variance = values + noise[part, None, None].to(white.dtype) ** 2
            square = self.turned(white[part]).square_().div_(variance)
            log = -0.5 * square.add_(variance.log()).sum(-1)
            log += weight if log_prior is None else log_prior[part]
            total = torch.logsumexp(log, 1)
            shares[part] = (log - total[:, None]).exp()
            evidence[part] = total - constant
        return shares, evidence

    def moments(
        self, white: Tensor, noise: Tensor, shares: Tensor, *, spread: Tensor | None = None
    ) -> Moments:
        """Return the posterior mean of the coefficients, and variances by the law of the total one.

        Args:
            white: y, shape (N, S) [scale].
            noise: s, shape (N,) [scale].
            shares: Probability of every component, shape (N, M).
            spread: Variances are those of `spread` @ c, shape (Q, K); None for no variances.
        """
        shares = torch.where(shares > _SMALL, shares, 0.0)
        shares = shares / shares.sum(1, keepdim=True)
        mean = white.new_zeros(len(white), self.mean.shape[1])
        held = [shares[:, k].nonzero()[:, 0] for k in range(self.count)]
        own: list[Tensor] = []
        for k, rows in enumerate(held):
            own.append(self._own_mean(k, white[rows], noise[rows]))
            mean.index_add_(0, rows, shares[rows, k, None] * own[k])
        if spread is None:
            return Moments(mean=mean)
        to = spread.to(white.dtype)
        variance = white.new_zeros(len(white), len(to))
        gain, values, covariance = self._as(white, self.gain, self.values, self.covariance)
        for k, rows in enumerate(held):
            if not len(rows):
                continue
            before = ((to @ covariance[k]) * to).sum(1)
            seen = (to @ gain[k]).square()
            left = values[k] + noise[rows, None].to(white.dtype) ** 2
            inside = (before - (1.0 / left) @ seen.T).clamp_min(0.0)
            apart = (own[k] - mean[rows]) @ to.T
            variance.index_add_(0, rows, shares[rows, k, None] * (inside + apart.square()))
        return Moments(mean=mean, variance=variance)

    def _own_mean(self, k: int, white: Tensor, noise: Tensor) -> Tensor:
        vectors, start, values, gain, mean = self._as(
            white, self.vectors[k], self.start[k], self.values[k], self.gain[k], self.mean[k]
        )
        left = values + noise[:, None].to(white.dtype) ** 2
        return mean + ((white @ vectors - start) / left.clamp_min(1e-30)) @ gain.T

    @staticmethod
    def _as(like: Tensor, *arrays: np.ndarray) -> list[Tensor]:
        return [torch.as_tensor(array, dtype=like.dtype) for array in arrays]
