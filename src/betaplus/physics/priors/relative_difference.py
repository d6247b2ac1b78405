r"""The relative difference prior.

.. math::
    R(x) = \tfrac12 \sum_j \sum_{k \in N(j)} w_{jk} \kappa_j \kappa_k
           \frac{(x_j - x_k)^2}{x_j + x_k + \gamma |x_j - x_k| + \epsilon}

(Nuyts et al., IEEE TNS 49, 56, 2002). It is convex for x >= 0, where alone it is defined. With
d = x_j - x_k and the denominator phi, one pair's share of the derivatives is

- gradient: d (2 phi - d - gamma |d|) / phi^2,
- Hessian, diagonal: 2 (2 x_k + eps)^2 / phi^3,
- Hessian, off the diagonal: -2 (2 x_j + eps) (2 x_k + eps) / phi^3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from betaplus.core.errors import InputError, UsageError
from betaplus.physics.priors import relative_difference_kernels as kernels
from betaplus.physics.threads import each, ranges

__all__ = ["RelativeDifference"]


@dataclass(frozen=True, kw_only=True, eq=False)
class RelativeDifference:
    """The relative difference prior on images of one grid.

    The weight of a pair is the length of a voxel's shortest edge over the distance of the two
    centres: 1 for the nearest neighbour, as STIR and PETRIC have it where x is a shortest edge.
    Neighbours beyond the edge of the image are left out. `"axial"` keeps the two neighbours along
    z alone, at the same weights, so that it is a part of the full sum.

    Two voxels that are both 0 share nothing with eps = 0.

    Attributes:
        spacing: Voxel size along x, y, z [mm].
        eps: Added to the denominator, in the image's unit; 1e-3 of an OSEM image's maximum is
            usual. It bounds the curvature at 0.
        gamma: How early the edges are kept; 0 gives a quadratic over the sum.
        neighbours: All 26, or those along z alone.
        kappa: Non-negative weights of voxels, shape (X, Y, Z), or None for 1.
        mask: Voxels that take part, shape (X, Y, Z), or None for all. Pairs that leave it count
            nothing, and outside it all derivatives are 0.
        threads: Threads to use; results do not depend on it.
    """

    spacing: tuple[float, float, float]
    eps: float
    gamma: float = 2.0
    neighbours: Literal["all", "axial"] = "all"
    kappa: np.ndarray | None = None
    mask: np.ndarray | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        if len(self.spacing) != 3 or not all(0 < s < math.inf for s in self.spacing):
            raise UsageError(f"voxel size {self.spacing}", "three positive numbers [mm]")
        for name, value in (("eps", self.eps), ("gamma", self.gamma)):
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} = {value}", "a number from 0 up")
        if self.neighbours not in ("all", "axial"):
            raise UsageError(f"neighbours = {self.neighbours!r}", "'all' or 'axial'")
        if self.kappa is not None and not bool(np.all((self.kappa >= 0) & (self.kappa < np.inf))):
            raise InputError("kappa has negative or undefined values", "weights from 0 up")

    def value(self, x: np.ndarray) -> float:
        """Return R(x), summed in double precision, of a non-negative image (X, Y, Z)."""
        image, kappa = self._prepared(x)
        offsets, weights = _neighbours(self.spacing, self.neighbours)
        half = len(offsets) // 2  # the other half are the same pairs seen from the other end
        planes = np.zeros(image.shape[0])
        gamma, eps = float(self.gamma), float(self.eps)
        fixed = (image, kappa, offsets[:half], weights[:half], gamma, eps, planes)
        each(kernels.value, [(*fixed, *part) for part in self._parts(image)], self.threads)
        return float(planes.sum())

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return dR/dx, float32, shape (X, Y, Z)."""
        return self._derivative(kernels.gradient, x)

    def hessian_diagonal(self, x: np.ndarray) -> np.ndarray:
        """Return the diagonal of the Hessian, float32, shape (X, Y, Z)."""
        return self._derivative(kernels.hessian_diagonal, x)

    def hessian_vector(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Return the Hessian at x times an image v, float32, shape (X, Y, Z)."""
        if v.shape != x.shape:
            raise InputError(f"a vector of shape {v.shape}", f"the image's shape {x.shape}")
        return self._derivative(
            kernels.hessian_vector, x, np.ascontiguousarray(v, dtype=np.float32)
        )

    def _derivative(
        self, kernel: Callable[..., None], x: np.ndarray, *more: np.ndarray
    ) -> np.ndarray:
        image, kappa = self._prepared(x)
        offsets, weights = _neighbours(self.spacing, self.neighbours)
        out = np.zeros_like(image)
        gamma, eps = np.float32(self.gamma), np.float32(self.eps)
        fixed: tuple[Any, ...] = (image, *more, kappa, offsets, weights, gamma, eps, out)
        each(kernel, [(*fixed, *part) for part in self._parts(image)], self.threads)
        return out

    def _parts(self, image: np.ndarray) -> list[tuple[int, int]]:
        return ranges(image.shape[0], self.threads)

    def _prepared(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the image and kappa (0 outside the mask), both float32 and contiguous."""
        if x.ndim != 3:
            raise InputError(f"an image of shape {x.shape}", "three axes (X, Y, Z)")
        for name, other in (("kappa", self.kappa), ("mask", self.mask)):
            if other is not None and other.shape != x.shape:
                raise InputError(f"{name} of shape {other.shape}", f"the image's shape {x.shape}")
        kappa = np.ones(x.shape, np.float32)
        if self.kappa is not None:
            kappa[:] = self.kappa
        if self.mask is not None:
            kappa[np.asarray(self.mask) == 0] = 0
        return np.ascontiguousarray(x, dtype=np.float32), kappa


def _neighbours(
    spacing: tuple[float, float, float], which: Literal["all", "axial"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets (n, 3) and weights (n,); the second half mirrors the first."""
    steps = (-1, 0, 1)
    flat = steps if which == "all" else (0,)
    offsets = [o for o in itertools.product(flat, flat, steps) if any(o)]
    distances = [math.dist((0, 0, 0), np.multiply(o, spacing)) for o in offsets]
    return np.array(offsets, np.int64), (min(spacing) / np.array(distances)).astype(np.float32)
