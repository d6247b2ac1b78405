r"""The patch prior for MAP-EM, and its separable surrogate.

.. math::
    U(x) = \tfrac14 \sum_j \sum_{k \in N(j)} \psi(t_{jk}), \qquad
    t_{jk}^2 = \sum_l h_l (x_{j+l} - x_{k+l})^2, \qquad
    \psi(t) = t - \delta \ln(1 + t / \delta)

(Wang and Qi, IEEE TMI 31, 2194, 2012, with Lange's potential). The surrogate comes in three steps:

1. psi is concave in t^2: psi(t) <= psi(t_n) + omega(t_n) (t^2 - t_n^2) / 2, with
   omega(t) = psi'(t) / t = 1 / (delta + t) at the current image x_n.
2. Sum over the patch and call a = j + l, b = k + l; the offset b - a stays. So U is at most
   1/8 sum_a sum_b w_ab (x_a - x_b)^2 and a constant, w_ab = sum_l h_l omega(t_{a-l,b-l}).
3. De Pierro: (x_a - x_b)^2 is at most half of (2 x_a - m)^2 + (2 x_b - m)^2, m the sum of the two
   current values. As w is symmetric, both halves sum to the same.

The bound is 1/2 sum_a w_a (x_a - x_reg,a)^2 and a constant, with w_a = sum_b w_ab and
x_reg,a = sum_b w_ab (x_n,a + x_n,b) / (2 w_a). It touches U at x_n with U's own gradient,
w_a (x_n,a - x_reg,a). A patch may reach beyond the image or the mask: elements l for which j + l or
k + l lies outside then have no share in t_jk, so that all of this holds at the border as well.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.physics.priors import patch_kernels as kernels
from betaplus.physics.threads import each, ranges

__all__ = ["PatchPrior"]

_PLANES = 16  # of a slab: its buffers stay small, and what its borders repeat does too


@dataclass(frozen=True, kw_only=True, eq=False)
class PatchPrior:
    """Wang and Qi's patch prior on images of one grid.

    All elements of a patch weigh the same, h = 1 / elements, and all neighbours do, whatever the
    voxel's shape. t is then a root mean square difference in the image's unit.

    Attributes:
        delta: Difference, in the image's unit, below which the prior is quadratic and above which
            it is linear.
        neighbourhood: Edge of the neighbourhood [voxels], odd; 3 gives 26 neighbours.
        patch: Edge of a patch [voxels], odd; 1 compares voxels alone.
        mask: Voxels that take part, shape (X, Y, Z), or None for all. Outside it weights are 0.
            Voxels that the data do not see are best left out.
        threads: Threads to use; results do not depend on it.
    """

    delta: float
    neighbourhood: int = 3
    patch: int = 3
    mask: np.ndarray | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.delta < math.inf:
            raise UsageError(f"delta = {self.delta}", "a positive number in the image's unit")
        for name, edge, least in (
            ("neighbourhood", self.neighbourhood, 3),
            ("patch", self.patch, 1),
        ):
            if edge < least or edge % 2 == 0:
                raise UsageError(f"{name} = {edge}", f"an odd number of voxels from {least} up")

    def value(self, x: np.ndarray) -> float:
        """Return U(x), summed in double precision, of an image (X, Y, Z)."""
        image = self._image(x)
        planes = np.zeros(image.shape[0])
        self._run(kernels.value, image, planes)
        return float(planes.sum()) / 2  # each pair once, for the fourth of each pair twice

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return dU/dx, float32, shape (X, Y, Z)."""
        gradient, _ = self._slopes(self._image(x))
        return gradient

    def surrogate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what bounds U around an image: U(y) - U(x) <= Q(y) - Q(x) for every image y.

        Args:
            x: Current image, shape (X, Y, Z).

        Returns:
            x_reg and w of Q(y) = 1/2 sum w (y - x_reg)^2, both float32, shape (X, Y, Z). Where a
            voxel has no neighbour, w = 0 and x_reg = x.
        """
        image = self._image(x)
        gradient, weight = self._slopes(image)
        step = np.zeros_like(gradient)
        np.divide(gradient, weight, out=step, where=weight > 0)
        return image - step, weight

    def _slopes(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient, weight = np.zeros_like(image), np.zeros_like(image)
        self._run(kernels.slopes, image, gradient, weight)
        return gradient, weight

    def _run(self, kernel: Callable[..., None], image: np.ndarray, *out: np.ndarray) -> None:
        masked = self.mask is not None
        mask = (
            np.ascontiguousarray(np.asarray(self.mask) != 0, dtype=np.float32)
            if masked
            else np.ones((1, 1, 1), np.float32)
        )
        steps = range(-(self.neighbourhood // 2), self.neighbourhood // 2 + 1)
        offsets = np.array([o for o in itertools.product(steps, repeat=3) if o > (0, 0, 0)])
        share = np.float32(1 / self.patch**3)
        reach, delta = self.patch // 2, np.float32(self.delta)
        fixed: tuple[Any, ...] = (image, mask, masked, offsets, reach, share, delta, *out)
        slabs = ranges(image.shape[0], max(self.threads, math.ceil(image.shape[0] / _PLANES)))
        each(kernel, [(*fixed, *slab) for slab in slabs], self.threads)

    def _image(self, x: np.ndarray) -> np.ndarray:
        if x.ndim != 3:
            raise InputError(f"an image of shape {x.shape}", "three axes (X, Y, Z)")
        if self.mask is not None and self.mask.shape != x.shape:
            raise InputError(f"mask of shape {self.mask.shape}", f"the image's shape {x.shape}")
        return np.ascontiguousarray(x, dtype=np.float32)
