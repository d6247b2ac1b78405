r"""What the counts demand and a network left out: blobs of activity, put in one after the other.

A network draws what is rare towards what is common: of a lesion that its training never had it
leaves next to nothing. Where counts refute an image they say so, however. For the right image the
slope of the log-likelihood along a Gaussian blob b, :math:`b^T g`, has mean 0 and variance
:math:`b^T H b`, with the curvature H of the counts (Rao's score test). Where it is beyond so many
times its SD, the amount of the blob that the likelihood asks for, :math:`b^T g / b^T H b`, is
added, hot or cold, and the rest is looked at again (matching pursuit: Mallat and Zhang, IEEE Trans
Signal Process 41, 1993). A rough curvature tells where to look; that of each blob is its own.

Blobs are of two widths and are looked for where there is activity. At four SD an image that is
right is hardly ever changed; a lesion that the counts do not show at that level stays hidden.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage

from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.coupled_counts import CoupledCounts, Curvature, Point

__all__ = ["Blob", "BlobScores", "put_in"]

_WIDTHS = (6.0, 10.0)  # mm, full width at half maximum
_APART = 12.0  # mm: of blobs of one round
_ACTIVE = 0.3  # of the level, smoothed like the blob: where blobs are looked for
_NEAR = 0.9  # of the significance: scores by the rough curvature whose own is looked at
_MOST = 24  # of these in one round
_SHIFT = 0.05  # of the level: to see the gradient change
_ROUNDS = 8
_FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True, kw_only=True)
class Blob:
    """A Gaussian that was added to an image.

    Attributes:
        voxel: Its middle.
        width: Full width at half maximum [mm].
        score: Of the counts before it was there, in their SD; below 0 where it is cold.
        amount: Its peak, over the image's level.
    """

    voxel: tuple[int, ...]
    width: float
    score: float
    amount: float


class BlobScores:
    """Scores of blobs of one width in all places.

    Args:
        shape: Of the image.
        voxel_size: Edges of its voxels [mm].
        width: Full width at half maximum [mm].
    """

    def __init__(self, shape: tuple[int, ...], voxel_size: tuple[float, ...], width: float) -> None:
        self.width, self._shape = width, shape
        self._sigma = [width / _FWHM / edge for edge in voxel_size]
        self._peak = float(np.prod([np.sqrt(2.0 * np.pi) * s for s in self._sigma]))
        middle = np.zeros(shape, dtype=np.float32)
        middle[tuple(n // 2 for n in shape)] = 1.0
        power = np.abs(fft.rfftn(self.along(middle))) ** 2 / middle.size
        twice = np.full(power.shape[-1], 2.0)  # of the half of the spectrum that is left out
        twice[0] = 1.0
        if shape[-1] % 2 == 0:
            twice[-1] = 1.0
        self._power = power * twice

    def smooth(self, image: np.ndarray) -> np.ndarray:
        """Return the mean of an image under the blob, in every place."""
        return np.asarray(ndimage.gaussian_filter(image, self._sigma, mode="constant"))

    def along(self, image: np.ndarray) -> np.ndarray:
        """Return the sum of blob times image, in every place; the blob's peak is 1."""
        return self._peak * self.smooth(image)

    def variance(self, curvature: Curvature) -> np.ndarray:
        """Return about b^T H b in every place."""
        return np.square(curvature.scale) * float(np.sum(self._power * curvature.frequency))

    def image(self, voxel: tuple[int, ...]) -> np.ndarray:
        """Return the blob in a place, with a peak of 1."""
        axes = [
            np.exp(-0.5 * np.square((np.arange(n) - k) / s))
            for n, k, s in zip(self._shape, voxel, self._sigma, strict=True)
        ]
        return (axes[0][:, None, None] * axes[1][None, :, None] * axes[2]).astype(np.float32)


def put_in(
    data: Data, image: np.ndarray, level: float, significance: float
) -> tuple[np.ndarray, tuple[Blob, ...]]:
    """Return an image with what the counts demand, and the blobs that were added to it.

    Args:
        data: Counts.
        image: Shape (X, Y, Z), in counts.
        level: Its level: what is active is measured by it.
        significance: SDs from which on a blob is added.
    """
    counts = CoupledCounts(data, level)
    kinds = [BlobScores(image.shape, data.grid.voxel_size, width) for width in _WIDTHS]
    x, curvature = image / np.float32(level), None
    found: list[Blob] = []
    for _ in range(_ROUNDS):
        point = counts.point(x)
        curvature = curvature or counts.curvature(point)
        blobs = []
        for kind, voxel in _candidates(point, kinds, curvature, data, _NEAR * significance):
            blob = _demanded(counts, point, kind, voxel)
            if abs(blob.score) > significance:
                blobs.append(blob)
                x = x + np.float32(blob.amount) * kind.image(voxel)
        if not blobs:
            break
        found += blobs
        x = np.maximum(x, 0.0) * data.mask
    return (x * np.float32(level)).astype(np.float32), tuple(found)


def _candidates(
    point: Point, kinds: list[BlobScores], curvature: Curvature, data: Data, least: float
) -> list[tuple[BlobScores, tuple[int, ...]]]:
    """Return width and place of blobs whose score is about that large, strongest first."""
    scores = []
    for kind in kinds:
        variance = kind.variance(curvature)
        known = data.mask & (kind.smooth(point.x) > _ACTIVE) & (variance > 0.0)
        sd = np.sqrt(np.where(known, variance, 1.0))
        scores.append(np.where(known, np.abs(kind.along(point.gradient)) / sd, 0.0))
    best, which = np.max(scores, axis=0), np.argmax(scores, axis=0)
    size = [2 * int(_APART / edge) + 1 for edge in data.grid.voxel_size]
    peaks = np.argwhere((best == ndimage.maximum_filter(best, size=size)) & (best > least))
    voxels = sorted((tuple(int(k) for k in place) for place in peaks), key=lambda v: -best[v])
    return [(kinds[which[voxel]], voxel) for voxel in voxels[:_MOST]]


def _demanded(
    counts: CoupledCounts, point: Point, kind: BlobScores, voxel: tuple[int, ...]
) -> Blob:
    """Return the blob that the counts ask for in a place; no more is taken away than is there."""
    blob, share = kind.image(voxel), np.float32(_SHIFT)
    moved = counts.change(point, share * blob) / share
    variance = max(float(np.sum(blob * moved, dtype=np.float64)), np.finfo(np.float32).tiny)
    slope = float(np.sum(blob * point.gradient, dtype=np.float64))
    there = float(np.sum(blob * point.x, dtype=np.float64) / np.sum(blob, dtype=np.float64))
    return Blob(
        voxel=voxel, width=kind.width, score=slope / math.sqrt(variance),
        amount=max(slope / variance, -there),
    )  # fmt: skip
