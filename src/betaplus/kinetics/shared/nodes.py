"""Nodes along one parameter, dense where its posterior has its mass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["Nodes", "place_nodes"]

_COARSE = 33
_HEAVY = 0.05  # an interval with more of the mass than this is halved
_ROUNDS = 40
_PARTS = 16  # of an interval, between nodes
_RISE = 5.0  # of the log likelihood from the outermost node to the end of the prior, at most


class Nodes:
    """A posterior known at nodes; the log likelihood is a monotone cubic between them.

    Args:
        u: Probabilities of the prior in increasing order, shape (G,).
        log_likelihood: There, shape (G,).
    """

    def __init__(self, u: np.ndarray, log_likelihood: np.ndarray) -> None:
        from scipy.interpolate import PchipInterpolator

        self.u, self.log_likelihood = u, log_likelihood
        edge = np.concatenate([[0.0], u, [1.0]])
        value = np.maximum(log_likelihood, log_likelihood.max() - 1e6)
        first = value[0] + min(_slope(u[:2], value[:2]) * -u[0], _RISE)
        last = value[-1] + min(_slope(u[-2:], value[-2:]) * (1.0 - u[-1]), _RISE)
        value = np.concatenate([[first], value, [last]])
        at = np.arange((edge.size - 1) * _PARTS) + 0.5  # middles of the parts
        self.fine = np.interp(at / _PARTS, np.arange(edge.size), edge)
        """Middles of the parts of intervals, shape (M,)."""
        width = np.repeat(np.diff(edge) / _PARTS, _PARTS)
        top = value.max()
        mass = np.exp(PchipInterpolator(edge, value)(self.fine) - top) * width
        self.log_evidence = float(top + np.log(mass.sum()))
        """Log of the likelihood averaged over the prior."""
        self.mass = mass / mass.sum()
        """Posterior probability of the parts, shape (M,)."""
        self.weight = self._weights()
        """Posterior probability of the nodes, shape (G,): what lies between two is shared."""

    @property
    def effective(self) -> float:
        """Effective number of nodes, 1 / sum of squared weights."""
        return float(1.0 / np.sum(self.weight**2))

    def quantiles(self, levels: tuple[float, ...]) -> np.ndarray:
        """Return the prior's probabilities at posterior quantiles."""
        return np.interp(levels, np.cumsum(self.mass) - 0.5 * self.mass, self.fine)

    def heavy(self) -> np.ndarray:
        """Return middles of the intervals that hold much of the mass, ends included."""
        edge = np.concatenate([[0.0], self.u, [1.0]])
        mass = self.mass.reshape(-1, _PARTS).sum(axis=1)
        return (0.5 * (edge[1:] + edge[:-1]))[mass > _HEAVY]

    def _weights(self) -> np.ndarray:
        n = self.u.size
        at = np.interp(self.fine, self.u, np.arange(n))
        below = np.minimum(at.astype(int), n - 2)
        share = (at - below) * self.mass
        weight = np.bincount(below, self.mass - share, minlength=n)
        return weight + np.bincount(below + 1, share, minlength=n)


def place_nodes(log_likelihood: Callable[[np.ndarray], np.ndarray], least: float) -> Nodes:
    """Return nodes at even steps of the prior, and more where the posterior is.

    Intervals with much of the mass are halved until the effective number of nodes is enough.

    Args:
        log_likelihood: From probabilities of the prior, shape (n,), to log likelihoods.
        least: Effective number of nodes that is enough.
    """
    u = (np.arange(_COARSE) + 0.5) / _COARSE
    nodes = Nodes(u, log_likelihood(u))
    for _ in range(_ROUNDS):
        if nodes.effective >= least:
            break
        more = nodes.heavy()
        u = np.concatenate([nodes.u, more])
        values = np.concatenate([nodes.log_likelihood, log_likelihood(more)])
        order = np.argsort(u)
        nodes = Nodes(u[order], values[order])
    return nodes


def _slope(u: np.ndarray, value: np.ndarray) -> float:
    return float((value[1] - value[0]) / (u[1] - u[0]))
