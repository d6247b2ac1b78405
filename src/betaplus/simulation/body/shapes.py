"""Shapes as signed distances on the points of a regular grid: ellipsoids, tubes, outlines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.simulation.fields import SpaceField

__all__ = [
    "FAR",
    "Block",
    "Outline",
    "Tube",
    "ellipsoid",
    "join",
    "moved",
    "rotation",
    "sample",
]

FAR = np.float32(1e3)  # mm: a distance that is outside everything
_TINY = np.float32(1e-3)

Distance = Callable[["Block"], np.ndarray]


@dataclass(frozen=True)
class Block:
    """Points of a regular grid.

    Attributes:
        x: Towards the right [mm], ascending, shape (X,) float32.
        y: Towards the front [mm], shape (Y,).
        z: Towards the head [mm], shape (Z,).
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an array on the points: (Z, Y, X), so that rows are long."""
        return self.z.size, self.y.size, self.x.size

    def axes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return x, y, z as arrays that broadcast to (Z, Y, X)."""
        return self.x[None, None, :], self.y[None, :, None], self.z[:, None, None]

    def window(self, low: Sequence[float], high: Sequence[float]) -> tuple[slice, slice, slice]:
        """Return the slices, for (Z, Y, X) arrays, of the points in a box [mm]."""
        cut = [
            slice(int(np.searchsorted(c, lo)), int(np.searchsorted(c, hi, side="right")))
            for c, lo, hi in zip((self.x, self.y, self.z), low, high, strict=True)
        ]
        return cut[2], cut[1], cut[0]

    def cut(self, window: tuple[slice, slice, slice]) -> Block:
        """Return the points of a window."""
        return Block(self.x[window[2]], self.y[window[1]], self.z[window[0]])

    @property
    def empty(self) -> bool:
        """Whether there are no points."""
        return 0 in self.shape


def ellipsoid(
    block: Block,
    centre: Sequence[float],
    semi: Sequence[float],
    turn: np.ndarray | None = None,
) -> np.ndarray:
    """Signed distance to an ellipsoid to first order, below 0 inside [mm].

    Args:
        block: Points.
        centre: Centre [mm].
        semi: Half-axes [mm].
        turn: Rows are the directions of the half-axes, shape (3, 3); the grid's if None.
    """
    reach = [c - np.float32(o) for c, o in zip(block.axes(), centre, strict=True)]
    if turn is not None:
        reach = [
            sum(np.float32(row[i]) * reach[i] for i in (1, 2)) + np.float32(row[0]) * reach[0]
            for row in turn
        ]
    size = [np.float32(s) for s in semi]
    unit = [r / s for r, s in zip(reach, size, strict=True)]
    level = np.sqrt(unit[2] * unit[2] + unit[1] * unit[1] + unit[0] * unit[0])
    steep = [u / s for u, s in zip(unit, size, strict=True)]
    slope = np.sqrt(steep[2] * steep[2] + steep[1] * steep[1] + steep[0] * steep[0])
    return level * (level - 1) / np.maximum(slope, _TINY)


