r"""What the data say of whole maps, with noise that is correlated from voxel to voxel.

With L L' = M, the map :math:`q = 1/s`, and S the spectrum of noise over its mean,

.. math:: -\log p(y | u) = \tfrac12 (u - \hat u)' A (u - \hat u), \quad A = q L\, C\, L' q,
    \quad C = 1 / \max(S, 1) .

Independent voxels would be trusted too much: through a filter of 5 mm, the mean of a region is
several times as noisy as they say. C is 1 / S where noise has much power, over low frequencies, and
1 where it has next to none and the image has edges: no frequency is trusted more than of white
noise of the same SD. Noise is taken for white
noise through a Gaussian (`betaplus.patlak.noise_map`); volumes are padded with nothing.

u = (A + R)^-1 (A u-hat + R z) is found by conjugate gradients, preconditioned with the same for
independent voxels, which is in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from betaplus.patlak.problem import PatlakProblem
from betaplus.physics.image_noise import NoiseCorrelation
from betaplus.physics.threads import each

__all__ = ["DataTerm"]

_REACH = 3.0  # SD of the Gaussian: voxels of nothing between the ends of a volume
_TINY = 1e-30
_PLANES = 8  # of x that are worked on together: their arrays stay small


class DataTerm:
    """A quadratic in u.

    Args:
        problem: The scan.
        variance: s^2, shape (X, Y, Z) [SUV^2]; 0 where there are no data.
        correlation: Of the noise; None takes voxels to be independent.
        coupled: Whether what is known of Ki and V0 together is used; else each channel has the
            variance that it has alone.
        threads: Threads to use; results do not depend on them.

    Attributes:
        right: A u-hat, shape (2, X, Y, Z) [1/SUV].
    """

    def __init__(
        self,
        problem: PatlakProblem,
        variance: Tensor,
        correlation: NoiseCorrelation | None,
        *,
        coupled: bool = True,
        threads: int = 1,
    ) -> None:
        self._threads = threads
        normal = problem.normal.double().movedim(2, 0)
        if not coupled:
            normal = torch.diag_embed(1.0 / torch.linalg.inv(normal).diagonal(dim1=1, dim2=2))
        self._normal = normal.movedim(0, 2).float()
        self._root = torch.linalg.cholesky(normal).movedim(0, 2).float()
        self._q = torch.where(variance > 0, variance.clamp_min(_TINY).rsqrt(), 0.0)
        self._shape = problem.shape
        self._filter = None if correlation is None else self._gains(correlation)
        self._typical = 1.0
        if self._filter is not None:
            self._typical = float(self._filter.double().log().mean().exp())
        self.right = self._apply(problem.least_squares())

    def solve(
        self,
        z: Tensor,
        precision: Tensor,
        *,
        noise: Tensor | None = None,
        tolerance: float = 1e-3,
        iterations: int = 30,
    ) -> Tensor:
        """Return (A + R)^-1 (A u-hat + R z [+ noise]), shape (2, X, Y, Z).

        Args:
            z: What is suggested, likewise [SUV].
            precision: R, shape (2 or 1, X, Y, Z) or one that broadcasts to it [1/SUV^2], above 0.
            noise: Added to the right-hand side, likewise: makes a draw of `draw_noise`.
            tolerance: Residual over the right-hand side at which to stop.
            iterations: At most.
        """
        r = precision
        right = self.right + r * z
        if noise is not None:
            right = right + noise
        invert = self._inverse(precision)
        if self._filter is None:
            return invert(right)
        u = z.clone()
        left = right - self._apply(u) - r * u
        better = invert(left)
        way, power = better.clone(), _dot(left, better)
        enough = tolerance**2 * _dot(right, invert(right))
        del right, better  # volumes that no turn needs
        for _ in range(iterations):
            if power <= enough or power <= _TINY:
                break
            along = self._apply(way).addcmul_(r, way)
            length = power / _dot(way, along)
            u.add_(way, alpha=length)
            left.sub_(along, alpha=length)
            del along
            better = invert(left)
            last, power = power, _dot(left, better)
            way.mul_(power / last).add_(better)
            del better
        return u

    def draw_noise(self, white: Tensor, more: Tensor, precision: Tensor) -> Tensor:
        """Return noise of covariance A + R, of two standard normal arrays (2, X, Y, Z)."""
        return self._q * self._rooted(self._filtered(white, half=True)) + precision.sqrt() * more

    def _apply(self, u: Tensor) -> Tensor:
        """Return A u."""
        white = self._filtered(self._rooted(self._q * u, transposed=True))
        return self._rooted(white).mul_(self._q)

    def _rooted(self, x: Tensor, *, transposed: bool = False) -> Tensor:
        """Return L x, or L' x."""
        (a, _), (b, c) = self._root
        if transposed:
            return torch.stack([a * x[0] + b * x[1], c * x[1]])
        return torch.stack([a * x[0], b * x[0] + c * x[1]])

    def _filtered(self, x: Tensor, *, half: bool = False) -> Tensor:
        """Return C x, or the symmetric root of C times it."""
        if self._filter is None:
            return x
        gains = self._filter.sqrt() if half else self._filter
        out = torch.empty_like(x)

        def filtered(channel: int) -> None:
            if self._threads > 1:  # bits depend on the threads within one
                torch.set_num_threads(1)
            waves = torch.fft.rfftn(x[channel], self._padded)
            found = torch.fft.irfftn(waves * gains, self._padded)
            out[channel] = found[tuple(slice(n) for n in self._shape)]

        each(filtered, [(channel,) for channel in range(len(x))], self._threads)
        return out

    def _gains(self, correlation: NoiseCorrelation) -> Tensor:
        sigma = [s / v for s, v in zip(correlation.sigma, correlation.voxel, strict=True)]
        self._padded = tuple(
            _even(n + math.ceil(_REACH * s)) for n, s in zip(self._shape, sigma, strict=True)
        )
        lines = []
        for axis, (n, s) in enumerate(zip(self._padded, sigma, strict=True)):
            line = torch.exp(
                -((s * 2.0 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)) ** 2)
            )
            line = line / line.mean()
            lines.append(line if axis < 2 else line[: n // 2 + 1])
        spectrum = lines[0][:, None, None] * lines[1][:, None] * lines[2]
        return (1.0 / spectrum.clamp_min(1.0)).float()

    def _inverse(self, precision: Tensor) -> Callable[[Tensor], Tensor]:
        """Return (A + R)^-1 of independent voxels, of C's geometric mean."""
        (a, b), (_, c) = self._normal
        every = precision.expand(-1, *self._shape)

        def invert(x: Tensor) -> Tensor:
            out = torch.empty_like(x)
            for first in range(0, self._shape[0], _PLANES):
                part = slice(first, first + _PLANES)
                p = self._q[part].square() * self._typical
                r1, r2, one, two = every[0, part], every[-1, part], x[0, part], x[1, part]
                # The determinant without differences of products.
                whole = p * (p * (a * c - b * b) + a * r2 + c * r1) + r1 * r2
                out[0, part] = ((c * p + r2) * one - b * p * two) / whole
                out[1, part] = ((a * p + r1) * two - b * p * one) / whole
            return out

        return invert


def _dot(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum(dtype=torch.float64))


def _even(n: int) -> int:
    """Return the next even number of small factors, which transforms are fast for."""
    n += n % 2
    while True:
        left = n
        for factor in (2, 3, 5, 7):
            while left % factor == 0:
                left //= factor
        if left == 1:
            return n
        n += 2
