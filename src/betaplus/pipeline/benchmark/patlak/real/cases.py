"""Real curves of FDG with the blood of their images, and least squares written out for them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["HALF_LIFE", "RealCurve", "independent", "real_cases"]

HALF_LIFE = 6586.2
"""Of F-18 [s]."""

_VOXELS = ("brain", "myocardium", "liverInferiorRight")
_KMAP = (("2tcm", "GM"), ("1tcm", "WM"), ("liver", "Liver"))
_TAIL = 3  # samples that say how blood goes on after the last one


@dataclass(frozen=True, eq=False, kw_only=True)
class RealCurve:
    """A tissue curve and the blood that an image shows.

    Attributes:
        name: Where it is from.
        duration: Of the frames, which follow each other from injection on, shape (T,) [s].
        values: Tissue, shape (T,) [Bq/mL].
        time: Of the blood, shape (B,) [s].
        blood: Whole blood, shape (B,) [Bq/mL].
    """

    name: str
    duration: np.ndarray
    values: np.ndarray
    time: np.ndarray
    blood: np.ndarray

    @property
    def start(self) -> np.ndarray:
        """Of the frames, shape (T,) [s]."""
        return np.cumsum(self.duration) - self.duration


def real_cases(folder: Path) -> Iterator[RealCurve]:
    """Yield what of the curves is at hand.

    Voxels of a total-body scan (PET-TRACER) and regions of KMAP's examples.

    Args:
        folder: Reference data.
    """
    readable = all(importlib.util.find_spec(name) for name in ("pandas", "tables"))
    for name in _VOXELS:
        path = folder / "tacs_pettracer" / f"{name}_TAC.h5"
        if readable and path.is_file():
            import pandas

            rows = pandas.read_hdf(path).to_numpy(dtype=np.float64)
            yield RealCurve(
                name=f"total-body voxel, {name}",
                duration=60.0 * rows[:, 0],
                values=rows[:, 3],
                time=60.0 * rows[:, 1],
                blood=rows[:, 2],
            )
    for name, column in _KMAP:
        path = folder / "tacs_kmap" / f"demo_{name}_realdata.mat"
        if path.is_file():
            from scipy.io import loadmat

            file = {k: v.ravel().astype(float) for k, v in loadmat(path).items() if k[0] != "_"}
            duration = file["dt"]
            yield RealCurve(
                name=f"KMAP, {column}",
                duration=duration,
                values=file[column],
                time=np.cumsum(duration) - duration / 2,
                blood=file["Cp"],
            )


def independent(curve: RealCurve, first: int, *, weighted: bool) -> np.ndarray:
    """Return Ki and V0 by `numpy.linalg.lstsq`, shape (2,) [mL/cm3/min, mL/cm3].

    Nothing of the toolkit is used. Blood is 0 at injection, straight between samples, and falls
    on as the last three do; a and b are integrals by `scipy.integrate.quad` of what decays within
    the frame.

    Args:
        curve: Tissue and blood.
        first: First frame used.
        weighted: Whether frames weigh by their counts, D / (DCF y); else all alike.
    """
    from scipy.integrate import quad
    from scipy.interpolate import make_interp_spline

    time, blood = np.r_[0.0, curve.time], np.r_[0.0, curve.blood]
    end = curve.start[-1] + curve.duration[-1]
    if end > time[-1]:
        slope = min(np.polyfit(curve.time[-_TAIL:], np.log(curve.blood[-_TAIL:]), 1)[0], 0.0)
        time, blood = np.r_[time, end], np.r_[blood, blood[-1] * np.exp(slope * (end - time[-1]))]
    plasma = make_interp_spline(time, blood, k=1)
    integral = plasma.antiderivative()
    rate = np.log(2) / HALF_LIFE
    rows, weights = [], []
    for start, duration in zip(curve.start[first:], curve.duration[first:], strict=True):
        edges = start, start + duration
        knots = time[(time > edges[0]) & (time < edges[1])]
        left = (np.exp(-rate * edges[0]) - np.exp(-rate * edges[1])) / rate
        seen = [
            quad(_decaying, *edges, args=(rate, what), points=knots, limit=200)[0] / left
            for what in (integral, plasma)
        ]
        rows.append([seen[0] / 60.0, seen[1]])
        weights.append(left)
    y, root = curve.values[first:], np.ones(len(rows))
    if weighted:
        root = np.sqrt(np.array(weights) / y)
    return np.linalg.lstsq(np.array(rows) * root[:, None], y * root, rcond=None)[0]


def _decaying(t: float, rate: float, what: Callable[[float], float]) -> float:
    return float(np.exp(-rate * t) * what(t))