def moved(point: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    """Return a point, or several, moved to the right, front and top [mm], shape (..., 3)."""
    return np.asarray(point, dtype=float) + np.array([x, y, z], dtype=float)


def rotation(third: Sequence[float], first: Sequence[float] = (1.0, 0.0, 0.0)) -> np.ndarray:
    """Return directions of half-axes, the third given, the first as near as can be to `first`."""
    w = np.asarray(third, dtype=float)
    w = w / np.linalg.norm(w)
    u = np.asarray(first, dtype=float)
    u = u - (u @ w) * w
    u = u / np.linalg.norm(u)
    return np.stack([u, np.cross(w, u), w])


class Tube:
    """A tube along a smooth curve through points, with a radius at each.

    Args:
        points: Points of the curve [mm], shape (N, 3).
        radius: Radius at each point, or one for all [mm].
        step: Length of the straight pieces that stand for the curve [mm]; None keeps the points.
    """

    def __init__(
        self,
        points: Sequence[Sequence[float]] | np.ndarray,
        radius: float | Sequence[float] | np.ndarray,
        step: float | None = 10.0,
    ) -> None:
        p = np.asarray(points, dtype=float)
        r = np.broadcast_to(np.asarray(radius, dtype=float), (len(p),)).copy()
        if step is not None and len(p) > 2:
            p, r = _curve(p, r, step)
        self.points, self.radius = p, r

    def box(self, margin: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Return the corners of the box around the tube, wider by a margin [mm]."""
        reach = self.radius[:, None] + margin
        return (self.points - reach).min(axis=0), (self.points + reach).max(axis=0)

    def __call__(self, block: Block, margin: float = 6.0) -> np.ndarray:
        """Signed distance, below 0 inside [mm]; FAR where it is more than `margin` away."""
        out = np.full(block.shape, FAR)
        for a, b, ra, rb in zip(
            self.points[:-1],
            self.points[1:],
            self.radius[:-1],
            self.radius[1:],
            strict=True,
        ):
            reach = max(ra, rb) + margin
            window = block.window(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
            part = block.cut(window)
            if part.empty:
                continue
            there = out[window]
            np.minimum(there, _rod(part, a, b, ra, rb), out=there)
        return out


class Outline:
    """A body part that is upright: half-axes of its cross sections as splines along z.

    Args:
        z: Heights [mm], ascending.
        side: Half-width at each height [mm].
        front: Reach from the centre line towards the front [mm].
        back: Reach towards the back [mm].
        centre: Function of z that returns the x and y of the centre line [mm].
        square: 2 is an ellipse; less is more like a rectangle.
    """

    def __init__(
        self,
        z: Sequence[float],
        side: Sequence[float],
        front: Sequence[float],
        back: Sequence[float],
        centre: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
        square: float = 2.0,
    ) -> None:
        from scipy.interpolate import PchipInterpolator

        table = np.stack([side, front, back], axis=1)
        self._z = np.asarray(z, dtype=float)
        self._spline = PchipInterpolator(self._z, table)
        self.centre_line = centre
        self._square = np.float32(square - 2.0)

    def half_axes(self, z: np.ndarray) -> np.ndarray:
        """Return side, front and back at heights, shape (3, ...) [mm]."""
        return np.moveaxis(self._spline(np.clip(z, self._z[0], self._z[-1])), -1, 0)

    def level(self, block: Block) -> tuple[np.ndarray, np.ndarray]:
        """Return the level (1 on the outline, 0 on the axis) and the radius [mm]."""
        heights = block.z.astype(float)
        side, front, back = (h.astype(np.float32)[:, None, None] for h in self.half_axes(heights))
        cx, cy = (
            np.asarray(c, dtype=np.float32).reshape(-1, 1, 1) for c in self.centre_line(heights)
        )
        x, y, _ = block.axes()
        x, y = x - cx, y - cy
        u = np.square(x / side)
        v = np.square(y / np.where(y > 0, front, back))
        level = u + v
        if self._square != 0:
            level = np.sqrt(level * level + self._square * (u * v))
        return np.sqrt(level), np.sqrt(x * x + y * y)

    def distance(self, block: Block) -> np.ndarray:
        """Signed distance along the radius, below 0 inside [mm]."""
        level, radius = self.level(block)
        return radius - radius / np.maximum(level, _TINY)


def sample(field: SpaceField, block: Block) -> np.ndarray:
    """Return a field on the points of a block, shape (Z, Y, X); faster than at loose points."""
    values = field.values.transpose(2, 1, 0)
    for axis, (c, low) in enumerate(zip((block.z, block.y, block.x), field.low[::-1], strict=True)):
        n = values.shape[axis]
        at = np.clip((c.astype(float) - low) / field.spacing, 0, n - 1)
        first = np.minimum(at.astype(int), max(n - 2, 0))
        after = np.minimum(first + 1, n - 1)
        shape = [1, 1, 1]
        shape[axis] = -1
        weight = (at - first).astype(np.float32).reshape(shape)
        start = np.take(values, first, axis=axis)
        values = start + weight * (np.take(values, after, axis=axis) - start)
    return values


def join(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Return the union of two shapes with a fillet of about `blend` [mm] between them."""
    if blend <= 0:
        return np.minimum(a, b)
    k = np.float32(blend)
    near = np.maximum(k - np.abs(a - b), 0)
    return np.minimum(a, b) - near * near / (4 * k)


def _rod(block: Block, a: np.ndarray, b: np.ndarray, ra: float, rb: float) -> np.ndarray:
    axis = (b - a).astype(np.float32)
    length = np.float32(max(float(axis @ axis), 1e-6))
    reach = [c - np.float32(o) for c, o in zip(block.axes(), a, strict=True)]
    along = (reach[2] * axis[2] + reach[1] * axis[1] + reach[0] * axis[0]) / length
    along = np.clip(along, 0, 1)
    off = [r - along * t for r, t in zip(reach, axis, strict=True)]
    square = off[2] * off[2] + off[1] * off[1] + off[0] * off[0]
    return np.sqrt(square) - (np.float32(ra) + along * np.float32(rb - ra))


def _curve(p: np.ndarray, r: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.interpolate import CubicSpline, PchipInterpolator

    chord = np.maximum(np.linalg.norm(np.diff(p, axis=0), axis=1), 1e-3)
    at = np.concatenate([[0.0], np.cumsum(np.sqrt(chord))])  # centripetal
    pieces = max(int(np.ceil(chord.sum() / step)), len(p) - 1)
    knots = np.interp(
        np.linspace(0, chord.sum(), pieces + 1),
        np.concatenate([[0.0], np.cumsum(chord)]),
        at,
    )
    return CubicSpline(at, p)(knots), PchipInterpolator(at, r)(knots)
