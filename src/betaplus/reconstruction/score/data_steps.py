r"""Steps towards the counts from what a prior says.

.. math::
    x \leftarrow \max(0, x + \delta P (n \nabla L_j + \lambda (x_0 - x) - \beta \nabla R_z(x)))

with the Poisson log-likelihood of subset j of n and the relative difference prior along z; the pull
is the gradient of :math:`-\tfrac12 \lambda |x - x_0|^2`, without a factor of 2. P is one of

- ``full``: x / s with the sensitivity of all data (Webber et al., arXiv 2412.04319);
- ``subset``: x / (n s_j), with which :math:`\delta = 1, \lambda = \beta = 0` is OSEM, but that
  voxels which a subset does not see stay as they are;
- ``prior``: x / (s + x (lambda + beta diag H)), which knows the curvature of the other terms, so
  that no strength of them makes the steps too long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.physics.priors.relative_difference import RelativeDifference
from betaplus.reconstruction.data import Data

__all__ = ["PRECONDITIONERS", "DataSteps"]

PRECONDITIONERS = ("full", "subset", "prior")

_FLOOR = 1e-4  # of the level: what a voxel counts as in P, so that 0 can be left


@dataclass(frozen=True, eq=False, kw_only=True)
class DataSteps:
    """The steps between two network calls.

    Attributes:
        data: Counts in subsets.
        axial: The prior along z.
        level: Level of the image, of which voxels near 0 are taken to be a small share.
        pull: lambda [counts over the image's unit squared].
        beta: Strength of the axial prior, in the unit of the sensitivity.
        delta: Share of a step that is taken.
        preconditioner: One of `PRECONDITIONERS`.
    """

    data: Data
    axial: RelativeDifference
    level: float
    pull: float
    beta: float
    delta: float = 1.0
    preconditioner: str = "prior"

    def __post_init__(self) -> None:
        if self.preconditioner not in PRECONDITIONERS:
            raise UsageError(
                f"setting preconditioner={self.preconditioner}",
                f"expected one of {', '.join(PRECONDITIONERS)}",
            )

    def __call__(self, clean: np.ndarray, first: int, count: int) -> np.ndarray:
        """Return the image after some steps that start from a clean estimate.

        Args:
            clean: x_0, shape (X, Y, Z), in the image's unit.
            first: Subsets used before.
            count: Steps, one subset each.
        """
        return self.go_on(clean * self.data.mask, clean, first, count)

    def go_on(self, x: np.ndarray, clean: np.ndarray, first: int, count: int) -> np.ndarray:
        """Return x after some more steps, of which the pull is to a clean estimate."""
        order, mask = self.data.order, self.data.mask
        x = np.maximum(x, 0.0)
        for n in range(first, first + count):
            subset = order[n % len(order)]
            gradient = self.data.back_ratio(x, subset) - self.data.subset_sensitivity(subset)
            gradient *= len(order)
            gradient += np.float32(self.pull) * (clean - x)
            if self.beta > 0.0:
                gradient -= np.float32(self.beta) * self.axial.gradient(x)
            x = np.maximum(x + np.float32(self.delta) * self._scaling(x, subset) * gradient, 0.0)
            x = (x * mask).astype(np.float32)
        return x

    def _scaling(self, x: np.ndarray, subset: int) -> np.ndarray:
        """Return P."""
        image = np.maximum(x, np.float32(_FLOOR * self.level))
        if self.preconditioner == "subset":
            below = len(self.data.order) * self.data.subset_sensitivity(subset)
        elif self.preconditioner == "full":
            below = self.data.sensitivity
        else:
            below = self.data.sensitivity + image * np.float32(self.pull)
            if self.beta > 0.0:
                below += np.float32(self.beta) * image * self.axial.hessian_diagonal(image)
        out = np.zeros_like(image)
        np.divide(image, below, out=out, where=below > 0.0)
        return out
