"""What a group says of each region: mean and spread over scans, and scans that stand out.

Of a posterior its median counts: means of ratios such as VT follow their tails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.pipeline.bids.group import Row

__all__ = ["Spread", "parameters_of", "retest", "spreads", "standing_out"]

_FAR = 3.5
"""Robust SDs beyond which a value stands out (Iglewicz and Hoaglin, 1993)."""

_FEWEST = 5  # scans of which some can stand out
_MAD = 1.4826  # SD of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class Spread:
    """A parameter of a region over scans.

    Attributes:
        region: The region.
        count: Scans with a number.
        mean: Of the values.
        sd: Between scans (n - 1); NaN for one.
        low: Smallest value.
        high: Largest value.
        sd_within: Root mean square of the SDs that the method gives; NaN where it gives none.
    """

    region: str
    count: int
    mean: float
    sd: float
    low: float
    high: float
    sd_within: float


def parameters_of(rows: Iterable[Row]) -> list[str]:
    """Return the parameters that have any number, in the order in which they come."""
    known = (row.value for row in rows if np.isfinite(row.value.centre))
    return list(dict.fromkeys(value.parameter for value in known))


def spreads(rows: Sequence[Row], parameter: str) -> list[Spread]:
    """Return the spread of a parameter for each region, in the order in which they come."""
    found = []
    for region, values, sds in _by_region(rows, parameter):
        known = sds[np.isfinite(sds)]
        found.append(
            Spread(
                region=region,
                count=values.size,
                mean=float(values.mean()),
                sd=float(values.std(ddof=1)) if values.size > 1 else np.nan,
                low=float(values.min()),
                high=float(values.max()),
                sd_within=float(np.sqrt(np.mean(known**2))) if known.size else np.nan,
            )
        )
    return found


def retest(rows: Sequence[Row], parameter: str) -> list[tuple[str, int, float, float]]:
    """Return how a parameter differs between the two scans of participants that have two.

    For each region: its name, the number of participants, and of 200 (b - a) / (a + b) [%] the
    mean and the mean of its absolute value (test-retest variability), a and b by name of the scan.
    """
    pairs: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row.value.parameter == parameter and np.isfinite(row.value.centre):
            people = pairs.setdefault(row.value.region, {})
            people.setdefault(row.record.participant, []).append(row.value.centre)
    found = []
    for region, people in pairs.items():
        both = np.array([v for v in people.values() if len(v) == 2 and v[0] + v[1] != 0])
        if both.size:
            change = 200.0 * (both[:, 1] - both[:, 0]) / (both[:, 0] + both[:, 1])
            found.append((region, len(both), float(change.mean()), float(np.abs(change).mean())))
    return found


def standing_out(rows: Sequence[Row], parameter: str) -> dict[str, int]:
    """Return scan to the number of regions in which it is over 3.5 robust SDs off the median."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.value.parameter == parameter and np.isfinite(row.value.centre):
            groups.setdefault(row.value.region, []).append(row)
    found: dict[str, int] = {}
    for members in groups.values():
        if len(members) < _FEWEST:
            continue
        values = np.array([row.value.centre for row in members])
        off = np.abs(values - np.median(values))
        scale = _MAD * float(np.median(off))
        for row, far in zip(members, off > _FAR * scale, strict=True):
            if far and scale > 0:
                found[row.record.stem] = found.get(row.record.stem, 0) + 1
    return found


def _by_region(rows: Sequence[Row], parameter: str) -> Iterable[tuple[str, np.ndarray, np.ndarray]]:
    groups: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.value.parameter == parameter and np.isfinite(row.value.centre):
            groups.setdefault(row.value.region, []).append((row.value.centre, row.value.sd))
    for region, pairs in groups.items():
        values, sds = np.array(pairs).T
        yield region, values, sds
