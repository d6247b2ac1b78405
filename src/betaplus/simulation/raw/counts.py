"""Mean counts by their origin, and the sums that a scan is asked to have."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import UsageError
from betaplus.core.scanner import Scanner

__all__ = ["Budget", "RawCounts", "split_budget"]


@dataclass(frozen=True, eq=False, kw_only=True)
class RawCounts:
    """Mean counts of a frame.

    Attributes:
        scanner: Whose lines these are.
        trues: Shape `scanner.shape`, float32.
        scatter: Likewise.
        randoms: Over all bins of time of flight, shape (view, radial, plane), float32.
        attenuation: Share of photon pairs that leaves the body, shape (view, radial, plane).
        efficiency: Of each line, pairs of rings included, 0 on gaps, likewise.
        sensitivity: Trues for one unit of the image on 1 mm of a line with an efficiency of 1.
    """

    scanner: Scanner
    trues: np.ndarray
    scatter: np.ndarray
    randoms: np.ndarray
    attenuation: np.ndarray
    efficiency: np.ndarray
    sensitivity: float

    def mean(self, view: int | slice = slice(None)) -> np.ndarray:
        """Return the mean of the prompts, of some views or of all."""
        return self.trues[view] + self.scatter[view] + self.spread_randoms(view)

    def spread_randoms(self, view: int | slice = slice(None)) -> np.ndarray:
        """Return the randoms among the prompts: the same number in each bin of time of flight."""
        if not self.scanner.tof:
            return self.randoms[view]
        shape = self.trues[view].shape
        each = self.randoms[view] / np.float32(self.scanner.tof_bins)
        return np.broadcast_to(each[..., None], shape)

    def totals(self) -> dict[str, float]:
        """Return the sums of trues, scatter, randoms and of all prompts."""
        out = {
            name: float(getattr(self, name).sum(dtype=np.float64))
            for name in ("trues", "scatter", "randoms")
        }
        return {**out, "prompts": sum(out.values())}

    def scaled(self, *, dose: float = 1.0, time: float = 1.0) -> RawCounts:
        """Return the same scan at a fraction of the dose and of the time.

        Trues and scatter go with dose and time; randoms go with the time and with the square of the
        dose, since both crystals are hit less often.

        Raises:
            UsageError: If a fraction is not above 0.
        """
        for name, value in (("dose", dose), ("time", time)):
            if not 0.0 < value < np.inf:
                raise UsageError(f"{name} fraction {value:g}", "expected a number above 0")
        linear = np.float32(dose * time)
        return dataclasses.replace(
            self,
            trues=self.trues * linear,
            scatter=self.scatter * linear,
            randoms=self.randoms * np.float32(dose * dose * time),
            sensitivity=self.sensitivity * dose * time,
        )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How the counts of a scan are divided.

    Attributes:
        trues: Sum of the trues.
        scatter: Of scattered coincidences.
        randoms: Of accidental ones.
    """

    trues: float
    scatter: float
    randoms: float

    @property
    def scatter_over_trues(self) -> float:
        """Scattered coincidences for each true one."""
        return self.scatter / self.trues


def split_budget(counts: float, *, scatter: float, randoms: float) -> Budget:
    """Return the sums of trues, scatter and randoms.

    Args:
        counts: All prompts.
        scatter: Scatter fraction: scatter over trues and scatter.
        randoms: Randoms over all prompts.

    Raises:
        UsageError: If a number is out of its range.
    """
    if not 1.0 <= counts <= 1e12:
        raise UsageError(f"{counts:g} counts", "expected 1 to 1e12")
    for name, value in (("scatter", scatter), ("randoms", randoms)):
        if not 0.0 <= value <= 0.95:
            raise UsageError(f"a share of {name} of {value:g}", "expected 0 to 0.95")
    signal = counts * (1.0 - randoms)
    return Budget(
        trues=signal * (1.0 - scatter), scatter=signal * scatter, randoms=counts * randoms
    )
