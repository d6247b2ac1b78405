"""Remarks on posteriors that lean on the limits of their prior."""

from __future__ import annotations

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.kinetics.models import find_kinetic_model
from betaplus.kinetics.prior import Distribution, Prior

__all__ = ["leaning_remarks"]

_MARGIN = 0.05  # of the prior's probability
_TOUCHING = 0.1  # of the interval's width: a Gaussian that is 2 SD off its limit is no longer cut
_NAMED = 6
_SHARE = 0.01  # of voxels that may lean without a word


def leaning_remarks(
    posterior: Posterior, prior: Prior, names: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Return a remark per parameter whose posterior is cut by an end of its prior.

    That is: its 90 % interval lies within 5 % of the prior's probability from the end, and begins
    within a tenth of its own width from it. A small VB that is well known is not at its limit.

    Args:
        posterior: The posterior.
        prior: The prior.
        names: Regions of a table, or None for voxels.
    """
    remarks = []
    fitted = (*find_kinetic_model(posterior.model).parameters, "delay")
    for name, marginal in posterior.parameters.items():
        if name not in fitted or name not in prior or prior[name].fixed:
            continue
        distribution = prior[name]
        inside = np.asarray(posterior.diagnostics["status"]) != 0
        low, high = (np.asarray(marginal.quantiles[q])[inside] for q in (0.05, 0.95))
        near = _TOUCHING * (high - low)
        for end, at in (
            ("low", (high <= _quantile(distribution, _MARGIN)) & (low - distribution.low <= near)),
            (
                "high",
                (low >= _quantile(distribution, 1 - _MARGIN)) & (distribution.high - high <= near),
            ),
        ):
            where = _where(at, names)
            if where:
                limit = getattr(distribution, end)
                what = "the delay is" if name == "delay" else f"{name} is"
                remarks.append(f"{what} at the limit of its prior, {limit:g}, in {where}")
    return tuple(remarks)


def _quantile(distribution: Distribution, p: float) -> float:
    from scipy.special import ndtri

    return float(distribution.at_probit(np.array([ndtri(p)]))[0])


def _where(at: np.ndarray, names: tuple[str, ...] | None) -> str:
    count = int(at.sum())
    if names is None:
        enough = count > _SHARE * at.size
        return f"{count:,} of {at.size:,} voxels" if enough else ""
    found = [name for name, yes in zip(names, at, strict=True) if yes]
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more
