"""A whole body: its parts in the order in which they are painted."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from betaplus.simulation.body.abdomen import kidneys, liver, muscles, pancreas, spleen
from betaplus.simulation.body.bowel import colon, small_bowel, stomach
from betaplus.simulation.body.build import Build
from betaplus.simulation.body.cavities import Cage, Diaphragm, cavities
from betaplus.simulation.body.head import airways, head, neck_glands
from betaplus.simulation.body.heart import heart, vessels
from betaplus.simulation.body.part import FIRST_INNER, INDEX, Part
from betaplus.simulation.body.pelvis import breasts, pelvis
from betaplus.simulation.body.shapes import Block
from betaplus.simulation.body.skeleton import skeleton
from betaplus.simulation.body.surface import LOW, surface, vertex

__all__ = ["BodyAnatomy"]

_AIR = 12.0  # mm of air round the body
_COARSE = 5.0  # mm: grid on which volumes are fitted
_ALL = np.ones(256, dtype=bool)
_ALL[[INDEX["Air"], INDEX["Skin"]]] = False


class BodyAnatomy:
    """One body; the same seed gives the same body on every grid.

    Parts are painted in order, each only in its own box and only over what it may replace, so
    that no organ cuts into bone or into an organ painted before. A part with a target volume is
    grown or shrunk until it has it: the shift of its surface is a quantile of its signed
    distance over the points of a 5 mm grid that are free.

    Args:
        seed: Chooses everything that is None, and all shapes.
        sex: "female" or "male".
        arms: "up" or "down".
    """

    def __init__(
        self,
        seed: int,
        sex: Literal["female", "male"] | None = None,
        arms: Literal["up", "down"] | None = None,
    ) -> None:
        self.build = b = Build(seed, sex, arms)
        cage = Cage(b)
        diaphragm = Diaphragm(b, cage)
        low, high = self._bounds()
        abdomen, chest, lungs = cavities(b, cage, diaphragm)
        parts = [
            *surface(b, low, high),
            *breasts(b),
            abdomen,
            chest,
            *head(b),
            *skeleton(b, cage),
            *heart(b, diaphragm),
            *vessels(b),
            *airways(b),
            *neck_glands(b),
            lungs,
            *muscles(b),
            *pelvis(b),
            *kidneys(b),
            *pancreas(b),
            *liver(b, diaphragm),
            *spleen(b, diaphragm),
            *stomach(b, diaphragm),
            *colon(b),
            *small_bowel(b),
        ]
        self.low, self.high = low, high
        self.parts = self._fitted(parts)

    def labels(self, block: Block) -> np.ndarray:
        """Return the label of every point, shape (Z, Y, X) uint8; 0 is air."""
        out = np.zeros(block.shape, dtype=np.uint8)
        for part in self.parts:
            _paint(out, part, block)
        out[out >= FIRST_INNER] = INDEX["Fat"]
        return out

    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        b = self.build
        reach = max(330.0, 250.0 * b.wide + 2 * b.fat + 60.0)
        low = np.array([-reach, -260.0, float(b.height_of(LOW))])
        high = np.array([reach, 330.0, vertex(b) + _AIR + 2.0])
        return low, high

    def _fitted(self, parts: list[Part]) -> list[Part]:
        block = Block(
            *(
                np.arange(a, c, _COARSE, dtype=np.float32)
                for a, c in zip(self.low, self.high, strict=True)
            )
        )
        out = np.zeros(block.shape, dtype=np.uint8)
        fitted = []
        for part in parts:
            done = part if part.volume is None else _fit(out, part, block)
            _paint(out, done, block)
            fitted.append(done)
        filled = [np.flatnonzero((out > 0).any(axis=a)) for a in ((1, 2), (0, 2), (0, 1))]
        for axis, at in enumerate(filled[::-1]):
            c = (block.x, block.y, block.z)[axis]
            if axis < 2:
                self.low[axis] = c[at[0]] - _COARSE - _AIR
                self.high[axis] = c[at[-1]] + _COARSE + _AIR
        return fitted


def _allowed(part: Part) -> np.ndarray:
    if not part.over:
        return _ALL
    table = np.zeros(256, dtype=bool)
    for name in part.over:
        table[INDEX[name]] = True
    return table


def _paint(out: np.ndarray, part: Part, block: Block) -> None:
    window = block.window(part.low, part.high)
    inside = block.cut(window)
    if inside.empty:
        return
    d = part.distance(inside)
    there = out[window]
    free = _allowed(part)[there]
    for name, depth in part.layers:
        np.copyto(there, np.uint8(INDEX[name]), where=free & (d < -depth))


def _fit(out: np.ndarray, part: Part, block: Block) -> Part:
    window = block.window(part.low, part.high)
    inside = block.cut(window)
    if inside.empty or part.volume is None:
        return part
    distance = part.distance
    d = distance(inside)[_allowed(part)[out[window]]]
    count = round(part.volume * 1000.0 / _COARSE**3)
    if d.size == 0:
        return part
    count = min(max(count, 1), d.size - 1)
    shift = np.float32(np.clip(np.partition(d, count)[count], -part.limit, part.limit))
    return replace(part, distance=lambda b: distance(b) - shift, volume=None)
