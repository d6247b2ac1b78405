r"""An image given counts and a coupling: steps that leave its distribution as it is.

The target is :math:`p(x) \propto L(x) \exp(-|x - z|^2 / (2 \rho^2))` with the Poisson likelihood of
the counts; x may be negative where the expected counts are not, and is free of the counts outside
the data's mask. A step is one of Hamiltonian Monte Carlo, corrected after Metropolis (Duane et al.,
Phys Lett B 1987), so that it is exact at any length. Time is split as on Hilbert spaces (Beskos,
Pinski, Sanz-Serna and Stuart, Stoch Process Appl 2011): in the Gaussian of the coupling motion is a
rotation around z, which costs nothing, and the counts give kicks. Noise of rho in a voxel changes
the expected counts little, since a line sums over many voxels, and only kicks make errors: so steps
are long where the coupling is strong, however many voxels there are. With one kick in the middle
and short steps this is MALA.

Steps to negative expected counts are refused. They are common where randoms and scatter are few
and rho is large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.reconstruction.data import Data

__all__ = ["CoupledCounts", "Point"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Point:
    """An image and what the counts say of it.

    Attributes:
        x: In units of the level, shape (X, Y, Z), float32.
        log_likelihood: Of the counts; -inf where expected counts would be negative.
        gradient: Of it, shape (X, Y, Z).
    """

    x: np.ndarray
    log_likelihood: float
    gradient: np.ndarray


class CoupledCounts:
    """Steps at fixed counts.

    Args:
        data: Counts.
        level: Image value of 1.
    """

    def __init__(self, data: Data, level: float) -> None:
        self.data, self.level = data, float(level)

    def point(self, x: np.ndarray) -> Point:
        """Return what the counts say of an image in units of the level."""
        image = (x * self.data.mask * np.float32(self.level)).astype(np.float32)
        try:
            found = self.data.log_likelihood(image)
        except InputError:  # negative expected counts: outside the support
            return Point(x=x, log_likelihood=-math.inf, gradient=np.zeros_like(x))
        gradient = -self.data.sensitivity
        for n in self.data.order:
            gradient = gradient + self.data.back_ratio(image, n)
        return Point(
            x=x,
            log_likelihood=found,
            gradient=(gradient * self.data.mask * np.float32(self.level)).astype(np.float32),
        )

    def move(
        self,
        at: Point,
        z: np.ndarray,
        rho: float,
        angle: float,
        kicks: int,
        normal: np.ndarray,
        uniform: float,
    ) -> tuple[Point, float]:
        """Return the next point, and the probability by which the proposal was taken.

        Args:
            at: The point before.
            z: Centre of the coupling, in units of the level.
            rho: Its standard deviation.
            angle: Of a rotation: how far it goes; pi / 2 in all forgets where x was.
            kicks: Rotations, with as many evaluations of the counts.
            normal: Standard normal, shape (X, Y, Z).
            uniform: A number from 0 to 1.
        """
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        kick = np.float32(0.5 * angle * rho**2)
        speed = np.float32(rho) * normal
        before = _energy(at, z, rho, speed)
        new = at
        for _ in range(kicks):
            speed = speed + kick * new.gradient
            away = new.x - z
            new = self.point(z + cos * away + sin * speed)
            if new.log_likelihood == -math.inf:
                return at, 0.0
            speed = cos * speed - sin * away + kick * new.gradient
        accepted = math.exp(min(before - _energy(new, z, rho, speed), 0.0))
        return (new if uniform < accepted else at), accepted


def _energy(at: Point, z: np.ndarray, rho: float, speed: np.ndarray) -> float:
    away = np.sum(np.square(at.x - z), dtype=np.float64)
    return 0.5 * float(away + np.sum(np.square(speed), dtype=np.float64)) / rho**2 - (
        at.log_likelihood
    )
