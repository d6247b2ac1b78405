r"""What the counts demand and a network left out: blobs of activity, put in one after the other.

A network draws what is rare towards what is common: of a lesion that its training never had it
leaves next to nothing. Where counts refute an image they say so, however. For the right image the
slope of the log-likelihood along a Gaussian blob b, :math:`b^T g`, has mean 0 and variance
:math:`b^T H b`, with the curvature H of the counts (Rao's score test). Where it is t SD with t
beyond a `significance` T, :math:`1 - T^2 / t^2` of what the likelihood asks for of the blob,
:math:`b^T g / b^T H b`, is added, hot or cold (the garrote of Breiman, Technometrics 37, 1995: what
noise may have made is put in hardly at all), and the rest is looked at again (matching pursuit:
Mallat and Zhang, IEEE Trans Signal Process 41, 1993). The curvature is a rough one, made right for
the strongest blob of each width.

Blobs are of two widths and are looked for where there is activity. At 4.5 SD an image that is
right is hardly ever changed; a lesion that the counts do not show at that level stays hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from betaplus.reconstruction.data import Data
from betaplus.reconstruction.score.coupled_counts import CoupledCounts, Curvature, Slope

__all__ = ["Blob", "BlobScores", "put_in"]

_WIDTHS = (6.0, 10.0)  # mm, full width at half maximum
_APART = 12.0  # mm: of blobs of one round
_ACTIVE = 0.3  # of the level, smoothed like the blob: where blobs are looked for
_NEAR = 0.8  # of the significance: a score by the rough curvature for which it is made right
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
        amount: Its peak as it was added, over the image's level.
    """

    voxel: tuple[int, ...]
    width: float
    score: float
    amount: float

    def more(self, amount: float) -> Blob:
        """Return it with more of it."""
        return replace(self, amount=self.amount + amount)


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
        significance: SDs from which on a blob is added, the more of it, the further beyond.
    """
    counts = CoupledCounts(data, level)
    kinds = [BlobScores(image.shape, data.grid.voxel_size, width) for width in _WIDTHS]
    x, variances = image / np.float32(level), list[np.ndarray]()
    rough, found = set(range(len(kinds))), dict[tuple[int, tuple[int, ...]], Blob]()
    for _ in range(_ROUNDS):
        point = Slope(x=x, gradient=counts.gradient(x))
        if not variances:
            curvature = counts.curvature(point)
            variances = [kind.variance(curvature) for kind in kinds]
        for n in sorted(rough):
            score = np.abs(_demanded(point, kinds[n], variances[n], data.mask)[0])
            if score.max() > _NEAR * significance:
                place = _voxel(np.unravel_index(score.argmax(), score.shape))
                own = _variance(counts, point, kinds[n].image(place))
                variances[n] = variances[n] * np.float32(own / variances[n][place])
                rough.remove(n)
        demanded = [
            _demanded(point, kind, variance, data.mask)
            for kind, variance in zip(kinds, variances, strict=True)
        ]
        peaks = list(_peaks([score for score, _ in demanded], data, significance))
        for n, voxel in peaks:
            score, amount = (float(values[voxel]) for values in demanded[n])
            amount *= 1.0 - (significance / score) ** 2
            blob = Blob(voxel=voxel, width=kinds[n].width, score=score, amount=amount)
            found[n, voxel] = found[n, voxel].more(amount) if (n, voxel) in found else blob
            x = x + np.float32(amount) * kinds[n].image(voxel)
        if not peaks:
            break
        x = np.maximum(x, 0.0) * data.mask
    return (x * np.float32(level)).astype(np.float32), tuple(found.values())


def _demanded(
    point: Slope, kind: BlobScores, variance: np.ndarray, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and amounts in every place; no more is taken away than is there."""
    slope, there = kind.along(point.gradient), kind.smooth(point.x)
    known = mask & (there > _ACTIVE) & (variance > 0.0)
    safe = np.where(known, variance, 1.0)
    return np.where(known, slope / np.sqrt(safe), 0.0), np.maximum(slope / safe, -there)


def _variance(counts: CoupledCounts, point: Slope, blob: np.ndarray) -> float:
    """Return b^T H b of one blob, by moving the image along it."""
    moved = counts.change(point, np.float32(_SHIFT) * blob) / np.float32(_SHIFT)
    return max(float(np.sum(blob * moved, dtype=np.float64)), float(np.finfo(np.float32).tiny))


def _peaks(
    scores: Sequence[np.ndarray], data: Data, least: float
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield which width and where: the largest scores within some reach, of all widths."""
    best, which = np.abs(scores).max(0), np.abs(scores).argmax(0)
    size = [2 * int(_APART / edge) + 1 for edge in data.grid.voxel_size]
    peaks = (best == ndimage.maximum_filter(best, size=size)) & (best > least)
    for place in np.argwhere(peaks):
        yield int(which[tuple(place)]), _voxel(place)


def _voxel(place: Iterable[int]) -> tuple[int, ...]:
    return tuple(int(k) for k in place)
