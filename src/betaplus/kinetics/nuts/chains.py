"""Chains of many curves, in groups of one size: no curve feels which others are fitted with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from betaplus.core.seeds import item_keys
from betaplus.kinetics.nuts.programs import POOL, TEMPERED, Proposals, compile_programs
from betaplus.kinetics.nuts.sampler import BUFFER, Chain, Effort
from betaplus.kinetics.nuts.target import Target

__all__ = ["Chains", "Sampler"]

_HOT, _COLD = 3, 5  # adaptations to the tempered posterior, then to the true one
_ADAPTATIONS = _HOT + _COLD
_TURN = 1 << 32  # draws of one turn are numbered below it
_GROUP = 8  # curves at a time
_STEP = 0.2


class Chains(NamedTuple):
    """Chains of n curves; every array has the curves first."""

    y: np.ndarray  # (n, T)
    key: np.ndarray  # (n,) uint64
    at: Chain  # (n, M, ...)
    proposals: Proposals
    root: np.ndarray  # (n, d, d) factor of the covariance
    pool: np.ndarray  # (n, POOL, d) draws to adapt to

    def select(self, keep: np.ndarray) -> Chains:
        """Return the chains of some of the curves."""
        return jax.tree.map(lambda a: a[keep], self)


class Sampler:
    """Chains of one target; every call is to be made in double precision.

    Args:
        target: The posterior of a task's curves.
        effort: How much one draw costs.
        n_chains: Chains per curve.
        warmup: Draws of a chain before the first round.
    """

    def __init__(self, target: Target, effort: Effort, n_chains: int, warmup: int) -> None:
        self._programs = compile_programs(target.layout, effort, n_chains)
        self._shared = target.table, target.known
        self._adapt = -(-warmup // _ADAPTATIONS)

    def begin(self, y: np.ndarray, seed: int, items: np.ndarray) -> Chains:
        """Lead chains of curves (n, T) from the prior to their posteriors and adapt to them."""
        key = item_keys(seed, items)
        particles = _by_group(lambda y, key: self._programs.lead(*self._shared, y, key), y, key)
        z, pool = particles[:, :, 0], _thin(particles, POOL)
        mixture, root = _by_group(lambda *a: self._programs.fit(*a, 0), pool, key)
        at = Chain(z, np.full(z.shape[:2], _STEP))
        chains = Chains(y, key, at, Proposals(mixture, mixture, mixture), root, pool)
        last = None
        for turn in range(_ADAPTATIONS):
            chains = self._fitted(chains, turn)
            if turn <= _HOT:
                mixture = chains.proposals.cold
                chains = chains._replace(proposals=Proposals(mixture, mixture, mixture))
            power = TEMPERED if turn < _HOT else 1.0
            first = turn * _TURN
            chains, draws, energies = self._run(chains, power, first, self._adapt, tune=True)
            if turn > _HOT:
                chains = self._with_rare(chains, draws, energies, turn)
            if last is not None and turn != _HOT:
                pool = _thin(np.concatenate([last, draws], axis=2), POOL)
            else:
                pool = _thin(draws, POOL)
            chains, last = chains._replace(pool=pool), draws
        return chains

    def sample(
        self, chains: Chains, turn: int, count: int
    ) -> tuple[Chains, np.ndarray, np.ndarray]:
        """Adapt once more and make `count` draws of every chain.

        Args:
            chains: Where to go on from.
            turn: Number of the round.
            count: Draws to make.

        Returns:
            The chains, coordinates (n, M, count, d) and energies (n, M, count).
        """
        turn += _ADAPTATIONS
        first = turn * _TURN
        chains = self._fitted(chains, turn)
        chains, _, _ = self._run(chains, 1.0, first, self._adapt, tune=True)
        chains, draws, energies = self._run(chains, 1.0, first + self._adapt, count, tune=False)
        chains = self._with_rare(chains, draws, energies, turn)
        return chains._replace(pool=_thin(draws, POOL)), draws, energies

    def predict(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return curves and variances at coordinates (n, S, d), each (n, S, T)."""
        return _by_group(lambda z: self._programs.predict(*self._shared, z), z)

    def _fitted(self, chains: Chains, turn: int) -> Chains:
        cold, root = _by_group(lambda *a: self._programs.fit(*a, turn), chains.pool, chains.key)
        return chains._replace(proposals=chains.proposals._replace(cold=cold), root=root)

    def _with_rare(
        self, chains: Chains, draws: np.ndarray, energies: np.ndarray, turn: int
    ) -> Chains:
        rare = _by_group(
            lambda points, energy, key, proposals: self._programs.fit_rare(
                points, energy, key, turn, proposals
            ),
            _thin(draws, 4 * POOL),
            _thin(energies[..., None], 4 * POOL)[..., 0],
            chains.key,
            chains.proposals,
        )
        return chains._replace(proposals=chains.proposals._replace(rare=rare))

    def _run(
        self, chains: Chains, power: float, first: int, count: int, *, tune: bool
    ) -> tuple[Chains, np.ndarray, np.ndarray]:
        def run(y, key, at, proposals, root):
            draws, energies = [], []
            for done in range(0, count, BUFFER):
                some = min(BUFFER, count - done)
                at, new, value = self._programs.advance(
                    *self._shared, y, key, at, proposals, root, power, first + done, some, tune
                )
                draws.append(np.asarray(new)[:, :, :some])
                energies.append(np.asarray(value)[:, :, :some])
            return at, np.concatenate(draws, axis=2), np.concatenate(energies, axis=2)

        at, draws, energies = _by_group(
            run, chains.y, chains.key, chains.at, chains.proposals, chains.root
        )
        return chains._replace(at=at), draws, energies


def _by_group(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply a function to groups of curves of one size; the last is filled up with its last."""
    n, parts = len(jax.tree.leaves(trees)[0]), []
    for start in range(0, n, _GROUP):
        rows = np.minimum(np.arange(start, start + _GROUP), n - 1)
        out = function(*jax.tree.map(lambda a, rows=rows: a[rows], trees))
        kept = min(_GROUP, n - start)
        parts.append(jax.tree.map(lambda a, kept=kept: np.asarray(a)[:kept], out))
    return jax.tree.map(lambda *a: np.concatenate(a), *parts)


def _thin(draws: np.ndarray, wanted: int) -> np.ndarray:
    """Some of the draws (n, M, N, d) of all chains, evenly spaced, shape (n, wanted, d)."""
    flat = draws.reshape(len(draws), -1, draws.shape[-1])
    return flat[:, (np.arange(wanted) * flat.shape[1]) // wanted]
