r"""An image given counts and a coupling: steps that leave its distribution as it is.

The target is :math:`p(x) \propto L(x) \exp(-|x - z|^2 / (2 \rho^2))` with the Poisson likelihood of
the counts; x may be negative where the expected counts are not, and is free of the counts outside
the data's mask. A step is one of Hamiltonian Monte Carlo, corrected after Metropolis (Duane et al.,
Phys Lett B 1987), so that it is exact at any length. Time is split as on Hilbert spaces (Beskos,
Pinski, Sanz-Serna and Stuart, Stoch Process Appl 2011): in a Gaussian around z motion is a
rotation, which costs nothing, and what the Gaussian leaves of the target gives kicks.

Counts say of what is coarse in an image hundreds of times as much as of what is fine, and of air
more than of the middle of a head; in the Gaussian of the coupling alone, steps that are short
enough for the one leave the other where it was. So the Gaussian has the precision
:math:`K (h(f) + 1 / \rho^2) K`, with a diagonal K and a function h of spatial frequency that
together are about the curvature of the counts (Fessler and Booth, IEEE Trans Image Process 8, 1999,
who precondition so). Steps are exact with any K above 0 and any h that is not negative.

Steps to negative expected counts are refused. They are common where randoms and scatter are few
and rho is large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from betaplus.core.errors import InputError
from betaplus.reconstruction.data import Data

__all__ = ["CoupledCounts", "Curvature", "Point", "Slope"]

_SHIFT = 0.05  # of the level: of all voxels, to see the gradient change
_LEAST = 0.25  # of the mean in what is active: smallest K^2


@dataclass(frozen=True, eq=False, kw_only=True)
class Slope:
    """An image and where the counts draw it.

    Attributes:
        x: In units of the level, shape (X, Y, Z), float32.
        gradient: Of the log-likelihood of the counts, shape (X, Y, Z).
    """

    x: np.ndarray
    gradient: np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Point(Slope):
    """An image and what the counts say of it.

    Attributes:
        log_likelihood: Of the counts; -inf where expected counts would be negative.
    """

    log_likelihood: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Curvature:
    """About how fast the gradient of the counts changes.

    Attributes:
        scale: K, shape (X, Y, Z).
        frequency: h, shape (X, Y, Z // 2 + 1).
    """

    scale: np.ndarray
    frequency: np.ndarray

    @staticmethod
    def none(shape: tuple[int, ...]) -> Curvature:
        """Return that of no counts, for an image of a shape."""
        half = (*shape[:-1], shape[-1] // 2 + 1)
        return Curvature(scale=np.ones(shape, np.float32), frequency=np.zeros(half, np.float32))

    def precision(self, image: np.ndarray, rho: float) -> np.ndarray:
        """Return K (h + 1 / rho^2) K of an image."""
        return self.scale * _filtered(self.scale * image, self.frequency + _inverse(rho))

    def covariance(self, image: np.ndarray, rho: float) -> np.ndarray:
        """Return the inverse of `precision` of an image."""
        return _filtered(image / self.scale, 1.0 / (self.frequency + _inverse(rho))) / self.scale

    def coloured(self, normal: np.ndarray, rho: float) -> np.ndarray:
        """Return a draw with that covariance, from standard normal numbers."""
        return _filtered(normal, (self.frequency + _inverse(rho)) ** -0.5) / self.scale


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
        return Point(x=x, log_likelihood=found, gradient=self.gradient(x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Return that of the log-likelihood alone, at an image whose expected counts are above 0.

        Args:
            x: In units of the level.
        """
        image = (x * self.data.mask * np.float32(self.level)).astype(np.float32)
        found = -self.data.sensitivity
        for n in self.data.order:
            found = found + self.data.back_ratio(image, n)
        return np.asarray(found * self.data.mask * np.float32(self.level), dtype=np.float32)

    def curvature(self, at: Slope) -> Curvature:
        """Return the curvature of the counts at an image of activity.

        K^2 is the change of the gradient when all voxels change alike, over its mean in what is
        active; h belongs to its change with the one voxel in the middle of the activity.
        """
        weight = np.maximum(at.x, 0.0) * self.data.mask
        where = np.stack(np.nonzero(weight))
        flat = Curvature.none(at.x.shape)
        if not where.size:
            return flat
        rows = self.change(at, _SHIFT * self.data.mask.astype(np.float32))
        mean = float(np.average(rows, weights=weight))
        if not mean > 0.0:
            return flat
        scale = np.sqrt(np.maximum(rows / mean, _LEAST)).astype(np.float32)
        middle = np.average(where, axis=1, weights=weight[tuple(where)])
        voxel = where[:, np.argmin(np.square(where - middle[:, None]).sum(0))]
        one = np.zeros_like(at.x)
        one[tuple(voxel)] = 1.0
        response = np.roll(self.change(at, one) / scale, -voxel, (0, 1, 2))
        found = fft.rfftn(response / scale[tuple(voxel)]).real
        return Curvature(scale=scale, frequency=np.maximum(found, 0.0).astype(np.float32))

    def change(self, at: Slope, shift: np.ndarray) -> np.ndarray:
        """Return by how much the gradient falls with a shift of an image."""
        return np.asarray(at.gradient - self.gradient(at.x + shift))

    def move(
        self,
        at: Point,
        z: np.ndarray,
        rho: float,
        angle: float,
        kicks: int,
        normal: np.ndarray,
        uniform: float,
        curvature: Curvature | None = None,
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
            curvature: Of the counts, or none, which takes shorter steps.
        """
        about = Curvature.none(at.x.shape) if curvature is None else curvature
        cos, sin = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        half, tied = np.float32(0.5 * angle), _inverse(rho)
        speed = about.coloured(normal, rho)

        def kick(point: Point) -> np.ndarray:
            away = point.x - z
            left = point.gradient - tied * away + about.precision(away, rho)
            return half * about.covariance(left, rho)

        def energy(point: Point, speed: np.ndarray) -> float:
            away = np.sum(np.square(point.x - z), dtype=np.float64) / rho**2
            moving = np.sum(speed * about.precision(speed, rho), dtype=np.float64)
            return 0.5 * float(away + moving) - point.log_likelihood

        before = energy(at, speed)
        new = at
        for _ in range(kicks):
            speed = speed + kick(new)
            away = new.x - z
            new = self.point(z + cos * away + sin * speed)
            if new.log_likelihood == -math.inf:
                return at, 0.0
            speed = cos * speed - sin * away + kick(new)
        accepted = math.exp(min(before - energy(new, speed), 0.0))
        return (new if uniform < accepted else at), accepted


def _inverse(rho: float) -> np.float32:
    return np.float32(rho**-2)


def _filtered(image: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return an image whose spatial frequencies are multiplied, in its type."""
    shape = image.shape
    return np.asarray(fft.irfftn(fft.rfftn(image) * by, s=shape), dtype=image.dtype)
