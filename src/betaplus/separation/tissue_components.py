"""The components of the mixture of tissues: what they are made of, their means and covariances."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from betaplus.separation.tissue_prior import TissuePrior

__all__ = ["TissueComponents", "TissueState"]

_REGIONS, _ALTERED, _BROAD = 0.6, 0.04, 0.02  # of all weights; the rest are blends


@dataclass(frozen=True, eq=False, kw_only=True)
class TissueState:
    """What is known of a person.

    Attributes:
        theta: Coefficients of the regions, shape (R, K).
        uncertain: V, their covariance, shape (R, K, R, K).
        weights: Of the components, shape (M,).
    """

    theta: np.ndarray
    uncertain: np.ndarray
    weights: np.ndarray


class TissueComponents:
    """Regions, blends of each pair of them, altered tissue, and a broad one, in this order.

    Args:
        prior: Of the regions.
        broad: SD of the broad component over that of the spaces.
    """

    def __init__(self, prior: TissuePrior, broad: float) -> None:
        self.prior, self.broad = prior, broad
        self.pairs = list(itertools.combinations(range(prior.regions), 2))
        kinds = ((True, False), (False, True), (True, True))
        self.altered = [(host, kind) for host in prior.hosts for kind in kinds]

    @property
    def count(self) -> int:
        """M."""
        return self.prior.regions + len(self.pairs) + len(self.altered) + 1

    @cached_property
    def shares(self) -> np.ndarray:
        """H, the mean share of every region in every component, shape (M, R)."""
        regions = self.prior.regions
        out = np.zeros((self.count, regions))
        out[:regions] = np.eye(regions)
        for k, pair in enumerate(self.pairs, start=regions):
            out[k, list(pair)] = 0.5
        for k, (host, _) in enumerate(self.altered, start=regions + len(self.pairs)):
            out[k, host] = 1.0
        return out

    @cached_property
    def offset(self) -> np.ndarray:
        """What is added to H theta, shape (M, K)."""
        out = np.zeros((self.count, self.prior.size))
        for k, (host, kind) in enumerate(self.altered, start=self.count - 1 - len(self.altered)):
            out[k] = self.prior.lift[host] * self._seen(kind)
        return out

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights before anything is seen, shape (M,)."""
        parts = (self.prior.regions, len(self.pairs), len(self.altered), 1)
        wanted = np.array([_REGIONS, 1.0 - _REGIONS - _ALTERED - _BROAD, _ALTERED, _BROAD])
        wanted = wanted * (np.array(parts) > 0)
        return np.repeat(wanted / wanted.sum() / np.maximum(parts, 1), parts)

    @property
    def first(self) -> TissueState:
        """People at large."""
        prior = self.prior
        return TissueState(theta=prior.mean, uncertain=prior.between, weights=self.weights)

    def moments(self, state: TissueState) -> tuple[np.ndarray, np.ndarray]:
        """Return means, shape (M, K), and covariances, shape (M, K, K), of the components.

        Args:
            state: What is known of the person.
        """
        prior, theta, uncertain = self.prior, state.theta, state.uncertain
        own = prior.within + np.stack([uncertain[r, :, r] for r in range(prior.regions)])
        both = uncertain if prior.border is None else uncertain + prior.border
        blends, altered = [], []
        for a, b in self.pairs:
            apart = theta[a] - theta[b]
            across = 0.5 * (both[a, :, b] + both[b, :, a])
            blends.append((own[a] + own[b] + across) / 3.0 + np.outer(apart, apart) / 12.0)
        for host, kind in self.altered:
            seen = self._seen(kind)
            altered.append(own[host] + prior.lifted[host] * np.outer(seen, seen))
        parts = [own, *(np.reshape(part, (-1, *own.shape[1:])) for part in (blends, altered))]
        last = self.broad**2 * np.eye(prior.size)
        return self.shares @ theta + self.offset, np.concatenate([*parts, last[None]])

    def _seen(self, kind: tuple[bool, bool]) -> np.ndarray:
        first, size = self.prior.first, self.prior.size
        return np.repeat(np.array(kind, dtype=np.float64), (first, size - first))
