"""One blood series from several files: the autosampler as far as it goes, then manual samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from betaplus.core.errors import InputError

__all__ = ["BloodFile", "Samples", "merge_samples"]

_DISAGREEMENT = 0.5  # median over the samples in common: above it a unit or a calibration is wrong
_LEAST_COMMON = 3
_INFORMATIVE = 0.05  # of the peak in common: samples below it are noise


@dataclass
class BloodFile:
    """One blood file: its times and the series that hold samples.

    Attributes:
        path: The file.
        time: Sample times, shape (n,) [s].
        series: ``plasma``, ``whole_blood``, ``parent_fraction`` to values, shape (n,), NaN where
            there is no sample.
        units: Series to activity unit.
        kind: ``total`` or ``parent``, of the plasma.
        dispersion_corrected: Whether the file says so, or None.
        remarks: What was found untidy.
    """

    path: Path
    time: np.ndarray
    series: dict[str, np.ndarray] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)
    kind: str = "total"
    dispersion_corrected: bool | None = None
    remarks: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Samples:
    """The samples of one series in one file: its name, times [s] and values in a common unit."""

    file: str
    time: np.ndarray
    values: np.ndarray

    @property
    def step(self) -> float:
        """Median time between samples [s]; infinite for a single one."""
        return float(np.median(np.diff(self.time))) if self.time.size > 1 else np.inf


def merge_samples(name: str, parts: Sequence[Samples]) -> tuple[Samples, list[str]]:
    """Return the samples of one series that several files hold, and remarks.

    Where two files overlap in time the denser one is used from its first sample to its last and
    the sparser one outside.

    Args:
        name: The series, for messages.
        parts: Its samples in each file, all in one unit.

    Raises:
        InputError: If neither of two overlapping files is denser, or they differ by more than a
            factor of 1.5 (median over at least 3 samples in common).
    """
    ordered = sorted(parts, key=lambda part: part.step)
    merged, remarks = ordered[0], []
    for part in ordered[1:]:
        merged, remark = _merge(name, merged, part)
        remarks.append(remark)
    return merged, remarks


def _merge(name: str, dense: Samples, sparse: Samples) -> tuple[Samples, str]:
    first, last = float(dense.time[0]), float(dense.time[-1])
    inside = (sparse.time >= first) & (sparse.time <= last)
    remark = f"{name} from {dense.file} from {first:g} to {last:g} s, from {sparse.file} outside"
    if inside.any():
        if dense.step >= sparse.step:
            raise InputError(
                f"{name} is in both {dense.file} and {sparse.file}, neither of them denser",
                "expected each series in one file, or an autosampler's and manual samples",
                "give one of the two or remove the column from one",
            )
        remark += _comparison(name, dense, sparse, inside)
    time = np.concatenate([dense.time, sparse.time[~inside]])
    values = np.concatenate([dense.values, sparse.values[~inside]])
    order = np.argsort(time)
    return Samples(f"{dense.file} and {sparse.file}", time[order], values[order]), remark


def _comparison(name: str, dense: Samples, sparse: Samples, inside: np.ndarray) -> str:
    """Say by how much two files differ where both have samples; refuse what no noise explains."""
    one = np.interp(sparse.time[inside], dense.time, dense.values)
    two = sparse.values[inside]
    high, low = np.maximum(one, two), np.minimum(one, two)
    telling = high > _INFORMATIVE * max(float(high.max()), 0.0)
    n = int(telling.sum())
    if n < _LEAST_COMMON:
        return f"; {n} samples in common are too few to compare them"
    high, low = high[telling], low[telling]
    ratio = np.full(n, np.inf)
    with np.errstate(over="ignore"):
        np.divide(high, low, out=ratio, where=low > 0)
    off = float(np.median(ratio)) - 1.0
    if off > _DISAGREEMENT:
        raise InputError(
            f"{name} in {dense.file} and {sparse.file} differs by a factor of {1.0 + off:.4g}"
            f" (median of {n} samples in common)",
            "expected the same blood in both",
            "check their units and the calibration of the sampler, or give one of the two",
        )
    return f"; they differ by {100.0 * off:.2g} % (median of {n} samples in common)"
