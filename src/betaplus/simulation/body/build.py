"""Who the body is: sex, height, weight, and how the reference body is stretched to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from betaplus.core.seeds import generator

__all__ = ["Build", "jitter", "lognormal"]

_DRAW = 31
_NECK = 560.0  # mm: height in the reference body above which the head's own scale holds


def lognormal(rng: np.random.Generator, cv: float, limit: float = 2.5) -> float:
    """Return a log-normal factor of median 1, cut at `limit` standard deviations."""
    sd = np.sqrt(np.log1p(cv * cv))
    return float(np.exp(sd * np.clip(rng.standard_normal(), -limit, limit)))


def jitter(rng: np.random.Generator, x: float, y: float, z: float) -> np.ndarray:
    """Return how far an organ lies from its usual place; the SDs in mm, cut at 2 of them."""
    return np.array([x, y, z]) * np.clip(rng.standard_normal(3), -2, 2)


class Build:
    """Sex, size and posture of one body.

    Positions of organs are given in a reference body: a man of 1.76 m (ICRP Publication 89), in
    mm, with 0 midway between the hip joints; x to the right, y to the front, z to the head. `at`
    carries them into this body. Height has mean 1.76 and 1.63 m and SD 70 and 65 mm in men and
    women; the body mass index a median of 25.5 and a CV of 17 %, from 17 to 42 (nominal, of
    patients in western clinics).

    Args:
        seed: Chooses everything that is None.
        sex: "female" or "male".
        arms: "up" or "down".
    """

    def __init__(
        self,
        seed: int,
        sex: Literal["female", "male"] | None = None,
        arms: Literal["up", "down"] | None = None,
    ) -> None:
        rng = self._rng = generator(seed, item=0, draw=_DRAW)
        self.seed = seed
        drawn_sex = "female" if rng.random() < 0.5 else "male"
        drawn_arms = "up" if rng.random() < 0.6 else "down"
        self.sex = sex or drawn_sex
        self.arms = arms or drawn_arms
        self.female = self.sex == "female"
        tall = np.clip(rng.standard_normal(), -2.5, 2.5)
        self.height = float(1630.0 + 65.0 * tall if self.female else 1760.0 + 70.0 * tall)
        self.bmi = float(np.clip(25.5 * lognormal(rng, 0.17), 17.0, 42.0))
        self.mass = self.bmi * (self.height / 1000) ** 2
        self._stretch(rng)
        self._posture(rng)

    def _stretch(self, rng: np.random.Generator) -> None:
        tall = self.height / 1760.0
        stout = np.sqrt(max(self.bmi, 18.0) / 24.0)
        self.long = tall * lognormal(rng, 0.02)
        wide = 1.03 * tall**0.6 * stout**0.45
        self.wide = wide * (0.93 if self.female else 1.0) * lognormal(rng, 0.03)
        self.deep = wide * (0.94 if self.female else 1.0) * lognormal(rng, 0.04)
        self.hips = 1.02 * tall**0.6 * stout**0.25 * (1.03 if self.female else 1.0)
        self.hips *= lognormal(rng, 0.025)
        self.head = (0.955 if self.female else 1.0) * lognormal(rng, 0.022)
        self.muscle = (0.86 if self.female else 1.0) * stout**0.5 * lognormal(rng, 0.06)
        excess = max(self.bmi - 16.5, 1.5)
        self.fat = excess * (2.1 if self.female else 1.55) * lognormal(rng, 0.18)
        paunch = (1.6 if self.female else 2.7) * lognormal(rng, 0.3)
        self.visceral = max(self.bmi - 22.5, -4.5) * paunch
        reference = 60.0 if self.female else 73.0
        self.organs = float((self.mass / reference) ** 0.35 * tall**0.4)

    def _posture(self, rng: np.random.Generator) -> None:
        from scipy.interpolate import PchipInterpolator

        bend = np.clip(rng.standard_normal(6), -2, 2)
        sway, lordosis, kyphosis, forward = np.array([2.5, 4.0, 4.0, 8.0]) * bend[[0, 2, 3, 4]]
        line = np.array(
            [
                (-250.0, 0.0, 0.0),
                (0.0, 0.0, 0.0),
                (130.0, sway, lordosis),
                (300.0, -0.6 * sway, -0.3 * kyphosis),
                (450.0, 0.3 * sway, -kyphosis),
                (560.0, 0.0, 0.2 * forward),
                (640.0, 2.0 * bend[1], forward),
                (850.0, 3.0 * bend[1], 1.3 * forward),
            ]
        )
        self._line = PchipInterpolator(self.height_of(line[:, 0]), line[:, 1:])

    def rng(self, item: int) -> np.random.Generator:
        """Return the generator of one organ."""
        return generator(self.seed, item=item, draw=_DRAW)

    def height_of(self, z: float | np.ndarray) -> np.ndarray:
        """Return heights of the reference body in this body [mm]."""
        z = np.asarray(z, dtype=float)
        return np.where(
            z <= _NECK,
            z * self.long,
            _NECK * self.long + (z - _NECK) * self.head * self.long**0.3,
        )

    def centre(self, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return x and y of the body's centre line at heights in this body [mm]."""
        shift = self._line(np.clip(z, self._line.x[0], self._line.x[-1]))
        return shift[..., 0], shift[..., 1]

    def scale(self, z: float | np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the factors sideways, to the front and to the back at reference heights."""
        heights = [-50.0, 60.0, 180.0, 500.0, 600.0, 650.0]
        side = np.interp(z, heights, [self.hips] * 2 + [self.wide] * 2 + [self.head] * 2)
        belly = self.deep * (1.0 + self.visceral / 95.0)
        level = [-50.0, 20.0, 120.0, 260.0, 330.0, 520.0, 620.0]
        front = [self.deep, self.deep * (1 + 0.3 * self.visceral / 95.0), belly, belly]
        front += [0.5 * self.deep + 0.5 * belly, self.deep, self.head]
        back = np.interp(z, [-50.0, 520.0, 620.0], [self.deep, self.deep, self.head])
        return side, np.interp(z, level, front), back

    def at(self, x: float, y: float, z: float) -> np.ndarray:
        """Return where a point of the reference body is in this body [mm], shape (3,)."""
        side, front, back = self.scale(z)
        height = self.height_of(z)
        cx, cy = self.centre(height)
        return np.array([cx + x * side, cy + y * (front if y > 0 else back), height])

    def path(self, points: Sequence[Sequence[float]]) -> np.ndarray:
        """Return `at` of several points, shape (N, 3)."""
        return np.array([self.at(*p) for p in points])
