"""The few key numbers of a kinetic result, and what makes it doubtful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from betaplus.core.posterior import Posterior
from betaplus.core.tacs import TacTable
from betaplus.report.elements import format_number

__all__ = ["Maps", "analysed", "doubts", "joined", "key_numbers"]

Maps = Mapping[str, Sequence[np.ndarray]]
"""Parameter to (mean, SD) or (mean, SD, median), each of shape (X, Y, Z)."""

_FEW_SAMPLES = 100
_MISFIT = 4
_TOLERATED = 0.05  # share that may be misfit or badly resolved without a warning
_NAMED = 12  # regions that a warning names


def key_numbers(posterior: Posterior, what: str) -> list[tuple[object, object]]:
    """Return how many curves were analysed and how that went, each as (value, what it is).

    Args:
        posterior: The posterior; what its diagnostics do not hold is left out.
        what: What was analysed: ``voxels`` or ``curves``.
    """
    out: list[tuple[object, object]] = []
    found = posterior.diagnostics
    if "status" in found:
        status = np.asarray(found["status"])
        fitted = int((status != 0).sum())
        out.append((f"{fitted:,}", f"{what} analysed"))
        if fitted:
            out.append((f"{100 * (status == _MISFIT).sum() / fitted:.3g} %", "of them misfit"))
    for key, label in (("ess", "median effective sample size"), ("chi2", "median chi-square")):
        if key in found and (values := analysed(posterior, found[key])).size:
            out.append((format_number(np.median(values)), label))
    return out


def doubts(
    posterior: Posterior,
    what: str,
    regions: TacTable | None = None,
    region_posterior: Posterior | None = None,
) -> list[str]:
    """Return warnings: misfits, unresolved posteriors, values that are no numbers.

    Args:
        posterior: The posterior.
        what: What was analysed: ``voxels`` or ``curves``.
        regions: Region curves, for their names.
        region_posterior: Their posterior.
    """
    out = []
    found = posterior.diagnostics
    if "status" in found:
        status = np.asarray(found["status"])
        fitted, misfit = int((status != 0).sum()), int((status == _MISFIT).sum())
        if not fitted:
            out.append(f"No {what} were analysed.")
        elif misfit > _TOLERATED * fitted:
            out.append(f"The model misfits {misfit:,} of {fitted:,} {what} (status misfit).")
    if "ess" in found:
        ess = analysed(posterior, found["ess"])
        low = int((ess < _FEW_SAMPLES).sum())
        if low > _TOLERATED * max(ess.size, 1):
            out.append(
                f"{low:,} of {ess.size:,} posteriors rest on fewer than {_FEW_SAMPLES} effective"
                " samples."
            )
    bad = [
        name for name, marginal in posterior.parameters.items() if _gaps(posterior, marginal.mean)
    ]
    if bad:
        out.append(f"{joined(bad)}: some means are not finite where {what} were analysed.")
    if regions is not None and regions.names and region_posterior is not None:
        codes = np.asarray(region_posterior.diagnostics.get("status", ())).reshape(-1)
        named = [n for n, code in zip(regions.names, codes, strict=False) if code == _MISFIT]
        if 0 < len(named) <= _NAMED:
            out.append(f"Misfit: {joined(named)}.")
        elif named:
            out.append(f"Misfit: {', '.join(named[:_NAMED])} and {len(named) - _NAMED} more.")
    return out


def analysed(posterior: Posterior, values: np.ndarray) -> np.ndarray:
    """Return the finite ones of `values` where status is not 0, shape (n,)."""
    kept = _inside(posterior, values)
    return kept[np.isfinite(kept)]


def joined(names: Sequence[str]) -> str:
    """Return names as a phrase: ``K1, k2 and VB``."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + "".join(names[-1:])


def _inside(posterior: Posterior, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    status = posterior.diagnostics.get("status")
    if status is not None and np.shape(status) == values.shape:
        return values[np.asarray(status) != 0]
    return values.reshape(-1)


def _gaps(posterior: Posterior, values: np.ndarray) -> bool:
    if "status" not in posterior.diagnostics:  # then NaN may mark what is outside
        return not np.isfinite(values).any()
    return not np.isfinite(_inside(posterior, values)).all()
