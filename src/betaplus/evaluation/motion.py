"""Whether the frames of a dynamic scan lie on each other.

Each frame is compared with the mean of all: both are smoothed, and what is compared is the length
of their gradients, so that organs whose uptake rises or falls between frames count by their
outlines. The shift is that of least squares between the two (Lucas and Kanade, IJCAI 1981), with a
factor and an offset of their own for each frame. A frame that looks unlike the mean at every shift,
such as one before the tracer has arrived or one that is all noise, is not judged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from betaplus.core.image import PetImage
from betaplus.io.voxels import iterate_frames

__all__ = ["Motion", "measure_motion"]

_GRID = 4.0  # mm, nominal: voxels are put together up to this
_MOST = 120_000  # voxels: beyond, more are put together
_FWHM = 8.0  # mm, nominal: of the smoothing
_MARGIN = 12.0  # mm: at the faces that is not compared
_FEWEST = 12  # voxels along an axis, after they are put together
_STEPS, _DONE, _LONGEST = 10, 0.05, 4.0  # of the search [mm]
_ALIKE = 0.8  # correlation, nominal: frames below are not judged
_FEWEST_FRAMES = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Motion:
    """Where frames lie against the mean of them all.

    Attributes:
        shift: Of each frame to the right, to the front and to the head, shape (T, 3) [mm].
        alike: Correlation with the mean after it is shifted back, shape (T,).
        judged: Which frames look enough like the mean for their shift to be believed, shape (T,).
    """

    shift: np.ndarray
    alike: np.ndarray
    judged: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """Length of each shift, shape (T,) [mm]; 0 of frames that are not judged."""
        return np.where(self.judged, np.linalg.norm(self.shift, axis=1), 0.0)


def measure_motion(image: PetImage) -> Motion | None:
    """Return the shift of every frame against the mean; voxels are read once.

    Args:
        image: Shape (X, Y, Z, T).

    Returns:
        The shifts, or None where there are fewer than three frames, or fewer than twelve voxels of
        4 mm along an axis.
    """
    if len(image.shape) != 4 or image.n_frames < _FEWEST_FRAMES:
        return None
    size = np.asarray(image.voxel_size)
    factors = _factors(image.shape[:3], size)
    if min(n // k for n, k in zip(image.shape[:3], factors, strict=True)) < _FEWEST:
        return None
    edges = size * factors
    outlines = [
        _outline(_together(np.nan_to_num(frame), factors), edges)
        for _, frame in iterate_frames(image)
    ]
    duration = np.ones(image.n_frames) if image.frames is None else image.frames.duration
    mean = np.zeros(outlines[0].shape)
    for outline, weight in zip(outlines, duration, strict=True):
        mean += weight / max(float(duration.sum()), 1e-9) * outline
    search = _Search(mean, edges)
    found = [search.shift(outline) for outline in outlines]
    axes = np.asarray(image.affine)[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    alike = np.array([match for _, match in found])
    return Motion(
        shift=np.array([axes @ shift for shift, _ in found]),
        alike=alike,
        judged=alike >= _ALIKE,
    )


def _factors(shape: tuple[int, ...], size: np.ndarray) -> np.ndarray:
    """Return how many voxels are put together along each axis, shape (3,)."""
    grid = _GRID
    while True:
        factors = np.maximum(1, np.rint(grid / size)).astype(int)
        if math.prod(n // k for n, k in zip(shape, factors, strict=True)) <= _MOST:
            return factors
        grid *= 1.2


def _together(volume: np.ndarray, factors: np.ndarray) -> np.ndarray:
    n = [size // k for size, k in zip(volume.shape, factors, strict=True)]
    x, y, z = (a * k for a, k in zip(n, factors, strict=True))
    blocks = (
        volume[:x, :y, :z]
        .astype(np.float64)
        .reshape(n[0], factors[0], n[1], factors[1], n[2], factors[2])
    )
    return np.asarray(blocks.mean((1, 3, 5)))


def _outline(volume: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the length of the gradient of a smoothed volume, with a mean square of 1."""
    sigma = _FWHM / math.sqrt(8.0 * math.log(2.0)) / edges
    smooth = ndimage.gaussian_filter(volume, sigma, mode="nearest")
    length = np.sqrt(sum(part**2 for part in np.gradient(smooth, *edges)))
    level = math.sqrt(float((length**2).mean()))
    return np.asarray(length / level if level > 0.0 else length)


class _Search:
    """The shift of least squares between frames and one mean, whose slopes are taken once."""

    def __init__(self, mean: np.ndarray, edges: np.ndarray) -> None:
        margin = [max(1, math.ceil(_MARGIN / edge)) for edge in edges]
        self._edges = edges
        self._inner = tuple(
            slice(m, -m) if n > 4 * m else slice(None)
            for m, n in zip(margin, mean.shape, strict=True)
        )
        inner = mean[self._inner].ravel()
        slopes = [part[self._inner].ravel() for part in np.gradient(mean, *edges)]
        self._table = np.stack([inner, np.ones_like(inner), *slopes])
        self._inverse = np.linalg.pinv(self._table @ self._table.T)

    def shift(self, outline: np.ndarray) -> tuple[np.ndarray, float]:
        """Return by how much a frame lies aside, shape (3,) [mm], and its correlation there."""
        shift, match = np.zeros(3), 0.0
        for _ in range(_STEPS):
            moved = _moved(outline, shift / self._edges)[self._inner].ravel()
            factor, _, *slopes = self._inverse @ (self._table @ moved)
            match = _correlation(moved, self._table[0])
            if not factor > 0.0:
                return shift, 0.0
            step = np.clip(np.array(slopes) / factor, -_LONGEST, _LONGEST)
            shift = shift - step
            if np.abs(step).max() < _DONE:
                break
        return shift, match


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 0.0 else 0.0


def _moved(volume: np.ndarray, by: np.ndarray) -> np.ndarray:
    if not by.any():
        return volume
    return np.asarray(ndimage.shift(volume, -by, order=1, mode="nearest"))
