r"""What tells how wrong the mean of a region may be, read from an image before and after.

The error of a region's mean has two parts. Noise: what the mean over its voxels has of it follows
from the correlation of what was taken away (`betaplus.denoising.region_noise`). And structure: a
denoiser moves uptake across the border of a region, the more of it the more of the region is border
and the larger the step there. What the denoiser changed of the mean, and how uneven the region is,
say how much of either there is. All are logarithms, measured on the grid of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from betaplus.core.errors import InputError
from betaplus.denoising.region_noise import region_noise
from betaplus.denoising.volume import Volume

__all__ = ["FEATURES", "RegionTable", "grid_labels", "measure_regions"]

FEATURES = (
    "volume", "noise", "region noise", "band 3", "band 4", "border", "step", "uptake", "spread",
    "change",
)  # fmt: skip
"""Logarithms of: volume [mL]; SD of the noise of a voxel [SUV], and of the region's mean; levels of
the two coarse bands of noise; share of the region within a voxel of its border; mean step across
that [SUV]; mean of the output [SUV]; its SD in the region [SUV]; change of the mean [SUV]."""

_TINY = 1e-3  # SUV
_LEAST_BORDER = 0.02


@dataclass(frozen=True, eq=False, kw_only=True)
class RegionTable:
    """Regions of an image before and after, arrays of shape (N,) float64.

    Attributes:
        labels: Of the regions.
        volume: Of each [mL].
        noisy: Mean of the image [SUV].
        denoised: Mean of the output [SUV].
        features: By name, see `FEATURES`; further ones as they were given.
    """

    labels: np.ndarray
    volume: np.ndarray
    noisy: np.ndarray
    denoised: np.ndarray
    features: Mapping[str, np.ndarray]

    def design(self, names: Sequence[str]) -> np.ndarray:
        """Return features, shape (N, len(names)).

        Raises:
            InputError: If one is not there.
        """
        missing = [name for name in names if name not in self.features]
        if missing:
            raise InputError(
                f"regions without {', '.join(missing)}", f"expected {', '.join(names)}"
            )
        return np.stack([self.features[name] for name in names], 1)

    def __getitem__(self, keep: np.ndarray) -> RegionTable:
        """Return some of the regions."""
        return RegionTable(
            labels=self.labels[keep], volume=self.volume[keep], noisy=self.noisy[keep],
            denoised=self.denoised[keep],
            features={name: values[keep] for name, values in self.features.items()},
        )  # fmt: skip


def grid_labels(labels: np.ndarray, volume: Volume) -> np.ndarray:
    """Return labels on the grid of the network: those of the nearest voxels, shape (x, y, z)."""
    grid = volume.resampler
    axes = []
    grids = zip(grid.shape, grid.voxel, grid.grid_shape, grid.grid_voxel, strict=True)
    for n, v, m, w in grids:
        at = (np.arange(m) - (m - 1) / 2) * w / v + (n - 1) / 2
        axes.append(np.clip(np.rint(at).astype(int), 0, n - 1))
    return np.asarray(labels)[np.ix_(*axes)]


def measure_regions(
    volume: Volume,
    output: np.ndarray,
    labels: np.ndarray,
    wanted: Sequence[int] | None = None,
    draws: Sequence[np.ndarray] = (),
) -> RegionTable:
    """Measure regions of an image and of what came out of a denoiser.

    Args:
        volume: The image.
        output: Shape (X, Y, Z) [SUV].
        labels: Region of each voxel, likewise; 0 is none.
        wanted: The labels to measure; all but 0 if None. Those without a voxel are left out, on the
            image or on the grid of the network.
        draws: Of a method that draws, likewise: their means of a region add the feature ``draws``,
            the logarithm of their SD [SUV].

    Raises:
        InputError: If shapes differ.
    """
    if not np.shape(labels) == np.shape(output) == volume.data.shape:
        raise InputError(
            f"labels {np.shape(labels)} and output {np.shape(output)} of an image"
            f" {volume.data.shape}",
            "expected one grid",
        )
    asked = np.unique(labels) if wanted is None else np.asarray(wanted)
    asked = np.unique(asked[asked != 0])
    inside, coarse = (_numbered(x, asked) for x in (labels, grid_labels(labels, volume)))
    size = asked.size + 1
    both = [np.bincount(x.ravel(), minlength=size)[1:] for x in (inside, coarse)]
    there = (both[0] > 0) & (both[1] > 0)
    means = [_sums(x, inside, size) / np.maximum(both[0], 1) for x in (volume.data, output)]
    edge = float(np.prod(volume.voxel)) / 1000.0
    found = _features(volume, output, coarse, size)
    found["volume"] = np.log(np.maximum(both[0] * edge, 1e-9))
    found["uptake"] = np.log(np.maximum(means[1], 0.0) + _TINY)
    found["change"] = np.log(np.abs(means[1] - means[0]) + _TINY)
    if draws:
        drawn = np.stack([_sums(x, inside, size) / np.maximum(both[0], 1) for x in draws])
        found["draws"] = np.log(drawn.std(0, ddof=1) + _TINY)
    table = RegionTable(
        labels=asked, volume=both[0] * edge, noisy=means[0], denoised=means[1], features=found
    )
    return table[there]


def _features(
    volume: Volume, output: np.ndarray, labels: np.ndarray, size: int
) -> dict[str, np.ndarray]:
    """Return the features that are measured on the grid, each (size - 1,)."""
    image = volume.resampler.down(torch.from_numpy(np.ascontiguousarray(output))[None, None])
    out, sd = image[0, 0].numpy(), volume.noise.sd[0, 0].numpy()
    bands = volume.noise.bands[0, 2:].numpy()
    count = np.maximum(np.bincount(labels.ravel(), minlength=size)[1:], 1)
    mean = _sums(out, labels, size) / count
    square = _sums(np.square(out, dtype=np.float64), labels, size) / count
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    noise = np.sqrt(_sums(np.square(sd, dtype=np.float64), labels, size) / count)
    border, steps, pairs = np.zeros(labels.shape, bool), np.zeros(size), np.zeros(size)
    for axis in range(3):
        n = labels.shape[axis]
        first, last = (
            tuple(part if a == axis else slice(None) for a in range(3))
            for part in (slice(0, n - 1), slice(1, n))
        )
        apart = labels[first] != labels[last]
        border[first] |= apart
        border[last] |= apart
        step = np.abs(out[last] - out[first])[apart]
        for side in (labels[first][apart], labels[last][apart]):
            steps += np.bincount(side, step, minlength=size)
            pairs += np.bincount(side, minlength=size)
    share = np.bincount(labels[border], minlength=size)[1:] / count
    logs = {"band 3": bands[0], "band 4": bands[1]}
    found = {name: np.log(_sums(x, labels, size) / count + 1e-6) for name, x in logs.items()}
    return found | {
        "region noise": np.log(region_noise(volume, out, labels, size) + 0.1 * _TINY),
        "noise": np.log(noise + _TINY),
        "border": np.log(np.maximum(share, _LEAST_BORDER)),
        "step": np.log(steps[1:] / np.maximum(pairs[1:], 1.0) + _TINY),
        "spread": np.log(spread + _TINY),
    }


def _numbered(labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return labels as 1, 2, ... in the order of those asked for, and 0 for others."""
    if asked.size == 0:
        return np.zeros(np.shape(labels), np.int64)
    at = np.searchsorted(asked, labels).clip(max=asked.size - 1)
    return np.where(asked[at] == labels, at + 1, 0)


def _sums(x: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    """Return the sum over each region, (size - 1,)."""
    sums: np.ndarray = np.bincount(labels.ravel(), np.asarray(x).ravel(), minlength=size)
    return sums[1:]
