"""A part of the body: a shape, the labels it takes, and what it may take the place of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from betaplus.simulation.body.build import Build
from betaplus.simulation.body.regions import BODY_LABELS
from betaplus.simulation.body.shapes import Block, Tube, ellipsoid, sample
from betaplus.simulation.fields import SpaceField

__all__ = ["FIRST_INNER", "INDEX", "Part", "blob", "egg", "rough", "tube"]

FIRST_INNER = 251  # from here on, labels that become fat in the end
INDEX = {name: index for index, name in BODY_LABELS.items()} | {
    "Skin": FIRST_INNER,
    "Abdomen": 254,
    "Chest": 255,
    "Pericardium": 253,
    "Air": 0,
}


@dataclass(frozen=True)
class Part:
    """One thing to paint.

    Attributes:
        name: What it is; a region, or a cavity.
        low: Lower corner of its box [mm].
        high: Upper corner [mm].
        distance: Signed distance on a block, below 0 inside [mm].
        layers: Region and depth [mm] below the surface where it begins, from outside inwards.
        over: Names it may take the place of; everything but air and skin if empty.
        volume: Volume that the shape is grown or shrunk to [mL]; None leaves it.
        limit: Most by which the surface is moved for that [mm].
    """

    low: np.ndarray
    high: np.ndarray
    distance: Callable[[Block], np.ndarray]
    layers: tuple[tuple[str, float], ...]
    over: tuple[str, ...] = ()
    volume: float | None = None
    limit: float = field(default=12.0)


def rough(
    build: Build,
    item: int,
    low: Sequence[float],
    high: Sequence[float],
    fwhm: float,
    mm: float,
) -> Callable[[Block], np.ndarray]:
    """Return a smooth noise on a box, its SD in mm, that bends a surface when added to it."""
    noise = SpaceField(low, high, fwhm, build.rng(1000 + item))
    amplitude = np.float32(mm)
    return lambda block: amplitude * sample(noise, block)


def tube(
    points: Sequence[Sequence[float]] | np.ndarray,
    radius: float | Sequence[float] | np.ndarray,
    *layers: tuple[str, float],
    over: tuple[str, ...] = (),
    volume: float | None = None,
    step: float | None = 8.0,
    limit: float = 6.0,
) -> Part:
    """Return a tube along a curve as a part."""
    shape = Tube(points, radius, step)
    margin = 1.0 if volume is None else limit + 1.0
    low, high = shape.box(margin)
    return Part(low, high, lambda b: shape(b, margin), layers, over, volume, limit)


def blob(
    centre: Sequence[float] | np.ndarray,
    reach: float | Sequence[float],
    distance: Callable[[Block], np.ndarray],
    *layers: tuple[str, float],
    over: tuple[str, ...] = (),
    volume: float | None = None,
    limit: float = 12.0,
) -> Part:
    """Return a part in the box that reaches `reach` [mm] from a centre."""
    c = np.asarray(centre, dtype=float)
    return Part(c - reach, c + reach, distance, layers, over, volume, limit)


def egg(
    centre: np.ndarray,
    semi: Sequence[float] | np.ndarray,
    *layers: tuple[str, float],
    turn: np.ndarray | None = None,
    over: tuple[str, ...] = (),
    volume: float | None = None,
    limit: float = 6.0,
) -> Part:
    """Return an ellipsoid as a part; `turn` holds the directions of its half-axes."""
    size = np.asarray(semi, dtype=float)
    reach = float(size.max()) + (1.0 if volume is None else limit + 1.0)
    return blob(
        centre,
        reach,
        lambda block: ellipsoid(block, centre, size, turn),
        *layers,
        over=over,
        volume=volume,
        limit=limit,
    )
