r"""The coefficients of both tracers from the mixture, in closed form.

With :math:`A = W^{1/2} [D_1 B_1, D_2 B_2]`, :math:`y = W^{1/2} (m - D_1 \mu_1 - D_2 \mu_2)` and
noise of variance s^2 in every whitened frame, c ~ N(0, I) has the posterior

.. math:: E[c] = R \frac{S}{S^2 + s^2} Q^T y, \quad Cov[c] = R \frac{s^2}{S^2 + s^2} R^T,

where :math:`A = Q S R^T` (Bishop, Pattern Recognition and Machine Learning, 2006, section 3.3). Q,
S and R do not depend on s: one factorisation serves voxels of any noise.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from betaplus.core.errors import UsageError
from betaplus.separation.basis import CurveSpace

__all__ = ["LinearEstimate"]


class LinearEstimate:
    """The linear Bayesian estimate of a protocol.

    Args:
        spaces: Curves of both tracers.
        decay: d, shape (2, T).
        weights: w, shape (T,): frames have noise of variance s^2 / w.

    Raises:
        UsageError: If they are not of the same frames.
    """

    def __init__(
        self, spaces: tuple[CurveSpace, CurveSpace], decay: np.ndarray, weights: np.ndarray
    ) -> None:
        frames = len(weights)
        if decay.shape != (2, frames) or any(len(s.mean) != frames for s in spaces):
            raise UsageError(
                f"decay of {decay.shape[-1]}, weights of {frames} and spaces of"
                f" {len(spaces[0].mean)} and {len(spaces[1].mean)} frames",
                "expected the same frames",
            )
        self.spaces = spaces
        self.sizes = (spaces[0].size, spaces[1].size)
        root = np.sqrt(np.asarray(weights, dtype=np.float64))
        self.mean = sum(d * s.mean for d, s in zip(decay, spaces, strict=True))
        """Mixture that is expected before any is seen, shape (T,)."""
        self.root = root
        self.matrix = root[:, None] * np.concatenate(
            [d[:, None] * s.basis for d, s in zip(decay, spaces, strict=True)], axis=1
        )
        """A, shape (T, K1 + K2)."""
        q, s, rt = np.linalg.svd(self.matrix, full_matrices=True)
        total = sum(self.sizes)
        self._q = q[:, : len(s)]
        self.singular = s
        self._r = rt.T  # (K, K): directions that A does not reach come last
        self._padded = np.concatenate([s, np.zeros(total - len(s))])

    @property
    def response(self) -> np.ndarray:
        """F, by which Q'y goes with the coefficients, shape (S, K1 + K2) [scale]."""
        return np.asarray(self.singular[:, None] * self._r[:, : len(self.singular)].T)

    @property
    def frame_basis(self) -> np.ndarray:
        """Frames of both tracers by the coefficients of both, shape (2 T, K1 + K2) [scale]."""
        frames, (first, second) = len(self.mean), self.sizes
        out = np.zeros((2 * frames, first + second))
        out[:frames, :first] = self.spaces[0].basis
        out[frames:, first:] = self.spaces[1].basis
        return out

    def whitened(self, mixture: Tensor) -> Tensor:
        """Return Q'y, shape (..., S) [scale], whose noise is s in every component and white.

        Args:
            mixture: Shape (..., T) [scale].
        """
        to = torch.as_tensor(self._q * self.root[:, None], dtype=mixture.dtype)
        return (mixture - torch.as_tensor(self.mean, dtype=mixture.dtype)) @ to

    def coefficients(self, mixture: Tensor, noise: Tensor | float) -> Tensor:
        """Return E[c], shape (..., K1 + K2).

        Args:
            mixture: Shape (..., T) [scale].
            noise: s, broadcast to (...) [scale].
        """
        return self.shrunk(self.whitened(mixture), noise)

    def shrunk(self, white: Tensor, noise: Tensor | float) -> Tensor:
        """Return E[c], shape (..., K1 + K2), of what `whitened` returned.

        Args:
            white: Shape (..., S) [scale].
            noise: s, broadcast to (...) [scale].
        """
        s = torch.as_tensor(self.singular, dtype=white.dtype)
        variance = torch.as_tensor(noise, dtype=white.dtype)[..., None] ** 2
        kept = white * (s / (s * s + variance).clamp_min(1e-30))
        return kept @ torch.as_tensor(self._r[:, : len(self.singular)].T, dtype=white.dtype)

    def covariance(self, noise: float) -> np.ndarray:
        """Return Cov[c] at a noise level s [scale], shape (K1 + K2, K1 + K2) float64."""
        return np.asarray((self._r * self._left(np.asarray(noise))) @ self._r.T)

    def deviation(self, noise: Tensor) -> Tensor:
        """Return the posterior SD of c, shape (..., K1 + K2), at noise s of shape (...)."""
        left = torch.as_tensor(self._left(noise.double().numpy()[..., None]))
        return (left @ torch.as_tensor(self._r.T**2)).sqrt().to(noise.dtype)

    def estimator(self, noise: float) -> np.ndarray:
        """Return G with E[c] = G (m - mean) at a noise level s, shape (K1 + K2, T) float64."""
        s = self.singular
        gain = s / np.maximum(s * s + noise**2, 1e-300)
        return np.asarray((self._r[:, : len(s)] * gain) @ self._q.T * self.root)

    def leverage(self, noise: float) -> np.ndarray:
        """Return the share of each frame's noise variance that is gone from its residual, (T,).

        With E[c] = G m the residual is (I - H) m, H the matrix of the fit, and of noise of variance
        s^2 / w the part that is left in frame f is the f-th diagonal of (I - H) (I - H)'.
        """
        s = self.singular
        hat = (self._q * (s * s / (s * s + noise**2))) @ self._q.T
        rest = np.eye(len(hat)) - hat
        return np.asarray(1.0 - np.sum(rest * rest, axis=1))

    def curves(self, coefficients: Tensor) -> tuple[Tensor, Tensor]:
        """Return the frame means of both tracers, each shape (..., T) [scale]."""
        first, second = torch.split(coefficients, self.sizes, dim=-1)
        kind = coefficients.dtype
        out = [
            torch.as_tensor(s.mean, dtype=kind) + c @ torch.as_tensor(s.basis.T, dtype=kind)
            for s, c in zip(self.spaces, (first, second), strict=True)
        ]
        return out[0], out[1]

    def curve_deviation(self, noise: Tensor) -> Tensor:
        """Return the posterior SD of the curves, shape (2, ..., T), at noise s of shape (...)."""
        left = torch.as_tensor(self._left(noise.double().numpy()[..., None]))
        k = self.sizes[0]
        rows = (self._r[:k], self._r[k:])
        out = [
            left @ torch.as_tensor((s.basis @ r).T ** 2)
            for s, r in zip(self.spaces, rows, strict=True)
        ]
        return torch.stack(out).sqrt().to(noise.dtype)

    def _left(self, noise: np.ndarray) -> np.ndarray:
        """s^2 / (S^2 + s^2): what is left of the prior's variance, 1 where A does not reach."""
        variance = noise**2
        total = self._padded**2 + variance
        return np.where(total > 0, variance / np.where(total > 0, total, 1.0), self._padded == 0)
