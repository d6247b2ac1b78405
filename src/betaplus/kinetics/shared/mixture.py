"""The coupled posterior: a mixture of fits, one at each value of the shared parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from betaplus.core.posterior import Marginal, Posterior
from betaplus.core.seeds import generator
from betaplus.kinetics.method import QUANTILES
from betaplus.kinetics.shared.held import Held
from betaplus.kinetics.shared.nodes import Nodes, place_nodes

__all__ = ["LEVELS", "mixture"]

LEVELS = tuple(sorted({*((i + 0.5) / 64 for i in range(64)), *QUANTILES}))
"""Quantile levels at each node, from which those of the mixture follow."""

_LEAST = 10.0  # effective number of nodes
_NEGLIGIBLE = 1e-6
_STREAM = 22  # number of the stream that says which draw has which node


def mixture(held: Held, samples: int, seed: int) -> Posterior:
    """Return the posterior under p(g | all) ~ p(g) prod_r Z_r(g), g the shared parameter.

    Z_r(g) is the evidence of region r with g held. Means and SDs of what regions have of their own
    follow from the law of total variance; quantiles from those at the nodes, each of which stands
    for the mass around its level, pooled by the weights of the nodes.

    Args:
        held: Fits at values of the parameter.
        samples: Draws per region; one draw has the same g in every region.
        seed: Seed of the run.
    """

    def log_likelihood(u: np.ndarray) -> np.ndarray:
        found = [np.sum(p.diagnostics["evidence"]) for p in held.at(u)]
        return np.nan_to_num(np.array(found), nan=-np.inf)

    nodes = place_nodes(log_likelihood, _LEAST)
    keep = nodes.weight > _NEGLIGIBLE
    u, weight = nodes.u[keep], nodes.weight[keep] / nodes.weight[keep].sum()
    fits, values = held.at(u), held.values(u)
    names = [name for name in fits[0].parameters if name != held.name]
    at = _nodes_of_draws(weight, samples, seed)
    drawn = _draws(held, u, at, names)
    regions = len(held.data)
    parameters = {name: _marginal(fits, weight, name, drawn.get(name)) for name in names}
    shared = _shared(held, nodes, regions, values[at] if samples else None)
    mean, std = float(shared.mean[0]), float(shared.std[0])
    order = dict.fromkeys([*fits[0].parameters, held.name])
    first = fits[int(np.argmax(weight))]
    return Posterior(
        model=first.model,
        method=first.method,
        parameters={n: shared if n == held.name else parameters[n] for n in order},
        diagnostics=_diagnostics(fits, weight),
        prediction=_prediction(fits, weight),
        settings={
            **first.settings,
            "shared": {
                "parameter": held.name,
                "mean": mean,
                "sd": std,
                "values": len(nodes.u),
                "effective_values": round(nodes.effective, 1),
                "log_evidence": nodes.log_evidence,
            },
        },
        remarks=first.remarks,
    )


def _shared(held: Held, nodes: Nodes, regions: int, draws: np.ndarray | None) -> Marginal:
    values = held.values(nodes.fine)
    mean = float(nodes.mass @ values)
    std = float(np.sqrt(nodes.mass @ (values - mean) ** 2))
    quantiles = held.values(nodes.quantiles(QUANTILES))

    def every(value: float) -> np.ndarray:
        return np.full(regions, value, dtype=np.float32)

    return Marginal(
        mean=every(mean),
        std=every(std),
        quantiles={q: every(v) for q, v in zip(QUANTILES, quantiles, strict=True)},
        samples=None if draws is None else np.tile(draws.astype(np.float32), (regions, 1)),
    )


def _marginal(
    fits: Sequence[Posterior], weight: np.ndarray, name: str, draws: np.ndarray | None
) -> Marginal:
    mean, std = _total(weight, [p[name].mean for p in fits], [p[name].std for p in fits])
    pooled = np.stack([[p[name].quantiles[q] for q in LEVELS] for p in fits])  # (G, Q, N)
    middle = 0.5 * (np.array(LEVELS[1:]) + LEVELS[:-1])
    each = (weight[:, None] * np.diff(np.concatenate([[0.0], middle, [1.0]]))).reshape(-1)
    columns = pooled.reshape(each.size, -1).T
    quantiles = np.stack([_quantiles(column, each) for column in columns])
    return Marginal(
        mean=mean.astype(np.float32),
        std=std.astype(np.float32),
        quantiles={q: quantiles[:, i] for i, q in enumerate(QUANTILES)},
        samples=draws,
    )


def _total(weight: np.ndarray, means: Any, stds: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of a mixture, along the first axis."""
    means, stds = np.asarray(means, dtype=np.float64), np.asarray(stds, dtype=np.float64)
    mean = np.tensordot(weight, means, 1)
    variance = np.tensordot(weight, stds**2 + (means - mean) ** 2, 1)
    return mean, np.sqrt(variance)


def _quantiles(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    order = np.argsort(x, kind="stable")
    below = np.cumsum(weight[order]) - 0.5 * weight[order]
    return np.interp(QUANTILES, below, x[order]).astype(np.float32)


def _nodes_of_draws(weight: np.ndarray, samples: int, seed: int) -> np.ndarray:
    """Node of each draw, shape (samples,): systematic resampling in random order."""
    random = generator(seed, 0, _STREAM)
    level = (np.arange(samples) + random.random()) / max(samples, 1)
    return random.permutation(np.searchsorted(np.cumsum(weight)[:-1], level))


def _draws(held: Held, u: np.ndarray, at: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
    """Draws of every region, name to (N, samples): draw s comes from the fit at node `at[s]`."""
    used, counts = np.unique(at, return_counts=True)
    out = {}
    for node, found in zip(used, held.draw(u[used], counts), strict=True):
        for name in names:
            if name not in out:
                out[name] = np.empty((len(held.data), at.size), dtype=np.float32)
            out[name][:, at == node] = found[name].samples
    return out


def _diagnostics(fits: Sequence[Posterior], weight: np.ndarray) -> dict[str, np.ndarray]:
    """Of the mixture; the evidence is of all regions together, and so none of one region's."""

    def all_of(name: str) -> np.ndarray:
        return np.stack([p.diagnostics[name] for p in fits]).astype(np.float64)

    ess = 1.0 / np.tensordot(weight**2, 1.0 / all_of("ess"), 1)
    return {
        "ess": ess.astype(np.float32),
        "chi2": np.tensordot(weight, all_of("chi2"), 1).astype(np.float32),
        "noise": np.sqrt(np.tensordot(weight, all_of("noise") ** 2, 1)).astype(np.float32),
        "status": fits[int(np.argmax(weight))].diagnostics["status"],
    }


def _prediction(fits: Sequence[Posterior], weight: np.ndarray) -> dict[str, np.ndarray]:
    mean, std, sigma = ([p.prediction[k] for p in fits] for k in ("mean", "std", "sigma"))
    middle, spread = _total(weight, mean, std)
    noise = np.sqrt(np.tensordot(weight, np.square(sigma, dtype=np.float64), 1))
    return {"mean": middle, "std": spread, "sigma": noise}
