r"""What the tissues of a person are expected to be like, in coefficients of the tracers' curves.

With :math:`\theta_r` the coefficients of region r of a person, both tracers one after the other,
and :math:`c` those of a voxel in it,

.. math:: \theta \sim N(\bar\theta, B), \qquad c \mid \theta \sim N(\theta_r, W_r) .

Altered tissue is :math:`\theta_r` and a lift, of one tracer or of both. B holds what regions of a
person have in common, W_r how voxels of a region differ: means and covariances over people that
were drawn from the tracers' kinetics (`betaplus.separation.tissue_kinetics`). Tracers are
independent in B and not in W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.separation.basis import CurveSpace
from betaplus.separation.tissue_curves import TissueCurves

__all__ = ["TissuePrior", "nearest"]

_RIDGE = 1e-6  # of the mean variance of B: the draws are of finite number


@dataclass(frozen=True, eq=False, kw_only=True)
class TissuePrior:
    """The prior of R regions, K = K1 + K2 coefficients each.

    Attributes:
        mean: Of the regions, shape (R, K).
        between: B, shape (R, K, R, K).
        within: W, shape (R, K, K).
        lift: Of altered tissue, the mean, shape (R, K).
        lifted: Its covariance, shape (R, K, K).
        hosts: Numbers of the regions in which tissue may be altered.
        first: K1.
        border: How voxels of two regions vary together at their border, shape (R, K, R, K); None
            for not at all.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    lift: np.ndarray
    lifted: np.ndarray
    hosts: tuple[int, ...]
    first: int
    border: np.ndarray | None = None

    @property
    def regions(self) -> int:
        """R."""
        return len(self.mean)

    @property
    def size(self) -> int:
        """K."""
        return int(self.mean.shape[1])

    @classmethod
    def of_curves(
        cls,
        curves: TissueCurves,
        spaces: tuple[CurveSpace, CurveSpace],
        decay: np.ndarray,
        weights: np.ndarray,
    ) -> TissuePrior:
        """Return the prior that the curves of people show.

        Args:
            curves: Of both tracers [scale].
            spaces: What coefficients are of [scale].
            decay: d, shape (2, T).
            weights: w, shape (T,).
        """
        regions, apart, lifts = [], [], []
        for i, space in enumerate(spaces):
            to = nearest(space, weights * decay[i] ** 2)
            region, voxel, altered = (
                (x[i] - space.mean) @ to for x in (curves.regions, curves.voxels, curves.altered)
            )
            regions.append(region)
            apart.append(voxel - region)
            lifts.append(altered - region)
        people, count, _ = regions[0].shape
        size = sum(space.size for space in spaces)
        between = np.zeros((count, size, count, size))
        first = 0
        for region in regions:
            own = slice(first, first + region.shape[-1])
            off = (region - region.mean(0)).reshape(people, -1)
            shape = (count, region.shape[-1]) * 2
            between[:, own, :, own] = (off.T @ off / max(people - 1, 1)).reshape(shape)
            first = own.stop
        whole = between.reshape(count * size, -1)
        whole += _RIDGE * max(float(np.trace(whole)) / len(whole), 1e-12) * np.eye(len(whole))
        both, lift = np.concatenate(apart, -1), np.concatenate(lifts, -1)
        off = lift - lift.mean(0)
        return cls(
            mean=np.concatenate([region.mean(0) for region in regions], -1),
            between=whole.reshape(between.shape),
            within=np.einsum("prk,prl->rkl", both, both) / people,
            lift=lift.mean(0),
            lifted=np.einsum("prk,prl->rkl", off, off) / people,
            hosts=curves.hosts,
            first=spaces[0].size,
        )


def nearest(space: CurveSpace, precision: np.ndarray) -> np.ndarray:
    """Return what makes coefficients of curves less their mean, shape (T, K), by least squares.

    Args:
        space: Of a tracer.
        precision: Of its frames, shape (T,).
    """
    root = np.sqrt(precision)
    return np.asarray((np.linalg.pinv(root[:, None] * space.basis) * root).T)
