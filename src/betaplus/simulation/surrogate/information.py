"""What the counts tell about each place of a body, from few line integrals of a coarse copy.

Parallel beams at some angles through activity and attenuation give, line by line, the share a of
photon pairs that leaves and the expected counts. Back-projected they are the two quantities that
the noise of expectation maximisation depends on: the sensitivity, mean of a over directions, and
the information, mean of a^2 / counts (Fessler and Rogers, IEEE TIP 5, 1346, 1996; Qi and Leahy,
IEEE TMI 19, 493, 2000). The coarse copy is made once for a body; doses and draws use it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from betaplus.simulation.fields import sigma_of_fwhm
from betaplus.simulation.surrogate.style import ScanStyle

__all__ = ["Information", "measure_information"]

COARSE = 12.0
"""Edge of the coarse voxels [mm]."""

_SCATTER = 40.0  # standard deviation of scatter around the trues [mm], as `simulation.raw.scatter`
_FLOOR = 1e-3  # least counts of a line, of those of the fullest


@dataclass(frozen=True, eq=False)
class Information:
    """Coarse maps.

    Attributes:
        survival: Mean share of pairs that leaves, over directions, shape (x, y, z).
        weight: a^2 over counts for lines of each sector of directions, shape (sectors, x, y, z)
            [1 / (SUV mm)].
        sensitivity: Relative sensitivity of each slice, shape (z,).
        first: Centre of the first coarse voxel, from that of the body's first voxel [mm].
        step: Edges of the coarse voxels [mm].
    """

    survival: np.ndarray
    weight: np.ndarray
    sensitivity: np.ndarray
    first: tuple[float, float, float]
    step: tuple[float, float, float]

    def at(
        self,
        values: np.ndarray,
        shape: Sequence[int],
        voxel: Sequence[float],
        low: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> np.ndarray:
        """Return a coarse map interpolated to a grid, float32.

        Args:
            values: Shape (x, y, z); beyond its borders the values there go on.
            shape: Of the grid.
            voxel: Its voxel edges [mm].
            low: Centre of its first voxel, from that of the body's first voxel [mm].
        """
        out = np.asarray(values, dtype=np.float32)
        for axis in range(3):
            place = low[axis] + np.arange(shape[axis]) * voxel[axis]
            place = (place - self.first[axis]) / self.step[axis]
            place = np.clip(place, 0.0, out.shape[axis] - 1.0)
            below = np.minimum(place.astype(np.int64), max(out.shape[axis] - 2, 0))
            above = np.minimum(below + 1, out.shape[axis] - 1)
            t = (
                (place - below)
                .astype(np.float32)
                .reshape([-1 if i == axis else 1 for i in range(3)])
            )
            out = np.take(out, below, axis) * (1.0 - t) + np.take(out, above, axis) * t
        return out


def measure_information(
    activity: np.ndarray,
    mu: np.ndarray,
    voxel: Sequence[float],
    style: ScanStyle,
    *,
    sectors: int = 4,
    per_sector: int = 3,
) -> Information:
    """Return the coarse maps of a body.

    Args:
        activity: Shape (X, Y, Z) [SUV].
        mu: Attenuation coefficients at 511 keV, likewise [1/mm].
        voxel: Voxel edges [mm].
        style: Of the scan.
        sectors: Ranges of directions that are kept apart.
        per_sector: Directions in each.
    """
    factors = tuple(max(1, round(COARSE / v)) for v in voxel)
    x = np.maximum(_means(activity, factors), 0.0)
    attenuation = _means(mu, factors)
    step = [f * v for f, v in zip(factors, voxel, strict=True)]
    angles = (np.arange(sectors * per_sector) + 0.5) * np.pi / (sectors * per_sector)
    turns = [_Turn(x.shape[:2], step[:2], a) for a in angles]
    lines = [_Lines(t, x, attenuation, step) for t in turns]
    trues = sum(float(line.trues.sum()) * line.turn.pitch for line in lines) / len(lines)
    ratio = style.scatter / (1.0 - style.scatter)
    width = max(2.0 * style.fov, turns[0].pitch)
    accidental = (
        style.randoms / (1.0 - style.randoms) * trues * (1.0 + ratio) / (width * x.shape[2])
    )
    survival = np.zeros(x.shape)
    weight = np.zeros((sectors, *x.shape))
    for n, line in enumerate(lines):
        scatter = gaussian_filter(
            line.trues, [_SCATTER / line.turn.pitch, _SCATTER / step[2]], mode="constant"
        )
        total = line.trues.sum()
        scatter *= ratio * total / scatter.sum() if total > 0 else 0.0
        survival += line.turn.back(line.leaves[:, None]) / len(lines)
        found = line.weight(scatter + accidental, style.tof)
        weight[n // per_sector] += line.turn.back(found) / per_sector
    return Information(
        survival=survival.astype(np.float32),
        weight=weight.astype(np.float32),
        sensitivity=_axial(x.shape[2], step[2], style),
        first=_triple(0.5 * (f - 1) * v for f, v in zip(factors, voxel, strict=True)),
        step=_triple(step),
    )


class _Turn:
    """Bilinear interpolation between (x, y) and (u, along) turned by an angle."""

    def __init__(self, shape: Sequence[int], step: Sequence[float], angle: float) -> None:
        self.pitch = float(min(step))
        size = int(np.ceil(np.hypot(shape[0] * step[0], shape[1] * step[1]) / self.pitch)) + 2
        c, s = np.cos(angle), np.sin(angle)
        own = (np.arange(size) - 0.5 * (size - 1)) * self.pitch
        u, along = np.meshgrid(own, own, indexing="ij")
        self._in = _weights(
            (c * u - s * along) / step[0] + 0.5 * (shape[0] - 1),
            (s * u + c * along) / step[1] + 0.5 * (shape[1] - 1),
            shape,
        )
        x, y = np.meshgrid(
            *[(np.arange(n) - 0.5 * (n - 1)) * d for n, d in zip(shape, step, strict=True)],
            indexing="ij",
        )
        middle = 0.5 * (size - 1)
        self._out = _weights(
            (c * x + s * y) / self.pitch + middle, (c * y - s * x) / self.pitch + middle,
            (size, size),
        )  # fmt: skip
        self.size = size

    def into(self, image: np.ndarray) -> np.ndarray:
        """Return (u, along, z) of (x, y, z)."""
        return _gather(image, self._in)

    def back(self, lines: np.ndarray) -> np.ndarray:
        """Return (x, y, z) of (u, along, z); an axis of 1 along is the same all along."""
        full = np.broadcast_to(lines, (self.size, self.size, lines.shape[2]))
        return _gather(full, self._out)


class _Lines:
    """Lines of one direction: what leaves, and the trues of each."""

    def __init__(
        self, turn: _Turn, x: np.ndarray, attenuation: np.ndarray, step: Sequence[float]
    ) -> None:
        self.turn = turn
        self.activity = turn.into(x)
        self.leaves = np.exp(-turn.into(attenuation).sum(1) * turn.pitch)
        self.trues = self.leaves * self.activity.sum(1) * turn.pitch

    def weight(self, background: np.ndarray, tof: float) -> np.ndarray:
        """Return a^2 / counts, shape (u, along or 1, z) [1 / (SUV mm)]."""
        if tof <= 0.0:
            counts = self.trues + background
            return (self.leaves**2 / np.maximum(counts, _FLOOR * counts.max() + 1e-30))[:, None]
        # With time of flight a count tells of places within its kernel k: the sum over the
        # line of k^2 / counts, times a^2; scatter lies where the body is, randoms everywhere.
        sigma = sigma_of_fwhm(tof)
        bins = sigma / self.turn.pitch
        near = gaussian_filter1d(self.activity, bins, axis=1, mode="constant")
        counts = self.leaves[:, None] * near
        length = self.activity.shape[1] * self.turn.pitch
        counts = counts + (background / length)[:, None]
        counts = np.maximum(counts, _FLOOR * counts.max() + 1e-30)
        squared = gaussian_filter1d(1.0 / counts, bins / np.sqrt(2.0), axis=1, mode="nearest")
        return self.leaves[:, None] ** 2 * squared / (2.0 * np.sqrt(np.pi) * sigma)


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in values)
    return x, y, z


def _weights(
    x: np.ndarray, y: np.ndarray, shape: Sequence[int]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    i, j = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    out = []
    for a in (0, 1):
        for b in (0, 1):
            w = np.abs(1 - a - (x - i)) * np.abs(1 - b - (y - j))
            inside = (i + a >= 0) & (i + a < shape[0]) & (j + b >= 0) & (j + b < shape[1])
            out.append(
                (np.clip(i + a, 0, shape[0] - 1), np.clip(j + b, 0, shape[1] - 1), w * inside)
            )
    return out


def _gather(
    image: np.ndarray, weights: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> np.ndarray:
    return sum(image[i, j] * w[..., None] for i, j, w in weights)


def _means(image: np.ndarray, factors: Sequence[int]) -> np.ndarray:
    """Return the means of blocks; the last ones of an axis repeat its last voxels."""
    out = np.asarray(image, dtype=np.float32)
    for axis, f in enumerate(factors):
        starts = np.arange(0, out.shape[axis], f)
        sums = np.add.reduceat(out, starts, axis=axis)
        number = np.diff(np.append(starts, out.shape[axis])).astype(np.float32)
        out = sums / number.reshape([-1 if i == axis else 1 for i in range(3)])
    return out.astype(np.float64)


def _axial(slices: int, step: float, style: ScanStyle) -> np.ndarray:
    """Return the share of polar angles that are measured, of those in the middle of a bed."""
    if style.axial_length is None:
        return np.ones(slices)
    z = np.abs((np.arange(slices) - 0.5 * (slices - 1)) * step)
    to_end = np.maximum(0.5 * style.axial_length - z, 0.25 * step)
    return np.minimum(1.0, to_end / max(style.acceptance * style.radius, 1e-6))
