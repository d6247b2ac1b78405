"""Contrast recovery and background variability of the image quality phantom.

As NEMA NU 2-2018 defines them, section 7.4. In the slice through the centres of the spheres, a
circle of a sphere's inner diameter has the mean C_H; twelve circles of that diameter in the
background, in that slice and in those nearest to 1 and 2 cm from it on both sides, have the K = 60
means whose mean is C_B and whose SD, with K - 1, is S. Then

- contrast recovery Q_H = 100 (C_H / C_B - 1) / (a_H / a_B - 1) [%], a the true activities,
- background variability N = 100 S / C_B [%],
- the error of the lung insert: 100 times the mean of a circle of 30 mm in it over C_B of the
  largest circles [%], averaged over slices (here the same five).

Voxels at the edge of a circle count as far as they are in it. `recovery_at_noise` reads a curve of
recovery against noise, as that of a Gaussian filter, at the noise of another method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from betaplus.core.errors import InputError
from betaplus.evaluation.images.regions import background_variability, contrast_recovery

__all__ = ["ImageQuality", "disc_mean", "image_quality", "recovery_at_noise"]

SLICES = (-20.0, -10.0, 0.0, 10.0, 20.0)
"""Where background circles lie, from the centres of the spheres [mm]."""

LUNG_DIAMETER = 30.0
"""Of the circle in the lung insert [mm]."""

_SUB = 10  # sub-voxels along an edge
_STRAIGHT = 1e-4  # of a voxel's edge: what an axis may be off the world's


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageQuality:
    """Measures of the image quality phantom, each of shape (S,) for its spheres.

    Attributes:
        diameters: Of the spheres [mm].
        hot: C_H [unit of the image].
        background: C_B [likewise].
        recovery: Q_H [%].
        variability: N [%].
        lung_error: [%]; NaN where no lung insert was given.
    """

    diameters: np.ndarray
    hot: np.ndarray
    background: np.ndarray
    recovery: np.ndarray
    variability: np.ndarray
    lung_error: float


def image_quality(
    image: np.ndarray,
    affine: np.ndarray,
    *,
    spheres: np.ndarray,
    diameters: Sequence[float],
    backgrounds: np.ndarray,
    ratio: float,
    lung: Sequence[float] | None = None,
) -> ImageQuality:
    """Return contrast recovery, background variability and the error of the lung insert.

    Args:
        image: Shape (X, Y, Z).
        affine: Voxel to world matrix, shape (4, 4) [mm]; axes along those of the world.
        spheres: Their centres, shape (S, 3), all in one slice [mm].
        diameters: Their inner diameters, shape (S,) [mm].
        backgrounds: Centres (x, y) of background circles, shape (K, 2), 12 by the standard [mm].
        ratio: True activity of the spheres over that of the background.
        lung: Centre (x, y) of the lung insert [mm]; None if there is none.

    Raises:
        InputError: If axes are oblique, the spheres are in several slices, or a circle does not
            lie in the image.
    """
    centres = np.asarray(spheres, dtype=np.float64).reshape(-1, 3)
    if np.ptp(centres[:, 2]) > 1e-3 or len(centres) != len(diameters):
        raise InputError(
            f"{len(centres)} spheres at heights {centres[:, 2].tolist()} mm,"
            f" {len(diameters)} diameters",
            "expected one slice through the centres of all",
        )
    height = float(centres[0, 2])

    def mean(x: float, y: float, z: float, diameter: float) -> float:
        return disc_mean(image, affine, (float(x), float(y), z), diameter)

    hot = np.array([mean(x, y, height, d) for (x, y, _), d in zip(centres, diameters, strict=True)])
    around = [
        [mean(x, y, height + z, d) for z in SLICES for x, y in backgrounds] for d in diameters
    ]
    background = np.array([float(np.mean(values)) for values in around])
    recovery = [contrast_recovery(h, b, ratio) for h, b in zip(hot, background, strict=True)]
    lung_error = math.nan
    if lung is not None:
        cold = np.mean([mean(lung[0], lung[1], height + z, LUNG_DIAMETER) for z in SLICES])
        whole = float(background[int(np.argmax(diameters))])
        lung_error = 100.0 * float(cold) / whole if whole else math.nan
    return ImageQuality(
        diameters=np.asarray(diameters, dtype=np.float64),
        hot=hot,
        background=background,
        recovery=np.array(recovery),
        variability=np.array([background_variability(values) for values in around]),
        lung_error=lung_error,
    )


def disc_mean(
    image: np.ndarray, affine: np.ndarray, centre: Sequence[float], diameter: float
) -> float:
    """Return the mean over a transverse circle, in the slice nearest to its centre.

    Args:
        image: Shape (X, Y, Z).
        affine: Voxel to world matrix, shape (4, 4) [mm]; axes along those of the world.
        centre: Of the circle (x, y, z) [mm].
        diameter: Of the circle [mm].

    Raises:
        InputError: If axes are oblique, the circle is not in the image, or a voxel in it is no
            finite number.
    """
    matrix = np.asarray(affine, dtype=np.float64)
    edges = np.abs(np.diag(matrix)[:3])
    if (np.abs(matrix[:3, :3] - np.diag(np.diag(matrix)[:3])) > _STRAIGHT * edges.max()).any():
        raise InputError(
            "the image is oblique to its world", "expected axes along x, y and z", "resample it"
        )
    middle = np.linalg.solve(matrix, np.append(np.asarray(centre, dtype=np.float64), 1.0))[:3]
    reach = 0.5 * diameter / edges[:2]
    low = np.ceil(middle[:2] - reach - 0.5).astype(int)
    high = np.floor(middle[:2] + reach + 0.5).astype(int) + 1
    plane = round(float(middle[2]))
    shape = np.shape(image)
    if (low < 0).any() or (high > shape[:2]).any() or not 0 <= plane < shape[2]:
        raise InputError(
            f"a circle of {diameter:g} mm at {tuple(round(float(c), 1) for c in centre)} mm is not"
            f" in the image of shape {shape}",
            "expected an image of the whole phantom",
        )
    offset = (np.arange(_SUB) - 0.5 * (_SUB - 1)) / _SUB
    x, y = (
        (((np.arange(a, b)[:, None] + offset).ravel() - m) * e) ** 2
        for a, b, m, e in zip(low, high, middle[:2], edges[:2], strict=True)
    )
    within = x[:, None] + y <= (0.5 * diameter) ** 2
    share = within.reshape(high[0] - low[0], _SUB, high[1] - low[1], _SUB).mean(axis=(1, 3))
    values = np.asarray(image)[low[0] : high[0], low[1] : high[1], plane].astype(np.float64)
    if not np.isfinite(values[share > 0]).all():
        raise InputError("a voxel in a circle is not finite", "expected numbers")
    return float((np.where(share > 0, values, 0.0) * share).sum() / share.sum())


def recovery_at_noise(
    noise: float, curve_noise: Sequence[float], curve_recovery: Sequence[float]
) -> float:
    """Return a curve's recovery where its noise is that of another method.

    Args:
        noise: Of the method, as background variability [%].
        curve_noise: Of the points of the curve, in any order, such as widths of a Gaussian filter.
        curve_recovery: Recovery at each of them.

    Returns:
        On the straight line between the two points next to it; NaN beyond the ends of the curve.

    Raises:
        InputError: If the lengths differ or there is no point.
    """
    x, y = np.asarray(curve_noise, np.float64), np.asarray(curve_recovery, np.float64)
    if x.shape != y.shape or x.ndim != 1 or not x.size:
        raise InputError(f"a curve of {x.size} noises and {y.size} recoveries", "expected pairs")
    order = np.argsort(x, kind="stable")
    return float(np.interp(noise, x[order], y[order], left=math.nan, right=math.nan))
