"""Remarks on posteriors that rest on too few points to be believed."""

from __future__ import annotations

import numpy as np

from betaplus.core.posterior import Posterior

__all__ = ["unresolved_remarks"]

_FEWEST = 20.0  # effective points: quantiles of 5 % and 95 % rest on the last one at each end
_NAMED = 6


def unresolved_remarks(posterior: Posterior, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return a remark where a posterior was not resolved, whatever its method tried.

    Args:
        posterior: The posterior.
        names: Regions of a table, or None for voxels.
    """
    if "ess" not in posterior.diagnostics:
        return ()
    fitted = np.asarray(posterior.diagnostics["status"]) != 0
    few = (np.asarray(posterior.diagnostics["ess"]) < _FEWEST) & fitted
    if not few.any():
        return ()
    where = f"{int(few.sum()):,} of {int(fitted.sum()):,} voxels"
    if names is not None:
        found = [name for name, yes in zip(names, few, strict=True) if yes]
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        where = ", ".join(found[:_NAMED]) + more
    return (
        f"the posterior rests on fewer than {_FEWEST:.0f} effective points in {where}:"
        " its intervals are too narrow",
    )
