r"""SD of the noise of a region's mean, from what a denoiser took away.

With a voxel's SD n_i (`betaplus.denoising.noise`) and the autocorrelation C of noise in units of
it, the mean over a region of N voxels has the variance

.. math:: \frac{1}{N^2} \sum_{i, j \in R} n_i n_j\, C(r_i - r_j) .

C is that of the whitened residual (noisy - denoised) / n over the body, tapered to 0 over 18 mm as
by Bartlett: the better the denoiser, the more of the residual is noise, and the less anatomy.
"""

from __future__ import annotations

import numpy as np

from betaplus.denoising.volume import Volume

__all__ = ["autocorrelation", "region_noise"]

_REACH = 18.0  # mm
_BODY = 0.1  # of the level of the brightest twentieth: below it an image is air
_BRIGHT = 0.95
_SAMPLE = 1_000_003


def region_noise(volume: Volume, output: np.ndarray, labels: np.ndarray, size: int) -> np.ndarray:
    """Return the SD of noise of means of regions, shape (size - 1,) [SUV].

    Args:
        volume: The image.
        output: Denoised, on the grid of the network, shape (x, y, z) [SUV].
        labels: 0 to size - 1, likewise; 0 is no region.
        size: One more than there are regions.
    """
    from scipy.ndimage import find_objects

    image, sd, mean = (x[0, 0].numpy() for x in (volume.coarse, volume.noise.sd, volume.noise.mean))
    some = mean.ravel()
    body = mean > _BODY * np.quantile(some[:: some.size // _SAMPLE + 1], _BRIGHT)
    whitened = np.where(body & (sd > 0), (image - output) / np.maximum(sd, 1e-12), 0.0)
    kernel = autocorrelation(whitened, body, max(1, round(_REACH / volume.grid_voxel)))
    found = np.zeros(size - 1)
    if not kernel.any():
        return found
    for n, box in enumerate(find_objects(labels, size - 1)):
        if box is not None:
            inside = labels[box] == n + 1
            held = np.where(inside, sd[box], np.float32(0.0))
            found[n] = np.sqrt(max(_energy(held, kernel), 0.0)) / inside.sum()
    return found


def autocorrelation(field: np.ndarray, mask: np.ndarray, reach: int) -> np.ndarray:
    """Return the tapered autocorrelation of a field within a mask, shape (2 reach + 1,) * 3.

    Not divided by the variance. Lags are along the axes; 0 is in the middle.

    Args:
        field: Shape (X, Y, Z), 0 outside the mask.
        mask: Likewise.
        reach: Lag at which the taper, linear in the distance, is 0 [voxels].
    """
    from scipy.fft import irfftn, next_fast_len, rfftn

    shape = [next_fast_len(n + reach, real=True) for n in field.shape]
    lags = [np.arange(-reach, reach + 1) % n for n in shape]
    sums = []
    for x in (field, mask):
        power = np.abs(rfftn(np.asarray(x, np.float32), shape)) ** 2
        sums.append(irfftn(power, shape)[np.ix_(*lags)])
    products, pairs = sums
    axis = np.arange(-reach, reach + 1) ** 2
    far = np.sqrt(axis[:, None, None] + axis[:, None] + axis)
    mean = np.where(pairs > 0.5, products / np.maximum(pairs, 1.0), 0.0)
    return mean * np.clip(1.0 - far / reach, 0.0, 1.0)


def _energy(held: np.ndarray, kernel: np.ndarray) -> float:
    """Return the sum over pairs of voxels of held_i held_j kernel(i - j)."""
    from scipy.fft import irfftn, next_fast_len, rfftn

    reach = kernel.shape[0] // 2
    shape = [next_fast_len(n + reach, real=True) for n in held.shape]
    shape = [max(n, kernel.shape[0]) for n in shape]
    spread = np.zeros(shape, np.float32)
    lags = [np.arange(-reach, reach + 1) % n for n in shape]
    spread[np.ix_(*lags)] = kernel
    near = irfftn(rfftn(held, shape) * rfftn(spread).real, shape)
    return float((near[tuple(slice(n) for n in held.shape)] * held).sum(dtype=np.float64))
