"""Wider priors, to see how much a result hangs on their width."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from betaplus.kinetics.models import find_kinetic_model
from betaplus.kinetics.prior import Distribution, Prior

__all__ = ["widened", "wider_prior"]

_FASTEST = 100.0  # 1/min, beyond any rate constant


def widened(distribution: Distribution, factor: float) -> Distribution:
    """Return a prior with a range wider by a factor, that of its logarithm if it is log-uniform.

    The middle stays, unless that would carry the low end of a rate constant below 0: then the high
    end takes all of it. Nothing goes beyond 100 per minute. A known parameter stays known.
    """
    d = distribution
    if d.fixed:
        return d
    if d.dist in ("loguniform", "lognormal"):
        by = (d.high / d.low) ** (0.5 * (factor - 1.0))
        low, high = d.low / by, d.high * by
    else:
        by = 0.5 * (factor - 1.0) * (d.high - d.low)
        low, high = d.low - by, d.high + by
        if d.low >= 0.0 > low:
            low, high = 0.0, factor * (d.high - d.low)
    return dataclasses.replace(d, low=low, high=min(high, _FASTEST), sd=factor * d.sd)


def wider_prior(
    prior: Prior, models: Sequence[str], factor: float
) -> tuple[Prior, dict[str, list[float]]]:
    """Return a prior that is wider in what not all models have, and the ranges there."""
    each = [set(find_kinetic_model(name).parameters) for name in models]
    own = sorted(set.union(*each) - set.intersection(*each))
    wide = {name: widened(prior[name], factor) for name in own if not prior[name].fixed}
    return prior.replaced(**wide), {name: [d.low, d.high] for name, d in wide.items()}
