r"""Does a pair of images explain the mixture? Chi-square of what it leaves, by frame and region.

:math:`\chi^2 = \langle r^2 / (s^2 (1 - h)) \rangle` over the voxels of a region, with r the
residual of a frame, s^2 the variance of its noise and h the share of that noise which the pair took
up because it was found from the same data (the leverage of the frame: 0 for a pair that is known
from elsewhere, p / T on average where p parameters were fitted to T frames). On data that the model
describes it is 1, give or take :math:`\sqrt{2 / n}` with n independent voxels.

A pass says that the sum is right. It does not say that its parts are: what one tracer has lost and
the other gained leaves no residual.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError

__all__ = ["ResidualCheck", "check_residual"]

BAND = 0.1
"""How far from 1 chi-square may be before chance is thought of."""

SURE = 4.0
"""Standard deviations of chance that are allowed on top."""


@dataclass(frozen=True, eq=False, kw_only=True)
class ResidualCheck:
    """What the residual looks like.

    Attributes:
        names: Names of the R regions.
        chi_square: Per degree of freedom, shape (R, T) float64; NaN where a region is empty.
        chance: SD of it on data that the model describes, shape (R,).
        mean: Mean residual over its SD, shape (R, T): a bias that chi-square of noisy voxels hides.
        overall: Chi-square of all frames, shape (R,).
        warn: Frames that the pair does not explain, shape (R, T) bool.
    """

    names: tuple[str, ...]
    chi_square: np.ndarray
    chance: np.ndarray
    mean: np.ndarray
    overall: np.ndarray
    warn: np.ndarray

    @property
    def flag(self) -> str:
        """``pass``, or ``warn`` if any frame of any region is not explained."""
        return "warn" if bool(self.warn.any()) else "pass"

    def worst(self) -> tuple[str, int, float]:
        """Return region, frame (from 0) and chi-square of the frame furthest from 1."""
        off = np.abs(np.log(np.maximum(self.chi_square, 1e-12)))
        r, f = np.unravel_index(int(np.nanargmax(off)), off.shape)
        return self.names[r], int(f), float(self.chi_square[r, f])


def check_residual(
    residual: np.ndarray,
    variance: np.ndarray,
    labels: np.ndarray,
    names: dict[int, str],
    *,
    leverage: np.ndarray | float = 0.0,
    together: float = 1.0,
) -> ResidualCheck:
    """Return chi-square of a residual by region and frame.

    Args:
        residual: m - d1 x1 - d2 x2, shape (X, Y, Z, T).
        variance: Of the noise of m, broadcast to (X, Y, Z, T).
        labels: Region of every voxel, shape (X, Y, Z); 0 is none.
        names: Label to name of the regions that are wanted.
        leverage: h, broadcast to (X, Y, Z, T).
        together: Voxels over which noise is one: n is the voxels of a region over it.

    Raises:
        UsageError: If there is no region, or a variance or leverage out of range.
    """
    if not names:
        raise UsageError("no regions", "expected at least one")
    shape = residual.shape
    if np.asarray(labels).shape != shape[:-1]:
        raise UsageError(
            f"labels of shape {np.asarray(labels).shape} for images of {shape[:-1]}",
            "expected one label per voxel",
        )
    free = 1.0 - np.asarray(leverage, dtype=np.float64)
    if not (np.isfinite(free).all() and (free > 0).all() and (free <= 1).all()):
        raise UsageError("a leverage out of range", "expected 0 or more and less than 1")
    count, frames = len(names), shape[-1]
    chi = np.full((count, frames), np.nan)
    mean = np.full((count, frames), np.nan)
    voxels = np.zeros(count)
    variance = np.broadcast_to(variance, shape)
    free = np.broadcast_to(free, shape)
    for row, label in enumerate(names):
        inside = labels == label
        voxels[row] = inside.sum()
        if not voxels[row]:
            continue
        expected = variance[inside].astype(np.float64) * free[inside]
        if not (expected > 0).all():
            raise UsageError(f"a variance of 0 in {names[label]}", "expected values above 0")
        r = residual[inside].astype(np.float64)
        chi[row] = (r * r / expected).mean(0)
        sd = np.sqrt(expected.sum(0) * max(together, 1.0)) / voxels[row]
        mean[row] = r.mean(0) / sd
    independent = np.maximum(voxels / max(together, 1.0), 1.0)
    chance = np.where(voxels > 0, np.sqrt(2.0 / independent), np.nan)
    with np.errstate(invalid="ignore"):
        warn = np.abs(chi - 1.0) > BAND + SURE * chance[:, None]
        overall = chi.mean(1)
    return ResidualCheck(
        names=tuple(names.values()),
        chi_square=chi,
        chance=chance,
        mean=mean,
        overall=overall,
        warn=warn,
    )
